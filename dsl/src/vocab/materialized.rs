use std::sync::Arc;

use headwater_core::{Serde, serde::Auto, serde::Postcard};

use crate::bounds::{Data, Key, Value};

/// A store's name and serdes. The name becomes the changelog topic `<app>-<name>-changelog` and the place on disk, so it
/// must stay the same as long as the state is to be kept.
pub struct Materialized<K, V> {
    pub(crate) name: String,
    pub(crate) keys: Arc<dyn Serde<K>>,
    pub(crate) values: Arc<dyn Serde<V>>,
    pub(crate) cached: bool,
}

impl<K, V> Clone for Materialized<K, V> {
    fn clone(&self) -> Self {
        let (name, keys, values) = (self.name.clone(), self.keys.clone(), self.values.clone());
        Self { name, keys, values, cached: self.cached }
    }
}

impl<K: Data, V: Data> Materialized<K, V> {
    /// A store called `name` with keys as `Auto` and values as `Postcard`.
    pub fn named(name: &str) -> Self
    where
        K: Key,
        V: Value,
    {
        Self::with(name, Auto, Postcard)
    }

    /// A store called `name` with these serdes.
    pub fn with(name: &str, keys: impl Serde<K>, values: impl Serde<V>) -> Self {
        Self { name: name.to_owned(), keys: Arc::new(keys), values: Arc::new(values), cached: true }
    }

    /// Sends every change downstream at once. Default: cached, that is, one change per changed row at each commit, in
    /// the order of their last change (Kafka Streams' `withCachingDisabled` and `withCachingEnabled`).
    #[must_use]
    pub fn uncached(mut self) -> Self {
        self.cached = false;
        self
    }

    /// The store's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The serdes of keys and values.
    pub fn serdes(&self) -> (Arc<dyn Serde<K>>, Arc<dyn Serde<V>>) {
        (self.keys.clone(), self.values.clone())
    }
}

impl<K: Key, V: Value> From<&str> for Materialized<K, V> {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

impl<K: 'static, V: 'static> std::fmt::Debug for Materialized<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Materialized({}, {}, {})", self.name, self.keys.format(), self.values.format())
    }
}
