//! Tables: the latest value per key. Changes go downstream at each commit, one per changed row, in the order in which
//! the rows were last changed.

mod to_stream;

use std::{hash::Hash, marker::PhantomData, rc::Rc};

use headwater_core::Result;

use crate::{
    bounds::Data,
    graph::Graph,
    plan::{NodeId, StoreKind, StoreSpec},
    store::{KvStore, StoreSerdes},
    vocab::Materialized,
    wire::{Change, TaskBuilder},
};

/// A table with keys of type `K` and values of type `V`, kept in a store with a changelog topic.
pub struct KTable<K, V> {
    pub(crate) graph: Graph,
    pub(crate) id: NodeId,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for KTable<K, V> {
    fn clone(&self) -> Self {
        Self { graph: self.graph.clone(), id: self.id, types: PhantomData }
    }
}

impl<K, V> std::fmt::Debug for KTable<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KTable({})", self.id)
    }
}

impl<K: Data, V: Data> KTable<K, V> {
    pub(crate) fn new(graph: Graph, id: NodeId) -> Self {
        Self { graph, id, types: PhantomData }
    }
}

/// The plan's entry for a key-value store.
pub(crate) fn declare<K: Data, V: Data>(store: &Materialized<K, V>) -> impl FnOnce(String) -> StoreSpec + use<K, V> {
    let (key, value) = (store.keys.format().to_owned(), store.values.format().to_owned());
    move |changelog| StoreSpec { kind: StoreKind::KeyValue, key, value, changelog }
}

/// Opens the store of table node `id` with the steps below as its listeners.
pub(crate) fn open_store<K: Data + Hash + Eq, V: Data>(
    builder: &mut TaskBuilder<'_>,
    id: NodeId,
    store: &Materialized<K, V>,
) -> Result<Rc<KvStore<K, V>>> {
    let listens = builder.plan.children(id).next().is_some();
    let listener = if listens { Some(builder.next::<K, Change<V>>(id)?) } else { None };
    let serdes = StoreSerdes { keys: store.keys.clone(), values: store.values.clone() };
    let table = Rc::new(KvStore::new(&store.name, serdes, builder.env.store(&store.name)?, listener));
    builder.context.at_commit(table.clone());
    Ok(table)
}
