//! Joins of two streams: records of equal keys whose times are near each other.

mod release;
mod side;
mod state;
mod unmatched;

use std::{
    rc::Rc,
    sync::{Arc, OnceLock},
};

use headwater_core::Result;

use self::{
    side::{FromLeft, FromRight},
    state::open,
    unmatched::Lists,
};
use super::KStream;
use crate::{
    bounds::{Data, Key, Shared},
    plan::{NodeId, NodeKind, StoreKind, StoreOptions, StoreSpec},
    repartition::add_repartition,
    vocab::{JoinWindows, StreamJoined},
    wire::Target,
};

/// The two streams' sides of a join, as it was asked for.
struct Recipe<J, K, V, V2> {
    join: Arc<J>,
    windows: JoinWindows,
    joined: StreamJoined<K, V, V2>,
    /// Whether records of the left and of the right stream stay without partner.
    keeps: (bool, bool),
    /// The node whose children get the results, once it is there.
    merge: OnceLock<NodeId>,
}

impl<J, K, V, V2> Recipe<J, K, V, V2> {
    /// The stores of the left and the right stream's records, and of those that wait for a partner.
    fn stores(&self) -> Stores {
        stores(&self.joined.name, self.keeps)
    }
}

/// Names of a join's stores.
struct Stores {
    left: String,
    right: String,
    left_unmatched: Option<String>,
    right_unmatched: Option<String>,
}

/// The first two are called as in Kafka Streams.
fn stores(name: &str, (keeps_left, keeps_right): (bool, bool)) -> Stores {
    let outer = |keeps: bool| if keeps { "outer-" } else { "" };
    Stores {
        left: format!("{name}-{}this-join-store", outer(keeps_right)),
        right: format!("{name}-{}other-join-store", outer(keeps_left)),
        left_unmatched: keeps_left.then(|| format!("{name}-left-unmatched-store")),
        right_unmatched: keeps_right.then(|| format!("{name}-right-unmatched-store")),
    }
}

impl Stores {
    fn all(&self) -> Vec<&str> {
        let names = [Some(&self.left), Some(&self.right), self.left_unmatched.as_ref(), self.right_unmatched.as_ref()];
        names.into_iter().flatten().map(String::as_str).collect()
    }
}

impl<K: Data, V: Data> KStream<K, V> {
    /// Joins each record with the records of `other` that have its key and whose times are as near as `windows` says:
    /// every pair once, when its second record comes. A pair's time is the later of the two, its headers are those of
    /// the record that completed it. Records with a null key or value are dropped and counted.
    ///
    /// Late records are not dropped: they meet whatever rows are still kept, that is, rows at most
    /// `before + after + grace` older than the youngest of their own stream. Where a stream's key was changed before, its
    /// records travel through a repartition topic. The rows of the open windows are in memory, with a changelog.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("shop");
    /// let orders = app.stream::<String, i64>("orders", Json);
    /// let payments = app.stream::<String, i64>("payments", Json);
    /// let within = JoinWindows::of(0).after(hours(1)).grace(minutes(5));
    /// orders.join_stream(&payments, |due, paid| paid - due, within, "paid").to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("orders", Json).pipe(&mut driver, "o1".into(), 350, minutes(1)).unwrap();
    /// let mut payments = driver.input::<String, i64>("payments", Json);
    /// payments.pipe(&mut driver, "o1".into(), 400, minutes(61)).unwrap();
    /// payments.pipe(&mut driver, "o1".into(), 350, minutes(62)).unwrap(); // more than an hour after the order
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [50]);
    /// ```
    #[track_caller]
    pub fn join_stream<V2: Data, VO: Data>(
        &self,
        other: &KStream<K, V2>,
        join: impl Fn(V, V2) -> VO + Shared,
        windows: JoinWindows,
        joined: impl Into<StreamJoined<K, V, V2>>,
    ) -> KStream<K, VO>
    where
        K: Key,
    {
        let join = move |left: Option<V>, right: Option<V2>| Some(join(left?, right?));
        self.stream_join("join_stream", other, join, windows, joined.into(), (false, false))
    }

    /// As [`KStream::join_stream`], but a record of this stream without partner stays, joined with `None`, once its
    /// window has closed: when the time of the join has passed its end by more than the grace, with the record's own
    /// time. A record that comes when its window has ended already is not waited for. A record with a null key, which has
    /// no partner, is joined with `None` at once.
    ///
    /// Time moves with the records of both streams, so without new ones nothing closes; the end of a bounded input
    /// closes everything. Behind repartition topics with several senders a window closes when the times of all of
    /// them have passed it.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("shop");
    /// let orders = app.stream::<String, i64>("orders", Json);
    /// let payments = app.stream::<String, i64>("payments", Json);
    /// let within = JoinWindows::of(0).after(hours(1)).grace(minutes(5));
    /// orders.left_join_stream(&payments, |due, paid| due - paid.unwrap_or(0), within, "open").to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut orders = driver.input::<String, i64>("orders", Json);
    /// orders.pipe(&mut driver, "o1".into(), 350, minutes(0)).unwrap();
    /// orders.pipe(&mut driver, "o2".into(), 100, minutes(66)).unwrap();
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [350]);
    /// ```
    #[track_caller]
    pub fn left_join_stream<V2: Data, VO: Data>(
        &self,
        other: &KStream<K, V2>,
        join: impl Fn(V, Option<V2>) -> VO + Shared,
        windows: JoinWindows,
        joined: impl Into<StreamJoined<K, V, V2>>,
    ) -> KStream<K, VO>
    where
        K: Key,
    {
        let join = move |left: Option<V>, right: Option<V2>| Some(join(left?, right));
        self.stream_join("left_join_stream", other, join, windows, joined.into(), (true, false))
    }

    /// As [`KStream::left_join_stream`], for the records of both streams.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("shop");
    /// let orders = app.stream::<String, i64>("orders", Json);
    /// let payments = app.stream::<String, i64>("payments", Json);
    /// let within = JoinWindows::of(minutes(1)).no_grace();
    /// orders.outer_join_stream(&payments, |due, paid| (due, paid), within, "both").to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("payments", Json).pipe(&mut driver, "o1".into(), 350, minutes(0)).unwrap();
    /// driver.input::<String, i64>("orders", Json).pipe(&mut driver, "o2".into(), 100, minutes(2)).unwrap();
    /// let out = driver.output::<String, (Option<i64>, Option<i64>)>("out", Json).read_values(&mut driver).unwrap();
    /// assert_eq!(out, [(None, Some(350))]);
    /// ```
    #[track_caller]
    pub fn outer_join_stream<V2: Data, VO: Data>(
        &self,
        other: &KStream<K, V2>,
        join: impl Fn(Option<V>, Option<V2>) -> VO + Shared,
        windows: JoinWindows,
        joined: impl Into<StreamJoined<K, V, V2>>,
    ) -> KStream<K, VO>
    where
        K: Key,
    {
        let join = move |left, right| Some(join(left, right));
        self.stream_join("outer_join_stream", other, join, windows, joined.into(), (true, true))
    }

    #[track_caller]
    fn stream_join<V2: Data, VO: Data>(
        &self,
        op: &str,
        other: &KStream<K, V2>,
        join: impl Fn(Option<V>, Option<V2>) -> Option<VO> + Shared,
        windows: JoinWindows,
        joined: StreamJoined<K, V, V2>,
        keeps: (bool, bool),
    ) -> KStream<K, VO>
    where
        K: Key,
    {
        let (left, right) = (&joined.left, &joined.right);
        let from_left = add_repartition(self, &left.name, &left.keys, &left.values, None, false);
        if !self.graph.is_same(&other.graph) {
            self.graph.lock().strangers.push(from_left);
            return KStream::new(self.graph.clone(), from_left);
        }
        let from_right = add_repartition(other, &right.name, &right.keys, &right.values, None, false);
        let name = joined.name.clone();
        let recipe = Arc::new(Recipe { join: Arc::new(join), windows, joined, keeps, merge: OnceLock::new() });
        let names = recipe.stores();
        let (this, that) = (recipe.clone(), recipe.clone());
        let (of_left, of_right) = (format!("{name}-this"), format!("{name}-other"));
        let kind = half(&format!("{op}_this"), &names, keeps.0 || keeps.1);
        let left = self.graph.add(Some(&of_left), "join", kind, vec![from_left], |wiring, id| {
            wiring.target::<K, V>(id, move |builder, _| -> Result<Target<K, V>> {
                Ok(Rc::new(FromLeft(open::<_, K, V, V2, VO>(builder, &this)?)))
            });
        });
        let kind = half(&format!("{op}_other"), &names, keeps.0 || keeps.1);
        let right = self.graph.add(Some(&of_right), "join", kind, vec![from_right], |wiring, id| {
            wiring.target::<K, V2>(id, move |builder, _| -> Result<Target<K, V2>> {
                Ok(Rc::new(FromRight(open::<_, K, V, V2, VO>(builder, &that)?)))
            });
        });
        let kind = merged(op, &names, windows, keeps);
        let id = self.graph.add(Some(&name), "join", kind, vec![left, right], |wiring, id| {
            wiring.pass_on::<K, VO>(id);
        });
        let _ = recipe.merge.set(id);
        self.declare_stores(id, &names, &recipe);
        KStream::new(self.graph.clone(), id)
    }

    fn declare_stores<J, V2: Data>(&self, id: NodeId, names: &Stores, recipe: &Recipe<J, K, V, V2>) {
        let key = recipe.joined.left.keys.format();
        let (left, right) = (recipe.joined.left.values.format(), recipe.joined.right.values.format());
        let list = |of: &str| format!("list of {of}");
        let mut stores = vec![(names.left.clone(), left.to_owned()), (names.right.clone(), right.to_owned())];
        stores.extend(names.left_unmatched.clone().map(|name| (name, list(left))));
        stores.extend(names.right_unmatched.clone().map(|name| (name, list(right))));
        for (name, value) in stores {
            let spec = StoreSpec::new(StoreKind::Timed, key, &value, StoreOptions::default());
            self.graph.declare_store(id, &name, spec);
        }
    }
}

/// The step that takes one stream's records. Null keys come to both sides of a left join: one keeps them, the other counts
/// what it drops.
fn half(op: &str, stores: &Stores, keeps: bool) -> NodeKind {
    NodeKind::stateful(op, &stores.all()).with_settings([("null_keys", keeps.then_some(1))])
}

/// The step that hands on the results.
fn merged(op: &str, stores: &Stores, windows: JoinWindows, keeps: (bool, bool)) -> NodeKind {
    let waits = [(keeps.0, windows.after_ms), (keeps.1, windows.before_ms)];
    let longest = waits.iter().filter(|(keeps, _)| *keeps).map(|(_, ahead)| *ahead).max();
    NodeKind::stateful(op, &stores.all()).with_settings([
        ("before_ms", Some(windows.before_ms)),
        ("after_ms", Some(windows.after_ms)),
        ("grace_ms", windows.grace_ms),
        ("holds_back_ms", longest.map(|ms| ms.max(0).saturating_add(windows.grace_ms.unwrap_or_default()))),
    ])
}
