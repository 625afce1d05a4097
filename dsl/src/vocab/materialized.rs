use std::sync::Arc;

use headwater_core::{Serde, serde::Auto, serde::Postcard};

use crate::{
    bounds::{Data, Key, Value},
    plan::{StoreKind, StoreOptions, StoreSpec},
    store::{DeclaredStore, StoreTypes},
};

/// A store's name and serdes. The name becomes the changelog topic `<app>-<name>-changelog` and the place on disk, so it
/// must stay the same as long as the state is to be kept.
pub struct Materialized<K, V> {
    pub(crate) name: String,
    pub(crate) keys: Arc<dyn Serde<K>>,
    pub(crate) values: Arc<dyn Serde<V>>,
    pub(crate) cached: bool,
    pub(crate) options: StoreOptions,
    /// For a table with history: how long it is.
    pub(crate) history_ms: Option<i64>,
}

impl<K, V> Clone for Materialized<K, V> {
    fn clone(&self) -> Self {
        let (name, keys, values) = (self.name.clone(), self.keys.clone(), self.values.clone());
        let (cached, history_ms) = (self.cached, self.history_ms);
        Self { name, keys, values, cached, options: self.options.clone(), history_ms }
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
        Self {
            name: name.to_owned(),
            keys: Arc::new(keys),
            values: Arc::new(values),
            cached: true,
            options: StoreOptions::default(),
            history_ms: None,
        }
    }

    /// Sends every change downstream at once. Default: cached, that is, one change per changed row at each commit, in
    /// the order of their last change (Kafka Streams' `withCachingDisabled` and `withCachingEnabled`).
    #[must_use]
    pub fn uncached(mut self) -> Self {
        self.cached = false;
        self
    }

    /// Keeps the rows in memory only, not on disk; at every start they are read from the changelog. For small stores
    /// that must be fast. Snapshots do not have them. Default: RocksDB.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.options.in_memory = true;
        self
    }

    /// Makes no changelog topic: the rows are in the local state alone. What was not yet on disk at a crash is lost
    /// (all of it, if the store is in memory), and a task that moves to another process starts without them. Default:
    /// every changed row goes to `<app>-<name>-changelog`.
    #[must_use]
    pub fn without_changelog(mut self) -> Self {
        self.options.unlogged = true;
        self
    }

    /// Makes no changelog topic: the rows are restored from the topic that the table reads, up to the offset that is
    /// committed. For [`StreamsBuilder::table`](crate::StreamsBuilder::table) only, whose topic then is the log of its
    /// rows: it should be compacted, and must not be cut, or rows would be missing after a restore (a start warns of it
    /// with `HW0613`). Saves the changelog's space and the time to write it. Kafka Streams' `topology.optimization` with
    /// `reuse.ktable.source.topics`.
    ///
    /// `build()` refuses it (`HW0145`) where a restore could give other rows than reading did: with history, with a time
    /// that depends on more than the record, with a reset to other than the earliest record, and beside
    /// [`StreamsBuilder::on_failure`](crate::StreamsBuilder::on_failure). Default: every changed row goes to
    /// `<app>-<name>-changelog`.
    #[must_use]
    pub fn restored_from_source(mut self) -> Self {
        self.options.unlogged = false;
        // The topic's name is the table's to say.
        self.options.source = Some(String::new());
        self
    }

    /// Keeps a window's row for `retention_ms` milliseconds of event time after the window's start, and a session's after
    /// its end, so that it can be looked up after it has closed. For windows with results on update; a result that is
    /// sent on close leaves the store then. Results are the same with any retention. Default, and the least that
    /// `build()` accepts: for as long as a window takes records (size and grace, of a session gap and grace).
    #[must_use]
    pub fn retention(mut self, retention_ms: i64) -> Self {
        self.options.retention_ms = Some(retention_ms);
        self
    }

    /// Keeps every version of a row for `history_ms` milliseconds of event time after it was replaced, so that a join
    /// finds the row as it was at its record's time. A version that comes late takes its place in the past; one older
    /// than the history is dropped and counted. Never cached. For tables of topics and streams and for
    /// [`KTable::materialize`](crate::KTable::materialize), not for aggregates. Versions leave the store when their key
    /// is written next, so a store is as large as its keys' last histories. Default: the latest version only.
    #[must_use]
    pub fn versioned(mut self, history_ms: i64) -> Self {
        self.history_ms = Some(history_ms);
        self.options.retention_ms = Some(history_ms);
        self
    }

    /// Gives the changelog topic this setting when it is made, such as `("segment.bytes", "1048576")`. Default:
    /// `cleanup.policy` alone.
    #[must_use]
    pub fn changelog_setting(mut self, setting: &str, value: &str) -> Self {
        self.options.changelog_settings.insert(setting.to_owned(), value.to_owned());
        self
    }

    /// The store as the topology declares it.
    pub(crate) fn spec(&self, kind: StoreKind) -> DeclaredStore {
        let kind = if self.history_ms.is_some() { StoreKind::Versioned } else { kind };
        let spec = StoreSpec::new(kind, self.keys.format(), self.values.format(), self.options.clone());
        DeclaredStore { spec, types: Some(StoreTypes::of::<K, V>()) }
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
