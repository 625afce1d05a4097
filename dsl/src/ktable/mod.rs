//! Tables: the latest value per key. Changes go downstream at each commit, one per changed row, in the order in which
//! the rows were last changed.

mod filter;
mod foreign_key;
mod group_by;
mod join;
mod map_values;
mod materialize;
mod reader;
mod suppress;
mod to_stream;
mod transform_values;

use std::{hash::Hash, marker::PhantomData, rc::Rc};

use headwater_core::Result;

use crate::{
    bounds::Data,
    graph::Graph,
    plan::{NodeId, StoreKind},
    store::{DeclaredStore, Emission, KvStore, StoreSerdes, VersionedStore},
    task::TaskContext,
    vocab::Materialized,
    wire::{Meta, TableView, TaskBuilder, Wiring},
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

    /// The name of the store that has the table's rows; `None` for a view, whose rows are worked out of the table above
    /// it, and for a table whose changes are held back.
    pub fn queryable_name(&self) -> Option<String> {
        let draft = self.graph.lock();
        let name = draft.plan.node(self.id)?.kind.stores().first()?;
        let held_back = draft.plan.stores.get(name).is_some_and(|store| store.kind == StoreKind::Buffer);
        (!held_back).then(|| name.clone())
    }
}

/// Whether a change is one of the past: of a table with history, and older than what is known of the row. The result of
/// a join of tables has no history, so such changes are nothing to it.
pub(crate) struct Past(Option<Rc<TaskContext>>);

impl Past {
    /// For the changes of table `id`.
    pub(crate) fn of(builder: &TaskBuilder<'_>, id: NodeId) -> Self {
        Self(builder.plan.is_versioned(id).then(|| builder.context.clone()))
    }

    /// Whether the change that arrives is one.
    pub(crate) fn is_now(&self) -> bool {
        self.0.as_ref().is_some_and(|context| context.of_the_past.get())
    }
}

/// The plan's entry for a key-value store.
pub(crate) fn declare<K: Data, V: Data>(store: &Materialized<K, V>) -> DeclaredStore {
    store.spec(StoreKind::KeyValue)
}

/// Lets other steps look up the rows in the store of table node `id`.
pub(crate) fn wire_view<K: Data + Hash + Eq, V: Data>(wiring: &mut Wiring, id: NodeId, store: &Materialized<K, V>) {
    let store = store.clone();
    wiring.view::<K, V>(id, move |builder, id| -> Result<Rc<dyn TableView<K, V>>> {
        Ok(match open_table(builder, id, &store)? {
            TableStore::Latest(rows) => rows,
            TableStore::Versioned(rows) => rows,
        })
    });
}

/// The rows of a table whose changes say what a row becomes: as they are now, or with their history.
pub(crate) enum TableStore<K, V> {
    Latest(Rc<KvStore<K, V>>),
    Versioned(Rc<VersionedStore<K, V>>),
}

impl<K: Data + Hash + Eq, V: Data> TableStore<K, V> {
    /// Sets the row of `key` from the record's time on. Returns false if the key is null.
    pub(crate) fn replace(&self, key: K, meta: Meta<'_>, value: Option<V>) -> Result<bool> {
        match self {
            Self::Latest(rows) => rows.replace(key, meta, value),
            Self::Versioned(rows) => rows.put(key, meta, value),
        }
    }
}

/// The store of table node `id` in the form that its user chose; see [`open_store`].
pub(crate) fn open_table<K: Data + Hash + Eq, V: Data>(
    builder: &mut TaskBuilder<'_>,
    id: NodeId,
    store: &Materialized<K, V>,
) -> Result<TableStore<K, V>> {
    let Some(history_ms) = store.history_ms else {
        return open_store(builder, id, store).map(TableStore::Latest);
    };
    let rows = builder.shared(&store.name, |builder| {
        let emission = Emission::of(builder, id, false)?;
        let serdes = StoreSerdes { keys: store.keys.clone(), values: store.values.clone() };
        let (base, context) = (builder.env.store(&store.name)?, builder.context.clone());
        let rows = Rc::new(VersionedStore::new(&store.name, serdes, base, history_ms, context, emission)?);
        builder.context.at_commit(id, rows.clone());
        Ok(rows)
    })?;
    Ok(TableStore::Versioned(rows))
}

/// The store of table node `id`, opened on first use, with the steps below as its listeners.
pub(crate) fn open_store<K: Data + Hash + Eq, V: Data>(
    builder: &mut TaskBuilder<'_>,
    id: NodeId,
    store: &Materialized<K, V>,
) -> Result<Rc<KvStore<K, V>>> {
    builder.shared(&store.name, |builder| {
        let emission = Emission::of(builder, id, store.cached)?;
        let serdes = StoreSerdes { keys: store.keys.clone(), values: store.values.clone() };
        let table = Rc::new(KvStore::new(&store.name, serdes, builder.env.store(&store.name)?, emission));
        builder.context.at_commit(id, table.clone());
        Ok(table)
    })
}
