use std::rc::Rc;

use headwater_core::Result;

use super::{KTable, TableStore, declare, open_table, wire_view};
use crate::{
    bounds::{Data, Key},
    plan::NodeKind,
    vocab::Materialized,
    wire::{Change, Flow, Meta, Push, Target},
};

impl<K: Key, V: Data> KTable<K, V> {
    /// Keeps the rows of a view in a store of its own, with a changelog topic, so that they can be queried and are not
    /// worked out anew for each look-up.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.table::<String, i64>("in", Json, "latest").filter(|_, n| *n > 5).materialize("great-ones");
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for (key, n) in [("a", 1), ("b", 7)] {
    ///     input.pipe(&mut driver, key.into(), n, 0).unwrap();
    /// }
    /// let store = driver.store::<String, i64>("great-ones").unwrap();
    /// assert_eq!(store.get(&"a".to_owned()).unwrap(), None);
    /// assert_eq!(store.get(&"b".to_owned()).unwrap(), Some(7));
    /// ```
    #[track_caller]
    pub fn materialize(&self, store: impl Into<Materialized<K, V>>) -> Self {
        let store = store.into();
        let (name, spec) = (store.name.clone(), declare(&store));
        let kind = NodeKind::stateful("materialize", &[&name]);
        let id = self.graph.add(Some(&name), "materialize", kind, vec![self.id], |wiring, id| {
            wire_view(wiring, id, &store);
            wiring.target::<K, Change<V>>(id, move |builder, id| -> Result<Target<K, Change<V>>> {
                Ok(Rc::new(Materialize(open_table(builder, id, &store)?)))
            });
        });
        self.graph.declare_store(id, &name, spec);
        Self::new(self.graph.clone(), id)
    }
}

struct Materialize<K, V>(TableStore<K, V>);

impl<K: Key, V: Data> Push<K, Change<V>> for Materialize<K, V> {
    fn push(&self, meta: Meta<'_>, key: K, change: Change<V>) -> Flow {
        // The store knows the old value by itself.
        self.0.replace(key, meta, change.new).map(drop)
    }
}
