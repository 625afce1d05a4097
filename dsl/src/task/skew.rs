//! How far apart in event time the inputs of a task are.

use std::fmt;

use headwater_core::Timestamp;

/// How far the input of a task that is furthest ahead in event time is before the one furthest behind. An input is a
/// source topic's partition (called as its topic) or one upstream task of a repartition topic (`<topic>/<task's number>`);
/// its time is the greatest timestamp that came from it.
///
/// A great skew means that windows wait for the slow input, that a join of live streams meets rows of other times, or that
/// producers' clocks disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeSkew {
    /// Milliseconds of event time between the two.
    pub ms: i64,
    /// The input furthest ahead.
    pub ahead: String,
    /// The input furthest behind.
    pub behind: String,
}

impl TimeSkew {
    /// Between the ends of these inputs, as far as something came from them; `None` if fewer than two have spoken.
    pub(super) fn among<'a>(inputs: impl Iterator<Item = (Timestamp, &'a str)>) -> Option<Self> {
        let mut spoken: Vec<_> = inputs.filter(|(time, _)| *time != Timestamp::MIN).collect();
        // By name where times are equal, so that it does not depend on the order of inputs.
        spoken.sort_unstable();
        let [(least, behind), .., (greatest, ahead)] = spoken.as_slice() else { return None };
        Some(Self { ms: greatest.saturating_sub(*least), ahead: (*ahead).to_owned(), behind: (*behind).to_owned() })
    }
}

impl fmt::Display for TimeSkew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {} ms behind {}", self.behind, self.ms, self.ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skew_is_between_the_fastest_and_the_slowest_input_that_has_spoken() {
        let of = |inputs: &[(i64, &str)]| TimeSkew::among(inputs.iter().copied()).map(|skew| skew.to_string());
        assert_eq!(of(&[(5, "a"), (i64::MIN, "silent")]), None);
        assert_eq!(of(&[(5, "a"), (90, "b"), (i64::MIN, "silent"), (7, "c")]).unwrap(), "a is 85 ms behind b");
    }
}
