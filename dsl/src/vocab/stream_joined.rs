use std::sync::Arc;

use headwater_core::Serde;

use super::Grouped;
use crate::bounds::{Data, Key, Value};

/// A stream-stream join's name and the serdes of both streams.
///
/// The name becomes the stores `<name>-this-join-store` and `<name>-other-join-store` (with `outer-` in a left or outer
/// join, as in Kafka Streams) and, where a stream's key was changed before, the topics `<app>-<name>-left-repartition`
/// and `<app>-<name>-right-repartition`. So it must stay the same as long as the state is to be kept.
pub struct StreamJoined<K, V, V2> {
    pub(crate) name: String,
    pub(crate) left: Grouped<K, V>,
    pub(crate) right: Grouped<K, V2>,
}

impl<K: Data, V: Data, V2: Data> StreamJoined<K, V, V2> {
    /// A join called `name`; keys are stored and travel as `Auto`, values as `Postcard`.
    pub fn named(name: &str) -> Self
    where
        K: Key,
        V: Value,
        V2: Value,
    {
        let left = Grouped::named(&format!("{name}-left"));
        let right = Grouped::named(&format!("{name}-right"));
        Self { name: name.to_owned(), left, right }
    }

    /// A join called `name`; the streams' records are stored and travel in these formats.
    pub fn with(name: &str, keys: impl Serde<K>, values: impl Serde<V>, other_values: impl Serde<V2>) -> Self {
        let keys: Arc<dyn Serde<K>> = Arc::new(keys);
        let left = Grouped::sharing(&format!("{name}-left"), keys.clone(), Arc::new(values));
        let right = Grouped::sharing(&format!("{name}-right"), keys, Arc::new(other_values));
        Self { name: name.to_owned(), left, right }
    }
}

impl<K: Key, V: Value, V2: Value> From<&str> for StreamJoined<K, V, V2> {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

impl<K, V, V2> std::fmt::Debug for StreamJoined<K, V, V2> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StreamJoined({})", self.name)
    }
}
