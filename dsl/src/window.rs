//! Windows of event time.

use serde::{Deserialize, Serialize};

use headwater_core::{Timestamp, format_timestamp};

/// A key within a window: `start` belongs to the window, `end` does not (milliseconds).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Windowed<K> {
    /// The key.
    pub key: K,
    /// The first millisecond of the window.
    pub start: Timestamp,
    /// The first millisecond after the window.
    pub end: Timestamp,
}

impl<K: std::fmt::Display> std::fmt::Display for Windowed<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [{}, {})", self.key, format_timestamp(self.start), format_timestamp(self.end))
    }
}

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
    pub(crate) size_ms: i64,
    pub(crate) grace_ms: Option<i64>,
    pub(crate) emit: crate::plan::EmitStrategy,
}

impl Tumbling {
    /// Windows of `size_ms` milliseconds. A grace must be stated too: `build()` asks for it.
    pub const fn of(size_ms: i64) -> Self {
        Self { size_ms, grace_ms: None, emit: crate::plan::EmitStrategy::OnWindowUpdate }
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
        self.emit = crate::plan::EmitStrategy::OnWindowClose;
        self
    }

    /// The windows' length in milliseconds.
    pub const fn size_ms(&self) -> i64 {
        self.size_ms
    }

    /// The start of the window that holds `timestamp`.
    pub(crate) fn start_of(&self, timestamp: Timestamp) -> Timestamp {
        timestamp - timestamp.rem_euclid(self.size_ms)
    }
}
