use super::{Aligned, TimeWindows, closing_windows, time_windows};
use crate::plan::EmitStrategy;

/// Windows of one fixed length that overlap: one begins every `advance`, at multiples of it since
/// 1970-01-01T00:00:00Z, so each record is in about `size / advance` of them.
///
/// A window takes a record as long as its end plus the *grace* has not been passed by the time of the stream. Of a late
/// record's windows some may still be open: it is counted as late once for each that is not.
///
/// ```
/// use headwater::prelude::*;
///
/// let app = StreamsBuilder::new("demo");
/// app.stream::<String, i64>("in", Json)
///     .group_by_key("by-key")
///     .windowed_by(Hopping::of(minutes(5)).advance_by(minutes(1)).grace(seconds(30)).emit_on_close())
///     .count("last-five-minutes")
///     .updates()
///     .map(|window, n| (window.start, n))
///     .to("out", Json);
/// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
/// let mut input = driver.input::<String, i64>("in", Json);
/// for minute in [0, 1, 2, 6, 8] {
///     input.pipe(&mut driver, "k".into(), 0, minutes(minute)).unwrap();
/// }
/// let counts = driver.output::<i64, i64>("out", Json).read_key_values(&mut driver).unwrap();
/// assert_eq!(counts, [(0, 3), (minutes(1), 2), (minutes(2), 2)]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hopping {
    size_ms: i64,
    advance_ms: i64,
    grace_ms: Option<i64>,
    emit: EmitStrategy,
}

impl Hopping {
    /// Windows of `size_ms` milliseconds, which follow each other without overlap until [`Hopping::advance_by`] says
    /// more. A grace must be stated too: `build()` asks for it.
    pub const fn of(size_ms: i64) -> Self {
        Self { size_ms, advance_ms: size_ms, grace_ms: None, emit: EmitStrategy::OnWindowUpdate }
    }

    /// A window begins every `advance_ms` milliseconds: at least 1, at most the windows' size. Default: the size.
    #[must_use]
    pub const fn advance_by(mut self, advance_ms: i64) -> Self {
        self.advance_ms = advance_ms;
        self
    }

    pub(crate) const fn spec(self) -> TimeWindows {
        let Self { size_ms, advance_ms, grace_ms, emit } = self;
        TimeWindows::Aligned(Aligned { size_ms, advance_ms: Some(advance_ms), first: 0, grace_ms, emit })
    }
}

closing_windows!(Hopping);
time_windows!(Hopping);
