//! Windows as the folds see them.

use headwater_core::Timestamp;

use super::Sliding;
use crate::plan::{EmitStrategy, NodeKind};

/// Windows of a form that does not depend on the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeWindows {
    /// They lie at multiples of a number, or there is only one.
    Aligned(Aligned),
    /// They lie where the records are.
    Sliding(Sliding),
}

/// Windows of one length that begin at multiples of their advance, or a single one without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aligned {
    pub(crate) size_ms: i64,
    /// `None`: there is one window, from `first` on.
    pub(crate) advance_ms: Option<i64>,
    pub(crate) first: Timestamp,
    pub(crate) grace_ms: Option<i64>,
    pub(crate) emit: EmitStrategy,
}

/// Starts of windows that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Starts {
    next: Timestamp,
    last: Timestamp,
    step: i64,
}

impl Starts {
    /// A single one.
    pub(crate) fn one(start: Timestamp) -> Self {
        Self { next: start, last: start, step: 1 }
    }

    /// The first and the last one, if there are any.
    #[inline]
    pub(crate) fn ends(&self) -> Option<(Timestamp, Timestamp)> {
        (self.next <= self.last).then_some((self.next, self.last))
    }

    /// Leaves the first ones out as long as `is_out`; returns how many.
    #[inline]
    pub(crate) fn skip_first(&mut self, is_out: impl Fn(Timestamp) -> bool) -> usize {
        let mut skipped = 0;
        while self.ends().is_some_and(|(first, _)| is_out(first)) {
            self.next();
            skipped += 1;
        }
        skipped
    }
}

impl Iterator for Starts {
    type Item = Timestamp;

    #[inline]
    fn next(&mut self) -> Option<Timestamp> {
        let (first, last) = self.ends()?;
        match first.checked_add(self.step) {
            Some(next) => self.next = next,
            // There is none after it.
            None => self.last = last.saturating_sub(self.step).min(first - 1),
        }
        Some(first)
    }
}

impl Aligned {
    /// The starts of the windows that hold `timestamp`, in order.
    #[inline]
    pub(crate) fn starts(&self, timestamp: Timestamp) -> Starts {
        match self.advance_ms {
            // A window that begins before 1970 does not exist.
            Some(advance) => {
                let least = timestamp.saturating_sub(self.size_ms).saturating_add(advance).max(0);
                Starts { next: floor(least, advance), last: floor(timestamp, advance), step: advance }
            }
            None if self.first <= timestamp => Starts::one(self.first),
            None => Starts { next: self.first, last: timestamp, step: 1 },
        }
    }

    fn is_tumbling(&self) -> bool {
        self.advance_ms == Some(self.size_ms)
    }
}

fn floor(time: Timestamp, step: i64) -> Timestamp {
    time.saturating_sub(time.rem_euclid(step.max(1)))
}

impl TimeWindows {
    /// Whether a null value has no part in them.
    pub(crate) fn drop_null_values(&self) -> bool {
        matches!(self, Self::Sliding(_))
    }

    /// A step `op` that folds into these windows.
    pub(crate) fn node_kind(&self, op: &str, store: &str) -> NodeKind {
        match self {
            Self::Aligned(windows) if windows.is_tumbling() && op != "cogroup" => NodeKind::WindowedAggregate {
                op: op.to_owned(),
                store: store.to_owned(),
                size_ms: windows.size_ms,
                grace_ms: windows.grace_ms,
                emit: windows.emit,
            },
            Self::Aligned(windows) => {
                let name = if windows.advance_ms.is_some() { "hopping" } else { "unlimited" };
                let mut settings = vec![("size_ms", Some(windows.size_ms)), ("grace_ms", windows.grace_ms)];
                settings.push(match windows.advance_ms {
                    Some(_) => ("advance_ms", windows.advance_ms),
                    None => ("starting_at_ms", Some(windows.first)),
                });
                windowed_kind(&format!("{name}_{op}"), store, &settings, windows.emit, windows.size_ms)
            }
            Self::Sliding(windows) => {
                let settings = [("difference_ms", Some(windows.difference_ms)), ("grace_ms", windows.grace_ms)];
                windowed_kind(&format!("sliding_{op}"), store, &settings, windows.emit, windows.difference_ms)
            }
        }
    }
}

/// A step with state that folds into windows; its results lie at most `within_ms` before the windows' ends.
pub(super) fn windowed_kind(
    op: &str,
    store: &str,
    settings: &[(&str, Option<i64>)],
    emit: EmitStrategy,
    within_ms: i64,
) -> NodeKind {
    NodeKind::stateful(op, &[store])
        .with_settings(settings.iter().copied())
        .final_within((emit == EmitStrategy::OnWindowClose).then_some(within_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aligned(size_ms: i64, advance_ms: Option<i64>, first: Timestamp) -> Aligned {
        Aligned { size_ms, advance_ms, first, grace_ms: Some(0), emit: EmitStrategy::OnWindowUpdate }
    }

    #[test]
    fn a_time_lies_in_every_window_that_has_begun_and_not_ended() {
        for (size, advance) in [(10, 10), (10, 3), (10, 5), (10, 1), (7, 2)] {
            let windows = aligned(size, Some(advance), 0);
            for time in 0..60 {
                let found: Vec<_> = windows.starts(time).collect();
                let all = (0..60).map(|n| n * advance).filter(|start| (*start..start + size).contains(&time));
                assert_eq!(found, all.collect::<Vec<_>>(), "{size} by {advance} at {time}");
            }
        }
    }

    #[test]
    fn the_unlimited_window_holds_what_is_not_before_its_start() {
        for first in [0, 100] {
            let windows = aligned(i64::MAX, None, first);
            assert_eq!(windows.starts(100).collect::<Vec<_>>(), [first]);
            assert_eq!(windows.starts(i64::MAX).collect::<Vec<_>>(), [first]);
        }
        assert_eq!(aligned(i64::MAX, None, 100).starts(99).count(), 0);
    }
}
