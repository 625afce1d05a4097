//! Several grouped streams with one aggregate: a port per stream, and behind them one store with one time.

use std::{rc::Rc, sync::Arc};

use headwater_core::{Result, Timestamp};

use super::{
    KGroupedStream,
    folding::{Fold, Folding, Inlet, Open},
    windowed::{into_sessions, into_windows, store_kind},
};
use crate::{
    bounds::{Data, Key, Shared},
    graph::Graph,
    ktable::{KTable, open_store},
    plan::{NodeId, NodeKind, StoreKind},
    store::KvStore,
    vocab::Materialized,
    window::{Session, TimeWindows, Windowed, Windows},
    wire::{Flow, Meta, TableView},
};

/// Grouped streams that are folded into one aggregate; see [`KGroupedStream::cogroup`].
pub struct Cogrouped<K, A> {
    graph: Graph,
    streams: Vec<Box<dyn Joining<K, A>>>,
    /// A step of a stream that belongs to another builder.
    stranger: bool,
}

impl<K, A> std::fmt::Debug for Cogrouped<K, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cogrouped({} streams)", self.streams.len())
    }
}

/// A stream on its way into an aggregate.
trait Joining<K, A> {
    /// Appends the stream's port; returns its step.
    #[track_caller]
    fn join(self: Box<Self>, graph: &Graph, init: Init<A>, ports: &Ports<K, A>) -> NodeId;
}

type Init<A> = Arc<dyn Fn() -> A + Send + Sync>;

/// How ports of streams are wired, with or without windows.
enum Ports<K, A> {
    Plain(Inlet<K, K, A>),
    Windowed(Inlet<K, Windowed<K>, A>),
}

impl<K, A> Ports<K, A> {
    fn store(&self) -> &str {
        match self {
            Self::Plain(into) => &into.store,
            Self::Windowed(into) => &into.store,
        }
    }
}

struct Member<K, V, F> {
    stream: KGroupedStream<K, V>,
    add: F,
}

impl<K: Key, V: Data, A: Data, F: Fn(&K, V, &mut A) + Shared> Joining<K, A> for Member<K, V, F> {
    #[track_caller]
    fn join(self: Box<Self>, graph: &Graph, init: Init<A>, ports: &Ports<K, A>) -> NodeId {
        let Self { stream, add } = *self;
        let fold =
            Arc::new(move |key: &K, value: V, row: &mut Option<A>| add(key, value, row.get_or_insert_with(&*init)));
        let kind = NodeKind::stateful("cogroup_input", &[ports.store()]);
        let name = format!("{}-{}", ports.store(), stream.grouped.name);
        graph.add(Some(&name), "cogroup", kind, vec![stream.id], |wiring, id| match ports {
            Ports::Plain(into) => into.wire_port(wiring, id, stream.grouped, fold),
            Ports::Windowed(into) => into.wire_port(wiring, id, stream.grouped, fold),
        })
    }
}

impl<K: Key, V: Data> KGroupedStream<K, V> {
    /// Begins an aggregate of several grouped streams, each with a fold of its own: one table, one store, and one time
    /// by which records of all the streams are late. The streams must be co-partitioned.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// let paid = app.stream::<String, i64>("payments", Json).group_by_key("payments-by-customer");
    /// let said = app.stream::<String, String>("complaints", Text).group_by_key("complaints-by-customer");
    /// paid.cogroup(|_, cents, (total, _): &mut (i64, i64)| *total += cents)
    ///     .cogroup(said, |_, _, (_, complaints)| *complaints += 1)
    ///     .aggregate("customers", || (0, 0))
    ///     .updates()
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("payments", Json).pipe(&mut driver, "ann".into(), 250, 0).unwrap();
    /// driver.input::<String, String>("complaints", Text).pipe(&mut driver, "ann".into(), "cold".into(), 1).unwrap();
    /// let customers = driver.output::<String, (i64, i64)>("out", Json).read_values(&mut driver).unwrap();
    /// assert_eq!(customers, [(250, 0), (250, 1)]);
    /// ```
    pub fn cogroup<A: Data>(self, add: impl Fn(&K, V, &mut A) + Shared) -> Cogrouped<K, A> {
        Cogrouped { graph: self.graph.clone(), streams: Vec::new(), stranger: false }.cogroup(self, add)
    }
}

impl<K: Key, A: Data> Cogrouped<K, A> {
    /// Adds another grouped stream with its own fold into the same aggregate; see [`KGroupedStream::cogroup`] for an
    /// example.
    #[must_use]
    pub fn cogroup<V: Data>(mut self, stream: KGroupedStream<K, V>, add: impl Fn(&K, V, &mut A) + Shared) -> Self {
        if self.graph.is_same(&stream.graph) {
            self.streams.push(Box::new(Member { stream, add }));
        } else {
            self.stranger = true;
        }
        self
    }

    /// Divides the records into windows of event time, with one time for all the streams.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// let left = app.stream::<String, i64>("left", Json).group_by_key("left-by-key");
    /// let right = app.stream::<String, i64>("right", Json).group_by_key("right-by-key");
    /// left.cogroup(|_, n, sum: &mut i64| *sum += n)
    ///     .cogroup(right, |_, n, sum| *sum -= n)
    ///     .windowed_by(Tumbling::of(100).no_grace().emit_on_close())
    ///     .aggregate("difference", || 0)
    ///     .updates()
    ///     .map(|window, n| (window.start, n))
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("left", Json).pipe(&mut driver, "k".into(), 5, 10).unwrap();
    /// let mut right = driver.input::<String, i64>("right", Json);
    /// right.pipe(&mut driver, "k".into(), 2, 20).unwrap();
    /// right.pipe(&mut driver, "k".into(), 9, 100).unwrap();
    /// assert_eq!(driver.output::<i64, i64>("out", Json).read_key_values(&mut driver).unwrap(), [(0, 3)]);
    /// ```
    pub fn windowed_by<W: Windows>(self, windows: W) -> W::Cogrouped<K, A> {
        windows.divide_cogrouped(self)
    }

    /// Folds the records per key into one table. `init` makes the aggregate of a new key, whichever stream its first
    /// record is of. Records with a null key or value are dropped and counted.
    #[track_caller]
    pub fn aggregate(self, name: impl Into<Materialized<K, A>>, init: impl Fn() -> A + Shared) -> KTable<K, A> {
        let store = name.into();
        let into = into_table(&store);
        let kind = NodeKind::Aggregate { op: "cogroup".to_owned(), store: store.name.clone() };
        self.table(kind, StoreKind::KeyValue, &store, init, &Ports::Plain(into.clone()), |wiring, id| {
            into.wire_view(wiring, id);
        })
    }

    #[track_caller]
    fn windowed(
        self,
        kind: NodeKind,
        store_kind: StoreKind,
        store: &Materialized<K, A>,
        init: impl Fn() -> A + Shared,
        into: &Inlet<K, Windowed<K>, A>,
    ) -> KTable<Windowed<K>, A> {
        self.table(kind, store_kind, store, init, &Ports::Windowed(into.clone()), |wiring, id| {
            into.wire_view(wiring, id);
        })
    }

    /// Appends the streams' ports and the table behind them.
    #[track_caller]
    fn table<W: Data>(
        self,
        kind: NodeKind,
        store_kind: StoreKind,
        store: &Materialized<K, A>,
        init: impl Fn() -> A + Shared,
        ports: &Ports<K, A>,
        wire: impl FnOnce(&mut crate::wire::Wiring, NodeId),
    ) -> KTable<W, A> {
        let init: Init<A> = Arc::new(init);
        let graph = self.graph;
        let mut parents = Vec::new();
        for stream in self.streams {
            parents.push(stream.join(&graph, init.clone(), ports));
        }
        let id = graph.add(Some(&store.name), "cogroup", kind, parents, wire);
        graph.declare_store(id, &store.name, store.spec(store_kind));
        if self.stranger {
            graph.lock().strangers.push(id);
        }
        KTable::new(graph, id)
    }
}

/// Several grouped streams divided into windows; see [`Cogrouped::windowed_by`].
pub struct WindowedCogrouped<K, A> {
    streams: Cogrouped<K, A>,
    windows: TimeWindows,
}

impl<K, A> std::fmt::Debug for WindowedCogrouped<K, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WindowedCogrouped({:?}, {:?})", self.streams, self.windows)
    }
}

impl<K, A> WindowedCogrouped<K, A> {
    pub(crate) fn new(streams: Cogrouped<K, A>, windows: TimeWindows) -> Self {
        Self { streams, windows }
    }
}

impl<K: Key, A: Data> WindowedCogrouped<K, A> {
    /// Folds the records per key and window into one table; see [`Cogrouped::windowed_by`] for an example. Null values
    /// are handed to the folds (but for sliding windows); a record with a null key, or for a window that has closed, is
    /// dropped and counted.
    #[track_caller]
    pub fn aggregate(
        self,
        name: impl Into<Materialized<K, A>>,
        init: impl Fn() -> A + Shared,
    ) -> KTable<Windowed<K>, A> {
        let (store, windows) = (name.into(), self.windows);
        let kind = windows.node_kind("cogroup", &store.name);
        self.streams.windowed(kind, store_kind(windows), &store, init, &into_windows(windows, &store))
    }
}

/// Several grouped streams divided into sessions; see [`Cogrouped::windowed_by`].
pub struct SessionCogrouped<K, A> {
    streams: Cogrouped<K, A>,
    sessions: Session,
}

impl<K, A> std::fmt::Debug for SessionCogrouped<K, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionCogrouped({:?}, {:?})", self.streams, self.sessions)
    }
}

impl<K, A> SessionCogrouped<K, A> {
    pub(crate) fn new(streams: Cogrouped<K, A>, sessions: Session) -> Self {
        Self { streams, sessions }
    }
}

impl<K: Key, A: Data> SessionCogrouped<K, A> {
    /// Folds the records per key and session into one table; `merge` is as for
    /// [`SessionStream::aggregate`](crate::SessionStream::aggregate).
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// let clicks = app.stream::<String, i64>("clicks", Json).group_by_key("clicks-by-user");
    /// let buys = app.stream::<String, i64>("buys", Json).group_by_key("buys-by-user");
    /// clicks
    ///     .cogroup(|_, _, (clicks, _): &mut (i64, i64)| *clicks += 1)
    ///     .cogroup(buys, |_, cents, (_, spent)| *spent += cents)
    ///     .windowed_by(Session::with_gap(10).no_grace().emit_on_close())
    ///     .aggregate("visits", || (0, 0), |_, a, b| (a.0 + b.0, a.1 + b.1))
    ///     .updates()
    ///     .map(|visit, both| (visit.key, both))
    ///     .to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut clicks = driver.input::<String, i64>("clicks", Json);
    /// clicks.pipe(&mut driver, "ann".into(), 0, 0).unwrap();
    /// driver.input::<String, i64>("buys", Json).pipe(&mut driver, "ann".into(), 250, 5).unwrap();
    /// clicks.pipe(&mut driver, "ann".into(), 0, 100).unwrap();
    /// assert_eq!(driver.output::<String, (i64, i64)>("out", Json).read_values(&mut driver).unwrap(), [(1, 250)]);
    /// ```
    #[track_caller]
    pub fn aggregate(
        self,
        name: impl Into<Materialized<K, A>>,
        init: impl Fn() -> A + Shared,
        merge: impl Fn(&K, A, A) -> A + Shared,
    ) -> KTable<Windowed<K>, A> {
        let (store, sessions) = (name.into(), self.sessions);
        let kind = sessions.node_kind("cogroup", &store.name);
        let init = Arc::new(init);
        let start = init.clone();
        let merge = Arc::new(move |key: &K, merged: Option<A>, next| merge(key, merged.unwrap_or_else(&*start), next));
        let into = into_sessions(sessions, &store, merge);
        self.streams.windowed(kind, StoreKind::Session, &store, move || init(), &into)
    }
}

/// Folding without windows.
fn into_table<K: Key, A: Data>(store: &Materialized<K, A>) -> Inlet<K, K, A> {
    let name = store.name.clone();
    let store = store.clone();
    let open: Open<K, K, A> = Arc::new(move |builder, id| -> Result<Rc<dyn Folding<K, K, A>>> {
        Ok(Rc::new(Plain(open_store(builder, id, &store)?)))
    });
    Inlet { store: name, drop_null_values: true, open }
}

struct Plain<K, A>(Rc<KvStore<K, A>>);

impl<K: Key, A: Data> Folding<K, K, A> for Plain<K, A> {
    fn take(&self, meta: Meta<'_>, key: K, fold: &mut Fold<'_, K, A>) -> Flow {
        self.0.update(key, meta, |key, row| fold(key, row, true)).map(drop)
    }
}

impl<K: Key, A: Data> TableView<K, A> for Plain<K, A> {
    fn get(&self, key: &K) -> Result<Option<(A, Timestamp)>> {
        self.0.get(key)
    }
}
