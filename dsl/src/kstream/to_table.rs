use std::rc::Rc;

use headwater_core::Result;

use super::KStream;
use crate::{
    bounds::{Data, Key},
    ktable::{KTable, TableStore, declare, open_table, wire_view},
    plan::NodeKind,
    repartition::add_repartition,
    task::Slot,
    vocab::{Grouped, Materialized},
    wire::{Flow, Meta, Push, Target},
};

impl<K: Data, V: Data> KStream<K, Option<V>> {
    /// The latest value per key of this stream, as a table in a store; a `None` deletes the row. Where the key was
    /// changed before, the records travel through `<app>-<name>-repartition` of `grouped`. Records with a null key are
    /// dropped and counted.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, Option<i64>>("in", Json).to_table("latest-by-key", "latest").to_stream().to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, Option<i64>>("in", Json);
    /// input.pipe(&mut driver, "k".into(), Some(7), 0).unwrap();
    /// input.pipe(&mut driver, "k".into(), None, 0).unwrap();
    /// assert_eq!(driver.output::<String, Option<i64>>("out", Json).read_values(&mut driver).unwrap(), [Some(7), None]);
    /// ```
    #[track_caller]
    pub fn to_table(
        &self,
        grouped: impl Into<Grouped<K, Option<V>>>,
        store: impl Into<Materialized<K, V>>,
    ) -> KTable<K, V>
    where
        K: Key,
    {
        let grouped = grouped.into();
        let id = add_repartition(self, &grouped.name, &grouped.keys, &grouped.values, None, false);
        Self::new(self.graph.clone(), id).upsert_into(store.into())
    }

    /// Appends the step that keeps the latest value per key.
    #[track_caller]
    pub(crate) fn upsert_into(&self, store: Materialized<K, V>) -> KTable<K, V>
    where
        K: Key,
    {
        let kind = NodeKind::Table { store: store.name.clone() };
        let spec = declare(&store);
        let name = store.name.clone();
        let id = self.graph.add(Some(&name), "table", kind, vec![self.id], |wiring, id| {
            wire_view(wiring, id, &store);
            wiring.target::<K, Option<V>>(id, move |builder, id| -> Result<Target<K, Option<V>>> {
                let table = open_table(builder, id, &store)?;
                let null_keys = builder.context.memo.slot(&format!("null-key:{}", store.name), 0)?;
                Ok(Rc::new(Upsert { table, null_keys }))
            });
        });
        self.graph.declare_store(id, &name, spec);
        KTable::new(self.graph.clone(), id)
    }
}

impl<K: Data, V: Data> KStream<K, V> {
    /// The latest value per key of a stream that deletes nothing; otherwise as
    /// [`to_table`](KStream::to_table) of a stream of `Option`s.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).latest_as_table("latest-by-key", "latest").updates().to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [7]);
    /// assert_eq!(driver.store::<String, i64>("latest").unwrap().get(&"k".into()).unwrap(), Some(7));
    /// ```
    #[track_caller]
    pub fn latest_as_table(
        &self,
        grouped: impl Into<Grouped<K, Option<V>>>,
        store: impl Into<Materialized<K, V>>,
    ) -> KTable<K, V>
    where
        K: Key,
    {
        self.map_values(Some).to_table(grouped, store)
    }
}

struct Upsert<K, V> {
    table: TableStore<K, V>,
    null_keys: Slot,
}

impl<K: Key, V: Data> Push<K, Option<V>> for Upsert<K, V> {
    fn push(&self, meta: Meta<'_>, key: K, value: Option<V>) -> Flow {
        // A table's row has the time of the record that set it last, in offset order, even if that is older.
        let known = self.table.replace(key, meta, value)?;
        if !known {
            self.null_keys.increment();
        }
        Ok(())
    }
}
