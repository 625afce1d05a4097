/// How far apart in event time two records of a stream-stream join may be, and how long unmatched ones are waited for.
///
/// A record of the left stream at `t` meets those of the right one from `t - before` to `t + after`, both included. A
/// record without partner in a left or outer join is known to have none when the time of the join has passed the end of
/// its window by more than the grace. The rows of both streams are kept for `before + after + grace`.
///
/// ```
/// use headwater::prelude::*;
///
/// // The payment may come up to an hour after the order, and no earlier.
/// let within = JoinWindows::of(hours(1)).before(0).grace(minutes(10));
/// assert_eq!((within.before_ms(), within.after_ms()), (0, 3_600_000));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinWindows {
    pub(crate) before_ms: i64,
    pub(crate) after_ms: i64,
    pub(crate) grace_ms: Option<i64>,
}

impl JoinWindows {
    /// Records at most `difference_ms` milliseconds apart, in either direction. A grace must be stated too: `build()` asks
    /// for it.
    pub const fn of(difference_ms: i64) -> Self {
        Self { before_ms: difference_ms, after_ms: difference_ms, grace_ms: None }
    }

    /// A right record may be up to `before_ms` milliseconds older than the left one; negative: it must be younger by so
    /// much. `before + after` must be 0 or more.
    #[must_use]
    pub const fn before(mut self, before_ms: i64) -> Self {
        self.before_ms = before_ms;
        self
    }

    /// A right record may be up to `after_ms` milliseconds younger than the left one; negative: it must be older by so
    /// much. `before + after` must be 0 or more.
    #[must_use]
    pub const fn after(mut self, after_ms: i64) -> Self {
        self.after_ms = after_ms;
        self
    }

    /// An unmatched record waits for `grace_ms` milliseconds of event time after its window's end, in case its partner
    /// comes late.
    #[must_use]
    pub const fn grace(mut self, grace_ms: i64) -> Self {
        self.grace_ms = Some(grace_ms);
        self
    }

    /// An unmatched record does not wait for late partners.
    #[must_use]
    pub const fn no_grace(self) -> Self {
        self.grace(0)
    }

    /// How much older than the left record the right one may be, in milliseconds.
    pub const fn before_ms(&self) -> i64 {
        self.before_ms
    }

    /// How much younger than the left record the right one may be, in milliseconds.
    pub const fn after_ms(&self) -> i64 {
        self.after_ms
    }

    /// For how long a row is kept in terms of event time.
    pub(crate) fn retention_ms(&self) -> i64 {
        self.before_ms.saturating_add(self.after_ms).saturating_add(self.grace_ms.unwrap_or_default())
    }
}
