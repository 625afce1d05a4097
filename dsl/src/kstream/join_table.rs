mod buffer;

use std::{rc::Rc, sync::Arc};

use headwater_core::Result;

use self::buffer::Waiting;
use super::KStream;
use crate::{
    bounds::{Data, Key, Shared},
    ktable::KTable,
    plan::{NodeId, NodeKind, StoreKind, StoreOptions, StoreSpec},
    repartition::add_repartition,
    task::{Blame, Slot},
    vocab::{Grouped, Joined},
    wire::{Flow, Meta, Push, TableView, Target},
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Joins each record with the row of its key that `table` holds at that moment; a record without row is dropped.
    ///
    /// Only the stream's records produce results, with their own timestamp and headers. A record with a null key or a
    /// null value is dropped and counted. Stream and table must be co-partitioned; where the stream's key was changed
    /// before, its records travel through `<app>-<name>-repartition`.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// let names = app.table::<String, String>("names", Text, "airline-names");
    /// app.stream::<String, i64>("in", Json)
    ///     .join_table(&names, |n, name| format!("{name} {n}"), "with-name")
    ///     .to("out", Text);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, String>("names", Text).pipe(&mut driver, "UA".into(), "United".into(), 0).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// input.pipe(&mut driver, "UA".into(), 1, 0).unwrap();
    /// input.pipe(&mut driver, "XX".into(), 2, 0).unwrap();
    /// assert_eq!(driver.output::<String, String>("out", Text).read_values(&mut driver).unwrap(), ["United 1"]);
    /// ```
    #[track_caller]
    pub fn join_table<VT: Data, VO: Data>(
        &self,
        table: &KTable<K, VT>,
        join: impl Fn(V, VT) -> VO + Shared,
        joined: impl Into<Joined<K, V>>,
    ) -> KStream<K, VO>
    where
        K: Key,
    {
        self.table_join("join_table", table, move |value, row| row.map(|row| join(value, row)), joined.into(), false)
    }

    /// As [`KStream::join_table`], but a record without row stays, joined with `None`; so does one with a null key, also
    /// through a repartition.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// let names = app.table::<String, String>("names", Text, "airline-names");
    /// app.stream::<String, i64>("in", Json)
    ///     .left_join_table(&names, |n, name| format!("{} {n}", name.unwrap_or_else(|| "unknown".into())), "with-name")
    ///     .to("out", Text);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "XX".into(), 2, 0).unwrap();
    /// assert_eq!(driver.output::<String, String>("out", Text).read_values(&mut driver).unwrap(), ["unknown 2"]);
    /// ```
    #[track_caller]
    pub fn left_join_table<VT: Data, VO: Data>(
        &self,
        table: &KTable<K, VT>,
        join: impl Fn(V, Option<VT>) -> VO + Shared,
        joined: impl Into<Joined<K, V>>,
    ) -> KStream<K, VO>
    where
        K: Key,
    {
        self.table_join("left_join_table", table, move |value, row| Some(join(value, row)), joined.into(), true)
    }

    #[track_caller]
    fn table_join<VT: Data, VO: Data>(
        &self,
        op: &str,
        table: &KTable<K, VT>,
        join: impl Fn(V, Option<VT>) -> Option<VO> + Shared,
        joined: Joined<K, V>,
        left: bool,
    ) -> KStream<K, VO>
    where
        K: Key,
    {
        let Joined { stream, grace_ms } = joined;
        let parent = add_repartition(self, &stream.name, &stream.keys, &stream.values, None, false);
        let (table_id, name) = (table.id, stream.name.clone());
        let buffer = grace_ms.map(|grace_ms| (format!("{name}-buffer"), grace_ms));
        let stores: Vec<&str> = buffer.iter().map(|(store, _)| store.as_str()).collect();
        let kind = NodeKind::stateful(op, &stores).reading([table_id]).with_settings([
            ("null_keys", left.then_some(1)),
            ("grace_ms", grace_ms),
            ("holds_back_ms", grace_ms.map(|grace_ms| grace_ms.max(0))),
        ]);
        let (join, stream, store) = (Arc::new(join), Arc::new(stream), buffer.clone());
        let formats = (stream.keys.format(), stream.values.format());
        let id = self.graph.add(Some(&name), op, kind, vec![parent], |wiring, id| {
            wiring.target::<K, V>(id, move |builder, id| -> Result<Target<K, V>> {
                let table_join = TableJoin {
                    id,
                    left,
                    table: builder.view_of::<K, VT>(table_id)?,
                    stream: stream.clone(),
                    join: join.clone(),
                    nulls: builder.context.memo.slot(&format!("null:{}", stream.name), 0)?,
                    next: builder.next::<K, VO>(id)?,
                };
                Ok(match &store {
                    None => Rc::new(table_join),
                    Some((store, grace_ms)) => {
                        Rc::new(Waiting::new(builder, id, (store, *grace_ms), &stream, table_join)?)
                    }
                })
            });
        });
        if let Some((store, _)) = buffer {
            let spec = StoreSpec::new(StoreKind::Timed, formats.0, formats.1, StoreOptions::default());
            self.graph.declare_store(id, &store, spec);
        }
        KStream::new(self.graph.clone(), id)
    }
}

struct TableJoin<J, K, V, VT, VO> {
    id: NodeId,
    left: bool,
    table: Rc<dyn TableView<K, VT>>,
    stream: Arc<Grouped<K, V>>,
    join: Arc<J>,
    nulls: Slot,
    next: Target<K, VO>,
}

impl<J, K, V, VT, VO> TableJoin<J, K, V, VT, VO>
where
    J: Fn(V, Option<VT>) -> Option<VO>,
{
    /// Whether the record has a part in the join, and then whether its key is null.
    fn accepts(&self, key: &K, value: &V) -> Option<bool> {
        let null_key = (self.stream.null_key)(key);
        if (self.stream.null_value)(value) || (null_key && !self.left) {
            self.nulls.increment();
            return None;
        }
        Some(null_key)
    }

    fn join(&self, meta: Meta<'_>, key: K, value: V, null_key: bool) -> Flow {
        // A table with history has the row as it was at the record's time; any other has it as it is.
        let row = if null_key { None } else { self.table.get_as_of(&key, meta.timestamp)? };
        let blame = Blame::new(self.id);
        let joined = (self.join)(value, row.map(|(row, _)| row));
        blame.clear();
        joined.map_or(Ok(()), |joined| self.next.push(meta, key, joined))
    }
}

impl<K, V, VT, VO, J: Fn(V, Option<VT>) -> Option<VO>> Push<K, V> for TableJoin<J, K, V, VT, VO> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let Some(null_key) = self.accepts(&key, &value) else { return Ok(()) };
        self.join(meta, key, value, null_key)
    }
}
