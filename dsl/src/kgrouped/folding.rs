//! What takes records into aggregates: a port per stream, with the user's fold, and behind it the aggregates of all
//! streams, with or without windows.

use std::{rc::Rc, sync::Arc};

use headwater_core::Result;

use super::KGroupedStream;
use crate::{
    bounds::{Data, Key},
    ktable::KTable,
    plan::{NodeId, NodeKind, StoreKind},
    task::{Blame, Slot},
    vocab::{Grouped, Materialized},
    wire::{Flow, Meta, Push, TableView, Target, TaskBuilder, Wiring},
};

/// Takes a record into a row of its key. The last argument says that it will not be called again for this record.
pub(crate) type Fold<'a, K, A> = dyn FnMut(&K, &mut Option<A>, bool) + 'a;

/// The aggregates of one store. `K` is the records' key, `W` that of the table.
pub(crate) trait Folding<K, W, A>: TableView<W, A> {
    /// Takes a record, whose key is not null.
    fn take(&self, meta: Meta<'_>, key: K, fold: &mut Fold<'_, K, A>) -> Flow;
}

/// Opens the aggregates of step `id`, once per task.
pub(crate) type Open<K, W, A> =
    Arc<dyn Fn(&mut TaskBuilder<'_>, NodeId) -> Result<Rc<dyn Folding<K, W, A>>> + Send + Sync>;

/// What is the same for all streams that fold into one store.
pub(crate) struct Inlet<K, W, A> {
    pub(crate) store: String,
    pub(crate) drop_null_values: bool,
    pub(crate) open: Open<K, W, A>,
}

impl<K, W, A> Clone for Inlet<K, W, A> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), drop_null_values: self.drop_null_values, open: self.open.clone() }
    }
}

impl<K: Key, W: Data, A: Data> Inlet<K, W, A> {
    /// The aggregates, opened on first use. `id` is the step that is the table.
    fn opened(&self, builder: &mut TaskBuilder<'_>, id: NodeId) -> Result<Rc<dyn Folding<K, W, A>>> {
        let open = self.open.clone();
        let shared = builder.shared(&format!("folding {}", self.store), |builder| Ok(Rc::new(open(builder, id)?)))?;
        Ok((*shared).clone())
    }

    /// Lets other steps look up the rows.
    pub(crate) fn wire_view(&self, wiring: &mut Wiring, id: NodeId) {
        let into = self.clone();
        wiring.view::<W, A>(id, move |builder, id| -> Result<Rc<dyn TableView<W, A>>> {
            Ok(Rc::new(View(into.opened(builder, id)?)))
        });
    }

    /// The port of `stream` into the aggregates of the step called like the store.
    pub(crate) fn wire_port<V: Data>(
        &self,
        wiring: &mut Wiring,
        port: NodeId,
        grouped: Grouped<K, V>,
        fold: Arc<impl Fn(&K, V, &mut Option<A>) + Send + Sync + 'static>,
    ) {
        let (into, grouped) = (self.clone(), Arc::new(grouped));
        wiring.target::<K, V>(port, move |builder, port| -> Result<Target<K, V>> {
            let table = builder.plan.node_named(&into.store).map_or(port, |node| node.id);
            let folding = into.opened(builder, table)?;
            let memo = &builder.context.memo;
            let null_keys = memo.slot(&format!("null-key:{}", into.store), 0)?;
            let null_values = match into.drop_null_values {
                true => Some(memo.slot(&format!("null-value:{}", into.store), 0)?),
                false => None,
            };
            let (grouped, fold) = (grouped.clone(), fold.clone());
            Ok(Rc::new(Port { id: port, folding, grouped, fold, null_keys, null_values }))
        });
    }
}

impl<K: Key, V: Data> KGroupedStream<K, V> {
    /// Appends a table that this stream alone folds into.
    #[track_caller]
    pub(crate) fn fold_into<W: Data, A: Data>(
        self,
        op: &str,
        kind: NodeKind,
        store_kind: StoreKind,
        store: &Materialized<K, A>,
        into: &Inlet<K, W, A>,
        fold: impl Fn(&K, V, &mut Option<A>) + Send + Sync + 'static,
    ) -> KTable<W, A> {
        let (grouped, fold) = (self.grouped, Arc::new(fold));
        let id = self.graph.add(Some(&store.name), op, kind, vec![self.id], |wiring, id| {
            into.wire_view(wiring, id);
            into.wire_port(wiring, id, grouped, fold);
        });
        self.graph.declare_store(id, &store.name, store.spec(store_kind));
        KTable::new(self.graph, id)
    }
}

struct View<K, W, A>(Rc<dyn Folding<K, W, A>>);

impl<K, W, A> TableView<W, A> for View<K, W, A> {
    fn get(&self, key: &W) -> Result<Option<(A, headwater_core::Timestamp)>> {
        self.0.get(key)
    }
}

struct Port<F, K, V, W, A> {
    id: NodeId,
    folding: Rc<dyn Folding<K, W, A>>,
    grouped: Arc<Grouped<K, V>>,
    fold: Arc<F>,
    null_keys: Slot,
    /// Where null values have no part: how many there were.
    null_values: Option<Slot>,
}

impl<F: Fn(&K, V, &mut Option<A>), K: Key, V: Data, W: Data, A: Data> Push<K, V> for Port<F, K, V, W, A> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        if (self.grouped.null_key)(&key) {
            self.null_keys.increment();
            return Ok(());
        }
        if let Some(null_values) = &self.null_values
            && (self.grouped.null_value)(&value)
        {
            null_values.increment();
            return Ok(());
        }
        let mut value = Some(value);
        self.folding.take(meta, key, &mut |key, row, is_last| {
            let value = if is_last { value.take() } else { value.clone() };
            let Some(value) = value else { return };
            let blame = Blame::new(self.id);
            (self.fold)(key, value, row);
            blame.clear();
        })
    }
}
