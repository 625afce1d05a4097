//! The plain fold: what count, reduce and aggregate have in common.

use std::{rc::Rc, sync::Arc};

use headwater_core::Result;

use super::KGroupedStream;
use crate::{
    bounds::{Data, Key},
    ktable::{KTable, declare, open_store, wire_view},
    plan::{NodeId, NodeKind},
    store::KvStore,
    task::{Blame, Slot},
    vocab::{Grouped, Materialized},
    wire::{Flow, Meta, Push, Target},
};

impl<K: Key, V: Data> KGroupedStream<K, V> {
    /// Appends an aggregation; `fold` takes a record into the row, and may delete it.
    #[track_caller]
    pub(super) fn fold<A: Data>(
        self,
        op: &str,
        store: Materialized<K, A>,
        fold: impl Fn(&K, V, &mut Option<A>) + Send + Sync + 'static,
    ) -> KTable<K, A> {
        let kind = NodeKind::Aggregate { op: op.to_owned(), store: store.name.clone() };
        let (fold, grouped, spec) = (Arc::new(fold), Arc::new(self.grouped), declare(&store));
        let name = store.name.clone();
        let id = self.graph.add(Some(&name), op, kind, vec![self.id], |wiring, id| {
            wire_view(wiring, id, &store);
            wiring.target::<K, V>(id, move |builder, id| -> Result<Target<K, V>> {
                let table = open_store(builder, id, &store)?;
                let nulls = builder.context.memo.slot(&format!("null:{}", store.name), 0)?;
                Ok(Rc::new(Fold { id, table, grouped: grouped.clone(), fold: fold.clone(), nulls }))
            });
        });
        self.graph.declare_store(id, &name, spec);
        KTable::new(self.graph, id)
    }
}

struct Fold<F, K, V, A> {
    id: NodeId,
    table: Rc<KvStore<K, A>>,
    grouped: Arc<Grouped<K, V>>,
    fold: Arc<F>,
    nulls: Slot,
}

impl<K: Key, V: Data, A: Data, F: Fn(&K, V, &mut Option<A>)> Push<K, V> for Fold<F, K, V, A> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        // A null value has no part in an aggregate without windows; the store finds null keys by itself.
        let known = !(self.grouped.null_value)(&value)
            && self.table.update(key, meta, |key, row| {
                let blame = Blame::new(self.id);
                (self.fold)(key, value, row);
                blame.clear();
            })?;
        if !known {
            self.nulls.increment();
        }
        Ok(())
    }
}
