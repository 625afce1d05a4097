//! The vocabulary objects of Kafka Streams: what a step is told beside its closures.

mod consumed;
mod event_time;
mod grouped;
mod join_windows;
mod joined;
mod materialized;
mod on_failure;
mod placement;
mod produced;
mod repartitioned;
mod stream_joined;
mod suppressed;
mod table_joined;
mod topics;

pub use consumed::{Consumed, OnUndecodable};
pub(crate) use event_time::EventTime;
pub use event_time::{Arrival, NegativeTime};
pub use grouped::Grouped;
pub use join_windows::JoinWindows;
pub use joined::Joined;
pub use materialized::Materialized;
pub use on_failure::OnFailure;
pub(crate) use placement::Partitioner;
pub use placement::Placement;
pub use produced::Produced;
pub use repartitioned::Repartitioned;
pub use stream_joined::StreamJoined;
pub(crate) use suppressed::BufferBound;
pub use suppressed::Suppressed;
pub use table_joined::TableJoined;
pub use topics::Topics;

use headwater_core::serde::{Auto, Json, Postcard, Raw, Text};

use crate::bounds::{Data, Key, Value};

/// A lone format speaks of the value; keys are then `Auto` (Java's bytes for strings and integers). A pair speaks of
/// both.
macro_rules! from_formats {
    ($target:ident) => {
        impl<K: Key, V: Value> From<Json> for $target<K, V> {
            fn from(values: Json) -> Self {
                Self::with(Auto, values)
            }
        }
        impl<K: Key, V: Value> From<Postcard> for $target<K, V> {
            fn from(values: Postcard) -> Self {
                Self::with(Auto, values)
            }
        }
        #[cfg(feature = "bincode")]
        impl<K: Key, V: Value> From<headwater_core::serde::Bincode> for $target<K, V> {
            fn from(values: headwater_core::serde::Bincode) -> Self {
                Self::with(Auto, values)
            }
        }
        impl<K: Key, V: Value> From<Auto> for $target<K, V> {
            fn from(values: Auto) -> Self {
                Self::with(Auto, values)
            }
        }
        impl<K: Key, V: Data> From<Text> for $target<K, V>
        where
            Text: headwater_core::Serde<V>,
        {
            fn from(values: Text) -> Self {
                Self::with(Auto, values)
            }
        }
        impl<K: Key, V: Data> From<Raw> for $target<K, V>
        where
            Raw: headwater_core::Serde<V>,
        {
            fn from(values: Raw) -> Self {
                Self::with(Auto, values)
            }
        }
        impl<K: Data, V: Data, KS: headwater_core::Serde<K>, VS: headwater_core::Serde<V>> From<(KS, VS)>
            for $target<K, V>
        {
            fn from((keys, values): (KS, VS)) -> Self {
                Self::with(keys, values)
            }
        }
    };
}

from_formats!(Consumed);
from_formats!(Produced);
