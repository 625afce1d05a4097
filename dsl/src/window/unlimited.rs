use super::{Aligned, TimeWindows, time_windows};
use crate::plan::EmitStrategy;

/// One window per key, from a start on and without end (its `end` is `i64::MAX`). It never closes: its rows stay until
/// the state is deleted. Records before the start are ignored, and not counted as late.
///
/// ```
/// use headwater::prelude::*;
///
/// let app = StreamsBuilder::new("demo");
/// app.stream::<String, i64>("in", Json)
///     .group_by_key("by-key")
///     .windowed_by(Unlimited::starting_at(100))
///     .count("since-100")
///     .updates()
///     .map(|window, n| (window.start, n))
///     .to("out", Json);
/// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
/// let mut input = driver.input::<String, i64>("in", Json);
/// for time in [99, 100, 100_000] {
///     input.pipe(&mut driver, "k".into(), 0, time).unwrap();
/// }
/// assert_eq!(driver.output::<i64, i64>("out", Json).read_key_values(&mut driver).unwrap(), [(100, 1), (100, 2)]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unlimited {
    start_ms: i64,
}

impl Unlimited {
    /// The window from `start_ms` (milliseconds since 1970-01-01T00:00:00Z, 0 or more) on.
    pub const fn starting_at(start_ms: i64) -> Self {
        Self { start_ms }
    }

    pub(crate) const fn spec(self) -> TimeWindows {
        TimeWindows::Aligned(Aligned {
            size_ms: i64::MAX,
            advance_ms: None,
            first: self.start_ms,
            grace_ms: Some(0),
            emit: EmitStrategy::OnWindowUpdate,
        })
    }
}

time_windows!(Unlimited);
