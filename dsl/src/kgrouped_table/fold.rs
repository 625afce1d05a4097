//! The fold of a grouped table: what count, reduce and aggregate have in common.

use std::{rc::Rc, sync::Arc};

use headwater_core::Result;

use super::KGroupedTable;
use crate::{
    bounds::{Data, Key},
    ktable::{KTable, declare, open_store, wire_view},
    plan::{NodeId, NodeKind},
    store::KvStore,
    task::{Blame, Slot},
    vocab::Materialized,
    wire::{Change, Flow, Meta, Push, Target},
};

impl<K: Key, V: Data> KGroupedTable<K, V> {
    /// Appends an aggregation; `add` takes a new value into the row and `subtract` an old one out of it.
    #[track_caller]
    pub(super) fn fold<A: Data>(
        self,
        op: &str,
        store: Materialized<K, A>,
        add: impl Fn(&K, V, &mut Option<A>) + Send + Sync + 'static,
        subtract: impl Fn(&K, V, &mut Option<A>) + Send + Sync + 'static,
    ) -> KTable<K, A> {
        let kind = NodeKind::Aggregate { op: op.to_owned(), store: store.name.clone() };
        let (add, subtract, spec) = (Arc::new(add), Arc::new(subtract), declare(&store));
        let name = store.name.clone();
        let id = self.graph.add(Some(&name), op, kind, vec![self.id], |wiring, id| {
            wire_view(wiring, id, &store);
            wiring.target::<K, Change<V>>(id, move |builder, id| -> Result<Target<K, Change<V>>> {
                let table = open_store(builder, id, &store)?;
                let null_keys = builder.context.memo.slot(&format!("null:{}", store.name), 0)?;
                Ok(Rc::new(Fold { id, table, add: add.clone(), subtract: subtract.clone(), null_keys }))
            });
        });
        self.graph.declare_store(id, &name, spec);
        KTable::new(self.graph, id)
    }
}

struct Fold<F, G, K, A> {
    id: NodeId,
    table: Rc<KvStore<K, A>>,
    add: Arc<F>,
    subtract: Arc<G>,
    null_keys: Slot,
}

impl<F, G, K: Key, V: Data, A: Data> Push<K, Change<V>> for Fold<F, G, K, A>
where
    F: Fn(&K, V, &mut Option<A>),
    G: Fn(&K, V, &mut Option<A>),
{
    fn push(&self, meta: Meta<'_>, key: K, change: Change<V>) -> Flow {
        let known = self.table.update(key, meta, |key, row| {
            let blame = Blame::new(self.id);
            // What was never added, or is no longer there, cannot be subtracted.
            if let Some(old) = change.old.filter(|_| row.is_some()) {
                (self.subtract)(key, old, row);
            }
            if let Some(new) = change.new {
                (self.add)(key, new, row);
            }
            blame.clear();
        })?;
        if !known {
            self.null_keys.increment();
        }
        Ok(())
    }
}
