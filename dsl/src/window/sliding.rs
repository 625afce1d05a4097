use super::{TimeWindows, closing_windows, time_windows};
use crate::plan::EmitStrategy;

/// Windows that lie where the records are: each two records of a key that are at most `difference` apart are in one.
///
/// For a record at time *t* there is the window from *t - difference* to *t*, and, once a later record is near enough, the
/// one from *t + 1* to *t + 1 + difference*; both ends belong to a window. So there is one window for each set of
/// records that can be seen together, and no more. Records before `difference` share the window that begins at 0.
///
/// A window takes a record as long as the time of the stream is not beyond its end plus the *grace*. Of a late record's
/// windows some may still be open. Behind a repartition topic with several upstream tasks a record that is later than the
/// grace is late for all of them, so that the results do not depend on which task was faster. Null values are dropped.
///
/// ```
/// use headwater::prelude::*;
///
/// let app = StreamsBuilder::new("demo");
/// app.stream::<String, i64>("in", Json)
///     .group_by_key("by-key")
///     .windowed_by(Sliding::of(10).grace(5).emit_on_close())
///     .count("within-ten")
///     .updates()
///     .map(|window, n| (window.start, (window.end, n)))
///     .to("out", Json);
/// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
/// let mut input = driver.input::<String, i64>("in", Json);
/// for time in [20, 25, 33, 60] {
///     input.pipe(&mut driver, "k".into(), 0, time).unwrap();
/// }
/// let counts = driver.output::<i64, (i64, i64)>("out", Json).read_key_values(&mut driver).unwrap();
/// let alone = (26, (36, 1));
/// assert_eq!(counts, [(10, (20, 1)), (15, (25, 2)), (21, (31, 1)), (23, (33, 2)), alone]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sliding {
    pub(crate) difference_ms: i64,
    pub(crate) grace_ms: Option<i64>,
    pub(crate) emit: EmitStrategy,
}

impl Sliding {
    /// Windows of records that are at most `difference_ms` milliseconds apart. A grace must be stated too: `build()`
    /// asks for it.
    pub const fn of(difference_ms: i64) -> Self {
        Self { difference_ms, grace_ms: None, emit: EmitStrategy::OnWindowUpdate }
    }

    pub(crate) const fn spec(self) -> TimeWindows {
        TimeWindows::Sliding(self)
    }
}

closing_windows!(Sliding);
time_windows!(Sliding);
