use headwater_core::Serde;

use super::Grouped;
use crate::bounds::{Data, Key, Value};

/// A join's name and the serdes of its stream. The name becomes the repartition topic `<app>-<name>-repartition` where
/// the stream's key was changed before, so it must stay the same as long as the state is to be kept.
pub struct Joined<K, V> {
    pub(crate) stream: Grouped<K, V>,
    pub(crate) grace_ms: Option<i64>,
}

impl<K: Data, V: Data> Joined<K, V> {
    /// A join called `name`; the stream's keys travel as `Auto` and its values as `Postcard`.
    pub fn named(name: &str) -> Self
    where
        K: Key,
        V: Value,
    {
        Self { stream: Grouped::named(name), grace_ms: None }
    }

    /// A join called `name`; the stream's records travel in these formats.
    pub fn with(name: &str, keys: impl Serde<K>, values: impl Serde<V>) -> Self {
        Self { stream: Grouped::with(name, keys, values), grace_ms: None }
    }

    /// Lets each record wait for `grace_ms` milliseconds of event time before it is joined, so that rows that come late
    /// are there: only for a table that keeps the history of its rows, and no longer than that. Records that wait are in
    /// the store `<name>-buffer`; one that comes later than the grace is joined at once. Default: every record is joined
    /// when it comes.
    #[must_use]
    pub fn grace(mut self, grace_ms: i64) -> Self {
        self.grace_ms = Some(grace_ms);
        self
    }
}

impl<K: Key, V: Value> From<&str> for Joined<K, V> {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

impl<K: 'static, V: 'static> std::fmt::Debug for Joined<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Joined({:?})", self.stream)
    }
}
