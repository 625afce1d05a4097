use super::{Aligned, TimeWindows, closing_windows, time_windows};
use crate::plan::EmitStrategy;

/// Windows of one fixed length that follow each other without gap or overlap, aligned to 1970-01-01T00:00:00Z.
///
/// A window takes a record as long as its end plus the *grace* has not been passed by the time of the stream; a record
/// for a window that has closed is late: dropped and counted.
///
/// ```
/// use headwater::prelude::*;
///
/// let daily = Tumbling::of(days(1)).grace(hours(24)).emit_on_close();
/// assert_eq!(daily.size_ms(), 86_400_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tumbling {
    size_ms: i64,
    grace_ms: Option<i64>,
    emit: EmitStrategy,
}

impl Tumbling {
    /// Windows of `size_ms` milliseconds. A grace must be stated too: `build()` asks for it.
    pub const fn of(size_ms: i64) -> Self {
        Self { size_ms, grace_ms: None, emit: EmitStrategy::OnWindowUpdate }
    }

    /// The windows' length in milliseconds.
    pub const fn size_ms(&self) -> i64 {
        self.size_ms
    }

    pub(crate) const fn spec(self) -> TimeWindows {
        let Self { size_ms, grace_ms, emit } = self;
        TimeWindows::Aligned(Aligned { size_ms, advance_ms: Some(size_ms), first: 0, grace_ms, emit })
    }
}

closing_windows!(Tumbling);
time_windows!(Tumbling);
