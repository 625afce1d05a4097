//! Reading stores by name: those of a running application, from any thread, and those of a test driver.

mod errors;
mod iter;
mod key_value;
mod rows;
mod serving;
mod session;
mod typed;
mod versioned;
mod window;

use std::sync::Arc;

use headwater_core::Result;
use headwater_dsl::{Data, Materialized, StoreKind, StoreTypes, Topology};

pub(crate) use errors::unknown;
pub use iter::StoreRows;
pub use key_value::ReadOnlyKeyValueStore;
pub(crate) use rows::{Parts, Rows};
pub(crate) use serving::{Lease, Serving};
pub use session::ReadOnlySessionStore;
pub use versioned::ReadOnlyVersionedStore;
pub use window::ReadOnlyWindowStore;

/// The stores of a running application, to be read by their names: Kafka Streams' interactive queries, within the
/// process. Given out by [`App::stores`](crate::App::stores); cheap to clone, usable from any thread and for as long as
/// the application runs.
///
/// **What is seen** is what is committed: a row is there once the transaction has committed that its input is part of,
/// and nothing of a transaction that fails is ever seen. Each call reads the latest commit. An iterator sees one commit
/// of each task, that of the moment it was made, however long it is held.
///
/// **Where rows are.** A store's rows are spread over tasks by their keys. A key is looked up in its own task where that
/// is known, which is so behind repartition topics, otherwise in one task after the other. Ranges are read from all tasks
/// and merged in the order of the keys' bytes. A task that is being restored, or is not in this process, is an error of
/// kind `Unavailable` (`HW0650`, `HW0651`) rather than a missing row: ask again, ask the other process, or say
/// `of_local_tasks` to read what is here.
#[derive(Clone)]
pub struct Stores {
    topology: Topology,
    parts: Arc<dyn Parts>,
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stores").field("stores", &self.topology.plan().stores.keys()).finish_non_exhaustive()
    }
}

impl Stores {
    /// The stores of `topology`.
    pub(crate) fn new(topology: Topology, parts: Arc<dyn Parts>) -> Self {
        Self { topology, parts }
    }

    /// The rows of a store without windows: of an aggregate, a table or a processor.
    ///
    /// # Errors
    /// `HW0120` if the topology has no store of that name, `HW0652` if it was declared with other types or formats, or
    /// is of another kind.
    pub fn store<K: Data, V: Data>(&self, store: impl Into<Materialized<K, V>>) -> Result<ReadOnlyKeyValueStore<K, V>> {
        let store = store.into();
        Ok(ReadOnlyKeyValueStore::new(self.checked(&store, &[StoreKind::KeyValue])?, &store))
    }

    /// The rows of a store of windows: tumbling, hopping, sliding or unlimited ones, or a processor's.
    ///
    /// # Errors
    /// As [`Stores::store`].
    pub fn window_store<K: Data, V: Data>(
        &self,
        store: impl Into<Materialized<K, V>>,
    ) -> Result<ReadOnlyWindowStore<K, V>> {
        let store = store.into();
        let rows = self.checked(&store, &[StoreKind::Window, StoreKind::Timed])?;
        let length = self.topology.plan().window_length_ms(store.name());
        Ok(ReadOnlyWindowStore::new(rows, &store, length))
    }

    /// The rows of a store of sessions.
    ///
    /// # Errors
    /// As [`Stores::store`].
    pub fn session_store<K: Data, V: Data>(
        &self,
        store: impl Into<Materialized<K, V>>,
    ) -> Result<ReadOnlySessionStore<K, V>> {
        let store = store.into();
        Ok(ReadOnlySessionStore::new(self.checked(&store, &[StoreKind::Session])?, &store))
    }

    /// The rows of a store with history.
    ///
    /// # Errors
    /// As [`Stores::store`].
    pub fn versioned_store<K: Data, V: Data>(
        &self,
        store: impl Into<Materialized<K, V>>,
    ) -> Result<ReadOnlyVersionedStore<K, V>> {
        let store = store.into();
        Ok(ReadOnlyVersionedStore::new(self.checked(&store, &[StoreKind::Versioned])?, &store))
    }

    /// The bytes of `store`, which must be one of these kinds and have these types and formats.
    fn checked<K: Data, V: Data>(&self, store: &Materialized<K, V>, kinds: &[StoreKind]) -> Result<Rows> {
        let rows = self.rows(store.name())?;
        let spec = self.topology.plan().stores.get(store.name());
        let Some(spec) = spec.filter(|spec| kinds.contains(&spec.kind)) else {
            return Err(errors::other_kind(store.name(), rows.kind()));
        };
        let Some(types) = self.topology.store_types(store.name()) else {
            return Err(errors::not_for_readers(store.name()));
        };
        let wanted = StoreTypes::of::<K, V>();
        if types != wanted {
            return Err(errors::other_types(store.name(), &types.to_string(), &wanted.to_string()));
        }
        let (keys, values) = store.serdes();
        let (declared, asked) = ((spec.key.as_str(), spec.value.as_str()), (keys.format(), values.format()));
        if declared != asked {
            let shown = |(key, value): (&str, &str)| format!("keys as {key} and values as {value}");
            return Err(errors::other_types(store.name(), &shown(declared), &shown(asked)));
        }
        Ok(rows)
    }

    /// The bytes of the store called `name`.
    pub(crate) fn rows(&self, name: &str) -> Result<Rows> {
        let plan = self.topology.plan();
        let Some(spec) = plan.stores.get(name) else {
            let known: Vec<_> = plan.stores.keys().map(String::as_str).collect();
            return Err(unknown("store", name, "keeps", &known));
        };
        let part = plan.subtopologies.iter().position(|part| part.stores.iter().any(|store| store == name));
        let by_key = plan.is_routed_by_key(name);
        Ok(Rows::new(self.parts.clone(), name, spec.kind, part.unwrap_or_default() as u32, by_key))
    }
}
