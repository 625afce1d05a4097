use std::sync::Arc;

use headwater_core::{Serde, serde::Auto, serde::Postcard};

use crate::{
    bounds::{Data, Key, Value},
    plan::{StoreKind, StoreOptions, StoreSpec},
};

/// How many changes a step holds back unless it is told otherwise.
const DEFAULT_MAX_RECORDS: u64 = 1_000_000;

/// How changes are held back: name and formats of the buffer, how much it may hold, and what happens when it is full.
///
/// The buffer is in memory. Its name becomes the changelog topic `<app>-<name>-changelog`, from which a restart has it
/// again, so it must stay the same as long as the state is to be kept.
pub struct Suppressed<K, V> {
    pub(crate) name: String,
    pub(crate) keys: Arc<dyn Serde<K>>,
    pub(crate) values: Arc<dyn Serde<V>>,
    pub(crate) bound: BufferBound,
    pub(crate) options: StoreOptions,
}

/// How much a buffer may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BufferBound {
    pub(crate) max_records: Option<u64>,
    pub(crate) max_bytes: Option<u64>,
    /// Whether a full buffer sends its first changes early instead of stopping the program.
    pub(crate) emits_early: bool,
}

impl<K: Data, V: Data> Suppressed<K, V> {
    /// A buffer called `name` with keys as `Auto` and values as `Postcard`.
    pub fn named(name: &str) -> Self
    where
        K: Key,
        V: Value,
    {
        Self::with(name, Auto, Postcard)
    }

    /// A buffer called `name` with these serdes; `keys` is that of the key without its window.
    pub fn with(name: &str, keys: impl Serde<K>, values: impl Serde<V>) -> Self {
        let bound = BufferBound { max_records: Some(DEFAULT_MAX_RECORDS), max_bytes: None, emits_early: false };
        let options = StoreOptions::default();
        Self { name: name.to_owned(), keys: Arc::new(keys), values: Arc::new(values), bound, options }
    }

    /// Holds back at most this many rows' changes. Default: 1,000,000.
    #[must_use]
    pub fn max_records(mut self, max_records: u64) -> Self {
        self.bound.max_records = Some(max_records);
        self
    }

    /// Holds back at most this many bytes of keys, values and headers, each row counted with 64 more. Default: as many
    /// as the records have.
    #[must_use]
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.bound.max_bytes = Some(max_bytes);
        self
    }

    /// Holds back as much as there is: a topology with many open windows may then use up the machine's memory.
    #[must_use]
    pub fn unbounded(mut self) -> Self {
        self.bound.max_records = None;
        self.bound.max_bytes = None;
        self
    }

    /// A full buffer sends its first changes before their time. Not for final results, which would not be final.
    /// Default: the program stops with an error, and what was not committed is read again.
    #[must_use]
    pub fn emit_early(mut self) -> Self {
        self.bound.emits_early = true;
        self
    }

    /// Makes no changelog topic: what is held back is in the local state alone, and lost when the task moves to another
    /// process. Default: `<app>-<name>-changelog`.
    #[must_use]
    pub fn without_changelog(mut self) -> Self {
        self.options.unlogged = true;
        self
    }

    /// The plan's entry for the buffer.
    pub(crate) fn spec(&self) -> StoreSpec {
        StoreSpec::new(StoreKind::Buffer, self.keys.format(), self.values.format(), self.options.clone())
    }
}

impl<K: Key, V: Value> From<&str> for Suppressed<K, V> {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

impl<K: 'static, V: 'static> std::fmt::Debug for Suppressed<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Suppressed({}, {}, {})", self.name, self.keys.format(), self.values.format())
    }
}
