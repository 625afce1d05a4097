use std::{rc::Rc, sync::Arc};

use headwater_core::{Result, Timestamp};

use super::KTable;
use crate::{
    bounds::{Data, Shared},
    plan::{NodeId, NodeKind, OldValues},
    task::Blame,
    wire::{Change, Flow, Meta, Push, TableView, Target},
};

impl<K: Data, V: Data> KTable<K, V> {
    /// The table with another value per row, as a view: it has no store of its own ([`KTable::materialize`] gives it
    /// one), so `map` runs again whenever a join looks a row up. Keys and deletions stay.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.table::<String, i64>("in", Json, "latest").map_values(|_, n| n * 2).updates().to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [14]);
    /// ```
    #[track_caller]
    pub fn map_values<V2: Data>(&self, map: impl Fn(&K, V) -> V2 + Shared) -> KTable<K, V2> {
        let map = Arc::new(map);
        let op = "table_map_values";
        let kind = NodeKind::view(op, OldValues::PassedOn);
        let parent = self.id;
        let id = self.graph.add(None, op, kind, vec![parent], |wiring, id| {
            let look = map.clone();
            wiring.view::<K, V2>(id, move |builder, _| -> Result<Rc<dyn TableView<K, V2>>> {
                Ok(Rc::new(View { id, above: builder.view_of::<K, V>(parent)?, map: look.clone() }))
            });
            wiring.target::<K, Change<V>>(id, move |builder, id| -> Result<Target<K, Change<V>>> {
                let with_old = builder.plan.sends_old_values(id);
                Ok(Rc::new(MapValues { id, map: map.clone(), with_old, next: builder.next::<K, Change<V2>>(id)? }))
            });
        });
        KTable::new(self.graph.clone(), id)
    }
}

struct View<F, K, V> {
    id: NodeId,
    above: Rc<dyn TableView<K, V>>,
    map: Arc<F>,
}

impl<K, V, V2, F: Fn(&K, V) -> V2> TableView<K, V2> for View<F, K, V> {
    fn get(&self, key: &K) -> Result<Option<(V2, Timestamp)>> {
        Ok(self.mapped(key, self.above.get(key)?))
    }

    fn get_as_of(&self, key: &K, at: Timestamp) -> Result<Option<(V2, Timestamp)>> {
        Ok(self.mapped(key, self.above.get_as_of(key, at)?))
    }
}

impl<K, V, V2, F: Fn(&K, V) -> V2> View<F, K, V> {
    fn mapped(&self, key: &K, row: Option<(V, Timestamp)>) -> Option<(V2, Timestamp)> {
        let blame = Blame::new(self.id);
        let mapped = row.map(|(value, timestamp)| ((self.map)(key, value), timestamp));
        blame.clear();
        mapped
    }
}

struct MapValues<F, K, V2> {
    id: NodeId,
    map: Arc<F>,
    with_old: bool,
    next: Target<K, Change<V2>>,
}

impl<K, V, V2, F: Fn(&K, V) -> V2> Push<K, Change<V>> for MapValues<F, K, V2> {
    fn push(&self, meta: Meta<'_>, key: K, change: Change<V>) -> Flow {
        let blame = Blame::new(self.id);
        let new = change.new.map(|value| (self.map)(&key, value));
        let old = change.old.filter(|_| self.with_old).map(|value| (self.map)(&key, value));
        blame.clear();
        self.next.push(meta, key, Change { new, old })
    }
}
