//! Foreign-key joins: each row of one table with the row of another that it points to.
//!
//! The left side sends a subscription to the partition of the row pointed to; the right side remembers it and answers,
//! at once and whenever its row changes; the left side joins an answer only if its row is still the one that asked, which
//! a hash tells. So it does not matter in which order subscriptions, answers and changes meet.

mod answer;
mod hash;
mod resolve;
mod send;
mod words;

use std::{
    rc::Rc,
    sync::{Arc, OnceLock},
};

use headwater_core::{Error, ErrorKind, Result};

use self::{
    answer::{Subscribers, Take, Tell},
    resolve::Resolve,
    send::Subscribe,
    words::{Answer, Answers, OptionalKeys, Subscription, Subscriptions},
};
use super::{KTable, Past};
use crate::{
    bounds::{Data, Key, Shared},
    kstream::KStream,
    plan::{NodeId, NodeKind, OldValues, StoreKind, StoreOptions, StoreSpec},
    repartition::{Lane, add_lane},
    store::OrderedRows,
    vocab::{Materialized, TableJoined},
    wire::{Change, Target, TaskBuilder},
};

impl<K: Key, V: Data> KTable<K, V> {
    /// Joins each row with the row of `other` that it points to, by the key that `extract` finds in it; a row that points
    /// nowhere (`None`) or to a row that is not there has no result. Many rows may point to one. The result is a table in
    /// `store`.
    ///
    /// A change of either table changes the results that depend on it. A result's time is the later of its two rows'
    /// when the left row changed, and the right row's when that changed. Between the tables' partitions two topics carry
    /// what one side tells the other, `<app>-<name>-subscription-registration-topic` and
    /// `<app>-<name>-subscription-response-topic`; who points where is in the store `<name>-subscription-store`. The
    /// tables need not be co-partitioned.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("shop");
    /// let customers = app.table::<i64, String>("customers", Text, "latest-customers");
    /// let orders = app.table::<String, (i64, i64)>("orders", Json, "latest-orders");
    /// orders
    ///     .join_on_foreign_key(&customers, |_, o| Some(o.0), |o, name| (name, o.1), "with-customer", "receipts")
    ///     .updates()
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, (i64, i64)>("orders", Json).pipe(&mut driver, "o1".into(), (7, 350), 0).unwrap();
    /// driver.input::<i64, String>("customers", Text).pipe(&mut driver, 7, "Ann".into(), 1).unwrap();
    /// let receipts = driver.output::<String, (String, i64)>("out", Json).read_values(&mut driver).unwrap();
    /// assert_eq!(receipts, [("Ann".to_owned(), 350)]);
    /// ```
    #[track_caller]
    pub fn join_on_foreign_key<KR: Key, VR: Data, VO: Data>(
        &self,
        other: &KTable<KR, VR>,
        extract: impl Fn(&K, &V) -> Option<KR> + Shared,
        join: impl Fn(V, VR) -> VO + Shared,
        joined: impl Into<TableJoined<K, V, KR, VR>>,
        store: impl Into<Materialized<K, VO>>,
    ) -> KTable<K, VO> {
        let join = move |value, row: Option<VR>| row.map(|row| join(value, row));
        self.foreign_key_join(other, extract, join, joined.into(), store.into(), false)
    }

    /// As [`KTable::join_on_foreign_key`], but every row of this table has a result, with `None` where it points nowhere
    /// or to a row that is not there.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("shop");
    /// let customers = app.table::<i64, String>("customers", Text, "latest-customers");
    /// let orders = app.table::<String, (i64, i64)>("orders", Json, "latest-orders");
    /// orders
    ///     .left_join_on_foreign_key(&customers, |_, o| Some(o.0), |o, name| (name, o.1), "with-customer", "receipts")
    ///     .updates()
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, (i64, i64)>("orders", Json).pipe(&mut driver, "o1".into(), (7, 350), 0).unwrap();
    /// let receipts = driver.output::<String, (Option<String>, i64)>("out", Json).read_values(&mut driver).unwrap();
    /// assert_eq!(receipts, [(None, 350)]);
    /// ```
    #[track_caller]
    pub fn left_join_on_foreign_key<KR: Key, VR: Data, VO: Data>(
        &self,
        other: &KTable<KR, VR>,
        extract: impl Fn(&K, &V) -> Option<KR> + Shared,
        join: impl Fn(V, Option<VR>) -> VO + Shared,
        joined: impl Into<TableJoined<K, V, KR, VR>>,
        store: impl Into<Materialized<K, VO>>,
    ) -> KTable<K, VO> {
        let join = move |value, row| Some(join(value, row));
        self.foreign_key_join(other, extract, join, joined.into(), store.into(), true)
    }

    #[track_caller]
    fn foreign_key_join<KR: Key, VR: Data, VO: Data>(
        &self,
        other: &KTable<KR, VR>,
        extract: impl Fn(&K, &V) -> Option<KR> + Shared,
        join: impl Fn(V, Option<VR>) -> Option<VO> + Shared,
        joined: TableJoined<K, V, KR, VR>,
        store: Materialized<K, VO>,
        left: bool,
    ) -> KTable<K, VO> {
        let joined = Arc::new(joined);
        let subscriptions = self.subscriptions(extract, &joined, left);
        if !self.graph.is_same(&other.graph) {
            self.graph.lock().strangers.push(subscriptions.id);
            return KTable::new(self.graph.clone(), subscriptions.id);
        }
        let answers = other.answers(&subscriptions, &joined);
        let (from, join, words) = (self.id, Arc::new(join), joined.clone());
        let kind = NodeKind::stateful("foreign_key_join", &[]).reading([from]);
        let result = Arc::new(OnceLock::new());
        let table = result.clone();
        let id = self.graph.add(Some(&joined.name), "foreign_key_join", kind, vec![answers.id], |wiring, id| {
            wiring.target::<K, Answer<VR>>(id, move |builder, id| -> Result<Target<K, Answer<VR>>> {
                let table = table.get().copied().ok_or_else(unfinished)?;
                Ok(Rc::new(Resolve {
                    id,
                    left: builder.view_of::<K, V>(from)?,
                    values: words.values.clone(),
                    results: builder.view_of::<K, VO>(table)?,
                    join: join.clone(),
                    next: builder.next::<K, Option<VO>>(id)?,
                }))
            });
        });
        let table = KStream::<K, Option<VO>>::new(self.graph.clone(), id).upsert_into(store);
        let _ = result.set(table.id);
        table
    }

    /// The left side's subscriptions, in front of the right side.
    #[track_caller]
    fn subscriptions<KR: Key, VR: Data>(
        &self,
        extract: impl Fn(&K, &V) -> Option<KR> + Shared,
        joined: &Arc<TableJoined<K, V, KR, VR>>,
        left: bool,
    ) -> KStream<Option<KR>, Subscription<K>> {
        let kind = NodeKind::view("foreign_key_subscribe", OldValues::Needed).changing_key(true);
        let (extract, words) = (Arc::new(extract), joined.clone());
        let (name, table) = (format!("{}-subscription-send", joined.name), self.id);
        let id = self.graph.add(Some(&name), "foreign_key_subscribe", kind, vec![self.id], |wiring, id| {
            wiring.target::<K, Change<V>>(id, move |builder, id| -> Result<Target<K, Change<V>>> {
                Ok(Rc::new(Subscribe {
                    id,
                    left,
                    extract: extract.clone(),
                    values: words.values.clone(),
                    foreign_keys: words.foreign_keys.clone(),
                    past: Past::of(builder, table),
                    null_foreign_keys: builder.context.memo.slot(&format!("null-foreign-key:{}", words.name), 0)?,
                    context: builder.context.clone(),
                    next: builder.next::<Option<KR>, Subscription<K>>(id)?,
                }))
            });
        });
        let sent = KStream::<Option<KR>, Subscription<K>>::new(self.graph.clone(), id);
        let label = format!("{}-subscription-registration", joined.name);
        let keys = Arc::new(OptionalKeys(joined.foreign_keys.clone()));
        let values = Arc::new(Subscriptions(joined.keys.clone()));
        let id = add_lane(&sent, Lane::internal(&label, keys, values));
        KStream::new(self.graph.clone(), id)
    }
}

impl<KR: Key, VR: Data> KTable<KR, VR> {
    /// The right side's answers, in front of the left side.
    #[track_caller]
    fn answers<K: Key, V: Data>(
        &self,
        subscriptions: &KStream<Option<KR>, Subscription<K>>,
        joined: &Arc<TableJoined<K, V, KR, VR>>,
    ) -> KStream<K, Answer<VR>> {
        let store = format!("{}-subscription-store", joined.name);
        let taking = self.taking(subscriptions, joined, &store);
        let telling = self.telling(joined, &store);
        let (kind, options) = (StoreKind::KeyValue, StoreOptions::default());
        let spec = StoreSpec::new(kind, joined.foreign_keys.format(), "subscriber", options);
        self.graph.declare_store(taking, &store, spec);
        let merge = NodeKind::Stateless { op: "merge".to_owned(), changes_key: false };
        let name = format!("{}-answers", joined.name);
        let id = self.graph.add(Some(&name), "merge", merge, vec![taking, telling], |wiring, id| {
            wiring.pass_on::<K, Answer<VR>>(id);
        });
        let label = format!("{}-subscription-response", joined.name);
        let values = Arc::new(Answers(joined.foreign_values.clone()));
        let mut lane = Lane::internal(&label, joined.keys.clone(), values);
        // To the task that asked, however the left table's topic was partitioned.
        lane.place = Some(Arc::new(|answer: &Answer<VR>| answer.partition));
        let id = add_lane(&KStream::<K, Answer<VR>>::new(self.graph.clone(), id), lane);
        KStream::new(self.graph.clone(), id)
    }

    /// The step that takes subscriptions.
    #[track_caller]
    fn taking<K: Key, V: Data>(
        &self,
        subscriptions: &KStream<Option<KR>, Subscription<K>>,
        joined: &Arc<TableJoined<K, V, KR, VR>>,
        store: &str,
    ) -> NodeId {
        let (op, right, words, store) = ("foreign_key_take", self.id, joined.clone(), store.to_owned());
        let kind = NodeKind::stateful(op, &[&store])
            .reading([right])
            .changing_key(true)
            .with_settings([("null_keys", Some(1))]);
        let name = format!("{}-subscription-receive", joined.name);
        self.graph.add(Some(&name), op, kind, vec![subscriptions.id], |wiring, id| {
            wiring.target(id, move |builder, id| -> Result<Target<Option<KR>, Subscription<K>>> {
                Ok(Rc::new(Take {
                    subscribers: subscribers(builder, id, &store, &words)?,
                    right: builder.view_of::<KR, VR>(right)?,
                    next: builder.next::<K, Answer<VR>>(id)?,
                }))
            });
        })
    }

    /// The step that tells subscribers of changes.
    #[track_caller]
    fn telling<K: Key, V: Data>(&self, joined: &Arc<TableJoined<K, V, KR, VR>>, store: &str) -> NodeId {
        let (op, words, store, table) = ("foreign_key_tell", joined.clone(), store.to_owned(), self.id);
        let kind = NodeKind::stateful(op, &[&store]).changing_key(true);
        let name = format!("{}-subscription-tell", joined.name);
        self.graph.add(Some(&name), op, kind, vec![self.id], |wiring, id| {
            wiring.target::<KR, Change<VR>>(id, move |builder, id| -> Result<Target<KR, Change<VR>>> {
                let subscribers = subscribers(builder, id, &store, &words)?;
                let past = Past::of(builder, table);
                Ok(Rc::new(Tell { subscribers, past, next: builder.next::<K, Answer<VR>>(id)? }))
            });
        })
    }
}

fn unfinished() -> Error {
    Error::new(ErrorKind::Internal, "HW0100", "a foreign-key join has no table for its results")
}

/// The subscriptions of a task, shared by the two steps that use them.
fn subscribers<K: Key, V: Data, KR: Key, VR: Data>(
    builder: &mut TaskBuilder<'_>,
    id: NodeId,
    store: &str,
    joined: &TableJoined<K, V, KR, VR>,
) -> Result<Subscribers<K, KR>> {
    let rows = builder.shared(store, |builder| {
        let rows = Rc::new(OrderedRows::new(store, builder.env.store(store)?));
        builder.context.at_commit(id, rows.clone());
        Ok(rows)
    })?;
    let (keys, foreign_keys) = (joined.keys.clone(), joined.foreign_keys.clone());
    Ok(Subscribers { name: store.to_owned(), rows, keys, foreign_keys })
}
