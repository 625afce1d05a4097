//! Time enters through a [`Clock`] only, so that tests, replays and simulations can own it.

use std::sync::atomic::{AtomicI64, Ordering};

/// Milliseconds since 1970-01-01T00:00:00Z, as Kafka's record timestamps. Negative means "none".
pub type Timestamp = i64;

/// Where wall-clock time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The wall-clock time now.
    fn now_ms(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
    fn now_ms(&self) -> Timestamp {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that moves only when told, for tests.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `now_ms`.
    pub fn at(now_ms: Timestamp) -> Self {
        Self(AtomicI64::new(now_ms))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by_ms: i64) {
        self.0.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> Timestamp {
        self.0.load(Ordering::SeqCst)
    }
}

/// `n` seconds in milliseconds.
pub const fn seconds(n: i64) -> i64 {
    n * 1_000
}

/// `n` minutes in milliseconds.
pub const fn minutes(n: i64) -> i64 {
    n * 60_000
}

/// `n` hours in milliseconds.
pub const fn hours(n: i64) -> i64 {
    n * 3_600_000
}

/// `n` days of 24 hours in milliseconds.
pub const fn days(n: i64) -> i64 {
    n * 86_400_000
}

/// `2013-01-01T10:00:00Z` or, with a fraction, `2013-01-01T10:00:00.250Z`: UTC, proleptic Gregorian.
pub fn format_timestamp(timestamp: Timestamp) -> String {
    let day = timestamp.div_euclid(days(1));
    let ms = timestamp.rem_euclid(days(1));
    // Days to civil date, after Howard Hinnant's published algorithm (era of 400 years, March first).
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month_day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second, fraction) = (ms / hours(1), ms / minutes(1) % 60, ms / 1_000 % 60, ms % 1_000);
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:03}") };
    format!("{year:04}-{month:02}-{month_day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_print_in_utc() {
        assert_eq!(format_timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(format_timestamp(1_357_034_400_000), "2013-01-01T10:00:00Z");
        assert_eq!(format_timestamp(951_782_400_250), "2000-02-29T00:00:00.250Z");
        assert_eq!(format_timestamp(-1), "1969-12-31T23:59:59.999Z");
    }
}
