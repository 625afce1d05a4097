use std::{
    cell::{Cell, RefCell},
    hash::BuildHasher,
    rc::Rc,
    sync::Arc,
};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use headwater_core::{Payload, Result, Serde, serde::is_null};

use super::KStream;
use crate::{
    bounds::{Data, Shared, Value},
    global::GlobalTable,
    plan::NodeKind,
    task::{Blame, GlobalReader, Slot},
    wire::{Flow, Meta, Push, Target},
};

/// Decoded rows kept per task, until the table changes.
const KEPT_ROWS: usize = 10_000;

impl<K: Data, V: Data> KStream<K, V> {
    /// Joins each record with the row of a global table under the key that `select` names. A record whose key is null
    /// or has no row, or whose value is null, is dropped and counted. Only the stream's records cause results; time and
    /// key stay the stream's.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// let names = app.global_table::<String, String>("airlines", Text, "names");
    /// app.stream::<String, i64>("in", Json)
    ///     .join_global(&names, |carrier, _| carrier.clone(), |n, name| format!("{name} {n}"))
    ///     .to("out", Text);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, String>("airlines", Text).pipe(&mut driver, "UA".into(), "United".into(), 0).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// input.pipe(&mut driver, "UA".into(), 1, 0).unwrap();
    /// input.pipe(&mut driver, "XX".into(), 2, 0).unwrap();
    /// assert_eq!(driver.output::<String, String>("out", Text).read_values(&mut driver).unwrap(), ["United 1"]);
    /// ```
    #[track_caller]
    pub fn join_global<KT: Data, VT: Data, VO: Data>(
        &self,
        table: &GlobalTable<KT, VT>,
        select: impl Fn(&K, &V) -> KT + Shared,
        join: impl Fn(V, VT) -> VO + Shared,
    ) -> KStream<K, VO>
    where
        V: Value,
    {
        self.global_join(table, false, select, move |value, row: Option<VT>| row.map(|row| join(value, row)))
    }

    /// As [`KStream::join_global`], but a record without row stays, joined with `None`; so does one with a null
    /// key. A null value is dropped and counted.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// let names = app.global_table::<String, String>("airlines", Text, "names");
    /// app.stream::<String, i64>("in", Json)
    ///     .left_join_global(&names, |carrier, _| carrier.clone(), |_, name| name.unwrap_or_else(|| "unknown".into()))
    ///     .to("out", Text);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "XX".into(), 2, 0).unwrap();
    /// assert_eq!(driver.output::<String, String>("out", Text).read_values(&mut driver).unwrap(), ["unknown"]);
    /// ```
    #[track_caller]
    pub fn left_join_global<KT: Data, VT: Data, VO: Data>(
        &self,
        table: &GlobalTable<KT, VT>,
        select: impl Fn(&K, &V) -> KT + Shared,
        join: impl Fn(V, Option<VT>) -> VO + Shared,
    ) -> KStream<K, VO>
    where
        V: Value,
    {
        self.global_join(table, true, select, move |value, row| Some(join(value, row)))
    }

    #[track_caller]
    fn global_join<KT: Data, VT: Data, VO: Data>(
        &self,
        table: &GlobalTable<KT, VT>,
        left: bool,
        select: impl Fn(&K, &V) -> KT + Shared,
        join: impl Fn(V, Option<VT>) -> Option<VO> + Shared,
    ) -> KStream<K, VO>
    where
        V: Value,
    {
        let op = if left { "left_join_global" } else { "join_global" };
        let kind = NodeKind::GlobalJoin { store: table.store.clone(), left };
        let (table, select, join) = (table.clone(), Arc::new(select), Arc::new(join));
        let id = self.graph.add(None, op, kind, vec![self.id], |wiring, id| {
            wiring.target::<K, V>(id, move |builder, id| -> Result<Target<K, V>> {
                let next = builder.next::<K, VO>(id)?;
                let rows = Rows::new(&table, builder.env.global(&table.store)?);
                let name = &builder.node(id)?.name;
                let dropped = builder.context.memo.slot(&format!("no-row:{name}"), 0)?;
                let nulls = builder.context.memo.slot(&format!("null:{name}"), 0)?;
                Ok(Rc::new(GlobalJoin {
                    id,
                    left,
                    rows,
                    select: select.clone(),
                    join: join.clone(),
                    next,
                    dropped,
                    nulls,
                }))
            });
        });
        KStream::new(self.graph.clone(), id)
    }
}

/// A global table's rows as one task sees them, decoded once while the table stands still.
struct Rows<KT, VT> {
    keys: Arc<dyn Serde<KT>>,
    values: Arc<dyn Serde<VT>>,
    reader: Arc<dyn GlobalReader>,
    version: Cell<u64>,
    kept: RefCell<HashTable<(Vec<u8>, Option<VT>)>>,
    key_bytes: RefCell<Vec<u8>>,
    hasher: FixedState,
}

impl<KT: Data, VT: Data> Rows<KT, VT> {
    fn new(table: &GlobalTable<KT, VT>, reader: Arc<dyn GlobalReader>) -> Self {
        Self {
            keys: table.keys.clone(),
            values: table.values.clone(),
            version: Cell::new(reader.version()),
            reader,
            kept: RefCell::default(),
            key_bytes: RefCell::default(),
            hasher: FixedState::with_seed(0),
        }
    }

    fn get(&self, key: &KT) -> Result<Found<VT>> {
        let mut bytes = self.key_bytes.borrow_mut();
        bytes.clear();
        if self.keys.encode(key, &mut bytes).map_err(|e| e.while_encoding("the join's key"))? == Payload::Null {
            return Ok(Found::NullKey);
        }
        let mut kept = self.kept.borrow_mut();
        let version = self.reader.version();
        if self.version.replace(version) != version || kept.len() > KEPT_ROWS {
            kept.clear();
        }
        let hash = self.hasher.hash_one(bytes.as_slice());
        if let Some((_, row)) = kept.find(hash, |(key, _)| key == &*bytes) {
            return Ok(Found::Row(row.clone()));
        }
        let row = match self.reader.get(&bytes)? {
            None => None,
            Some(row) => Some(self.values.decode(Some(&row)).map_err(|e| e.while_decoding("the global table's row"))?),
        };
        kept.insert_unique(hash, (bytes.clone(), row.clone()), |(key, _)| self.hasher.hash_one(key.as_slice()));
        Ok(Found::Row(row))
    }
}

/// What a look-up found.
enum Found<VT> {
    NullKey,
    Row(Option<VT>),
}

struct GlobalJoin<S, J, K, KT, VT, VO> {
    id: crate::plan::NodeId,
    rows: Rows<KT, VT>,
    select: Arc<S>,
    join: Arc<J>,
    next: Target<K, VO>,
    left: bool,
    dropped: Slot,
    nulls: Slot,
}

impl<K, V: Value, KT: Data, VT: Data, VO, S, J> Push<K, V> for GlobalJoin<S, J, K, KT, VT, VO>
where
    S: Fn(&K, &V) -> KT,
    J: Fn(V, Option<VT>) -> Option<VO>,
{
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        if is_null(&value) {
            self.nulls.increment();
            return Ok(());
        }
        let blame = Blame::new(self.id);
        let table_key = (self.select)(&key, &value);
        let row = match self.rows.get(&table_key)? {
            Found::Row(row) => row,
            Found::NullKey if self.left => None,
            Found::NullKey => {
                blame.clear();
                self.nulls.increment();
                return Ok(());
            }
        };
        let joined = (self.join)(value, row);
        blame.clear();
        match joined {
            Some(joined) => self.next.push(meta, key, joined),
            None => {
                self.dropped.increment();
                Ok(())
            }
        }
    }
}
