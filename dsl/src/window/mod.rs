//! Windows of event time.

mod hopping;
mod session;
mod sliding;
mod spec;
mod tumbling;
mod unlimited;

pub use hopping::Hopping;
pub use session::Session;
pub use sliding::Sliding;
pub(crate) use spec::{Aligned, Starts, TimeWindows};
pub use tumbling::Tumbling;
pub use unlimited::Unlimited;

use serde::{Deserialize, Serialize};

use headwater_core::{Timestamp, format_timestamp};

use crate::kgrouped::{Cogrouped, KGroupedStream};

/// A key within a window of event time (milliseconds).
///
/// `start` always belongs to the window. `end` is the first millisecond after it for tumbling, hopping and unlimited
/// windows; for sliding windows and sessions it is the last one that belongs to it, as in Kafka Streams.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Windowed<K> {
    /// The key.
    pub key: K,
    /// The first millisecond of the window.
    pub start: Timestamp,
    /// The first millisecond after the window; of a sliding window or session the last one within it.
    pub end: Timestamp,
}

impl<K: std::fmt::Display> std::fmt::Display for Windowed<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [{}, {})", self.key, format_timestamp(self.start), format_timestamp(self.end))
    }
}

mod sealed {
    pub trait Sealed {}
}

/// Windows that a grouped stream, or several of them together, can be divided into: [`Tumbling`], [`Hopping`],
/// [`Sliding`], [`Session`] and [`Unlimited`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` are no windows",
    label = "not `Tumbling`, `Hopping`, `Sliding`, `Session` or `Unlimited`"
)]
pub trait Windows: sealed::Sealed + Copy {
    /// What a grouped stream becomes.
    type Stream<K, V>;
    /// What several grouped streams with one aggregate become.
    type Cogrouped<K, A>;

    /// Divides a grouped stream.
    #[doc(hidden)]
    fn divide<K, V>(self, stream: KGroupedStream<K, V>) -> Self::Stream<K, V>;

    /// Divides several grouped streams.
    #[doc(hidden)]
    fn divide_cogrouped<K, A>(self, streams: Cogrouped<K, A>) -> Self::Cogrouped<K, A>;
}

/// Windows with a fixed form fold with `WindowedStream`.
macro_rules! time_windows {
    ($windows:ident) => {
        impl crate::window::sealed::Sealed for $windows {}

        impl crate::window::Windows for $windows {
            type Stream<K, V> = crate::kgrouped::WindowedStream<K, V>;
            type Cogrouped<K, A> = crate::kgrouped::WindowedCogrouped<K, A>;

            fn divide<K, V>(self, stream: crate::kgrouped::KGroupedStream<K, V>) -> Self::Stream<K, V> {
                crate::kgrouped::WindowedStream::new(stream, self.spec())
            }

            fn divide_cogrouped<K, A>(self, streams: crate::kgrouped::Cogrouped<K, A>) -> Self::Cogrouped<K, A> {
                crate::kgrouped::WindowedCogrouped::new(streams, self.spec())
            }
        }
    };
}

/// What windows say of their end: how late records may come, and when results go downstream.
macro_rules! closing_windows {
    ($windows:ident) => {
        closing_windows!(
            $windows,
            "Takes records up to `grace_ms` milliseconds after the window's end.",
            "A window closes at its end; later records are dropped.",
            "window"
        );
    };
    ($windows:ident, $grace:literal, $no_grace:literal, $what:literal) => {
        impl $windows {
            #[doc = $grace]
            #[must_use]
            pub const fn grace(mut self, grace_ms: i64) -> Self {
                self.grace_ms = Some(grace_ms);
                self
            }

            #[doc = $no_grace]
            #[must_use]
            pub const fn no_grace(self) -> Self {
                self.grace(0)
            }

            #[doc = concat!("Each ", $what, "'s result goes downstream once, when it has closed. Default: on every ")]
            /// update, at each commit.
            #[must_use]
            pub const fn emit_on_close(mut self) -> Self {
                self.emit = crate::plan::EmitStrategy::OnWindowClose;
                self
            }
        }
    };
}

use closing_windows;
use time_windows;
