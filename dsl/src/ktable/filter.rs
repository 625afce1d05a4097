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
    /// The rows for which `predicate` is true, as a view: it has no store of its own ([`KTable::materialize`] gives it
    /// one). A row that no longer passes becomes a deletion downstream; one that never passed says nothing.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.table::<String, i64>("in", Json, "latest").filter(|_, n| *n > 5).to_stream().to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for n in [1, 7, 2] {
    ///     input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    /// }
    /// assert_eq!(driver.output::<String, Option<i64>>("out", Json).read_values(&mut driver).unwrap(), [Some(7), None]);
    /// ```
    #[track_caller]
    pub fn filter(&self, predicate: impl Fn(&K, &V) -> bool + Shared) -> Self {
        self.filtered("table_filter", predicate)
    }

    /// The rows for which `predicate` is false; see [`KTable::filter`].
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.table::<String, i64>("in", Json, "latest").filter_not(|_, n| *n > 5).updates().to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for n in [1, 7, 2] {
    ///     input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    /// }
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [1, 2]);
    /// ```
    #[track_caller]
    pub fn filter_not(&self, predicate: impl Fn(&K, &V) -> bool + Shared) -> Self {
        self.filtered("table_filter_not", move |key, value| !predicate(key, value))
    }

    #[track_caller]
    fn filtered(&self, op: &str, predicate: impl Fn(&K, &V) -> bool + Shared) -> Self {
        let predicate = Arc::new(predicate);
        let kind = NodeKind::view(op, OldValues::Needed);
        let parent = self.id;
        let id = self.graph.add(None, op, kind, vec![parent], |wiring, id| {
            let test = predicate.clone();
            wiring.view::<K, V>(id, move |builder, _| -> Result<Rc<dyn TableView<K, V>>> {
                Ok(Rc::new(View { id, above: builder.view_of::<K, V>(parent)?, predicate: test.clone() }))
            });
            wiring.target::<K, Change<V>>(id, move |builder, id| -> Result<Target<K, Change<V>>> {
                Ok(Rc::new(Filter { id, predicate: predicate.clone(), next: builder.next::<K, Change<V>>(id)? }))
            });
        });
        Self::new(self.graph.clone(), id)
    }
}

struct View<F, K, V> {
    id: NodeId,
    above: Rc<dyn TableView<K, V>>,
    predicate: Arc<F>,
}

impl<K, V, F: Fn(&K, &V) -> bool> TableView<K, V> for View<F, K, V> {
    fn get(&self, key: &K) -> Result<Option<(V, Timestamp)>> {
        Ok(self.passing(key, self.above.get(key)?))
    }

    fn get_as_of(&self, key: &K, at: Timestamp) -> Result<Option<(V, Timestamp)>> {
        Ok(self.passing(key, self.above.get_as_of(key, at)?))
    }
}

impl<K, V, F: Fn(&K, &V) -> bool> View<F, K, V> {
    fn passing(&self, key: &K, row: Option<(V, Timestamp)>) -> Option<(V, Timestamp)> {
        let blame = Blame::new(self.id);
        let passing = row.filter(|(value, _)| (self.predicate)(key, value));
        blame.clear();
        passing
    }
}

struct Filter<F, K, V> {
    id: NodeId,
    predicate: Arc<F>,
    next: Target<K, Change<V>>,
}

impl<K, V, F: Fn(&K, &V) -> bool> Push<K, Change<V>> for Filter<F, K, V> {
    fn push(&self, meta: Meta<'_>, key: K, change: Change<V>) -> Flow {
        let blame = Blame::new(self.id);
        let new = change.new.filter(|value| (self.predicate)(&key, value));
        let old = change.old.filter(|value| (self.predicate)(&key, value));
        blame.clear();
        // What did not pass before and does not pass now is no news.
        if new.is_none() && old.is_none() {
            return Ok(());
        }
        self.next.push(meta, key, Change { new, old })
    }
}
