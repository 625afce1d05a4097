use std::sync::Arc;

use headwater_core::{Serde, serde::Auto, serde::Postcard};

use super::{Partitioner, Placement};
use crate::bounds::{Data, Key, Shared, Value};

/// A repartition's name, serdes, partition count and partitioner.
pub struct Repartitioned<K, V> {
    pub(crate) name: String,
    pub(crate) keys: Arc<dyn Serde<K>>,
    pub(crate) values: Arc<dyn Serde<V>>,
    pub(crate) partitions: Option<i32>,
    pub(crate) partitioner: Option<Partitioner<K, V>>,
}

impl<K: Data, V: Data> Repartitioned<K, V> {
    /// A repartition called `name` with keys as `Auto` and values as `Postcard`.
    pub fn named(name: &str) -> Self
    where
        K: Key,
        V: Value,
    {
        Self::with(name, Auto, Postcard)
    }

    /// A repartition called `name` with these serdes.
    pub fn with(name: &str, keys: impl Serde<K>, values: impl Serde<V>) -> Self {
        Self {
            name: name.to_owned(),
            keys: Arc::new(keys),
            values: Arc::new(values),
            partitions: None,
            partitioner: None,
        }
    }

    /// Gives the topic this many partitions. Default: as many as the widest topic upstream.
    #[must_use]
    pub fn partitions(mut self, partitions: i32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// Chooses the partition of each record, from its key, its value and how many partitions the topic has: a number,
    /// or a [`Placement`]. Default: Java's default partitioner.
    ///
    /// What is joined or merged into one store must be partitioned alike: `build()` compares the names of partitioners
    /// (`HW0166`), so give equal ones equal names and others another one. Records of one key that go to different
    /// partitions are counted apart.
    #[must_use]
    pub fn partitioner<P: Into<Placement>>(mut self, name: &str, choose: impl Fn(&K, &V, i32) -> P + Shared) -> Self {
        self.partitioner = Some(Partitioner::new(name, choose));
        self
    }
}

impl<K: Key, V: Value> From<&str> for Repartitioned<K, V> {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

impl<K: 'static, V: 'static> std::fmt::Debug for Repartitioned<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Repartitioned({}, {}, {})", self.name, self.keys.format(), self.values.format())
    }
}
