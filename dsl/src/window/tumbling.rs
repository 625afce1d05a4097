use super::{Aligned, TimeWindows, time_windows};
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

    /// Takes records up to `grace_ms` milliseconds after the window's end.
    #[must_use]
    pub const fn grace(mut self, grace_ms: i64) -> Self {
        self.grace_ms = Some(grace_ms);
        self
    }

    /// A window closes at its end; later records are dropped.
    #[must_use]
    pub const fn no_grace(self) -> Self {
        self.grace(0)
    }

    /// Each window's result goes downstream once, when it has closed. Default: on every update, at each commit.
    #[must_use]
    pub const fn emit_on_close(mut self) -> Self {
        self.emit = EmitStrategy::OnWindowClose;
        self
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

time_windows!(Tumbling);
