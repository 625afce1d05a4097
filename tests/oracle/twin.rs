//! The Rust twin of `Build.java`: a case's topology in Headwater's DSL, one line for each operator.

use headwater::{dsl::Data, prelude::*};

use super::{
    case::{Case, Kind, Node, Op},
    functions::{self as fns},
};

pub type Nullable = Option<String>;

/// What a node became.
#[derive(Clone)]
pub enum Built {
    Stream(KStream<Nullable, Nullable>),
    Texts(KTable<Nullable, String>),
    Counts(KTable<Nullable, i64>),
    Reduced(KTable<Nullable, Nullable>),
    WindowedTexts(KTable<Windowed<Nullable>, String>),
    WindowedCounts(KTable<Windowed<Nullable>, i64>),
    WindowedReduced(KTable<Windowed<Nullable>, Nullable>),
    Global(GlobalTable<Nullable, String>),
    Split(Vec<KStream<Nullable, Nullable>>),
}

/// A windowed key as plain text; `Functions.window` in Java.
pub fn window(windowed: &Windowed<Nullable>) -> String {
    format!("{}@{}/{}", windowed.key.as_deref().unwrap_or("null"), windowed.start, windowed.end)
}

pub struct Twin<'a> {
    pub app: &'a StreamsBuilder,
    case: &'a Case,
    /// What all topics' names begin with.
    prefix: &'a str,
    pub built: Vec<Built>,
}

/// The case's topology.
pub fn topology(case: &Case) -> Result<Topology, TopologyErrors> {
    named_topology(case, "case", "")
}

/// The case's topology as the application `app`, whose topics are called `<prefix>a`, `<prefix>out-3` and so on.
pub fn named_topology(case: &Case, app: &str, prefix: &str) -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new(app);
    let mut twin = Twin { app: &app, case, prefix, built: Vec::new() };
    let shown = case.shown();
    for (id, node) in case.nodes.iter().enumerate() {
        let made = twin.node(id, node);
        twin.built.push(made);
        // Java's half, too, writes inner nodes out where they are made, and the others at the end.
        if node.out {
            twin.show(id);
        }
    }
    for id in shown.into_iter().filter(|id| !case.nodes[*id].out) {
        twin.show(id);
    }
    app.build()
}

impl Twin<'_> {
    fn node(&self, id: usize, node: &Node) -> Built {
        let store = format!("s{id}");
        let stream = || self.stream(node.of[0]);
        Built::Stream(match &node.op {
            Op::Stream { topic } => self.app.stream(self.topic(topic).as_str(), (Text, Text)),
            Op::Table { topic } => {
                return Built::Texts(self.app.table(&self.topic(topic), (Text, Text), self.rows(&store)));
            }
            Op::VersionedTable { topic, history } => {
                let rows = self.rows(&store).versioned(*history);
                return Built::Texts(self.app.table(&self.topic(topic), (Text, Text), rows));
            }
            Op::GlobalTable { topic } => {
                return Built::Global(self.app.global_table(&self.topic(topic), (Text, Text), &format!("g{id}")));
            }
            Op::Filter { f } => stream().filter({
                let f = *f;
                move |k, v| fns::test(f, k.as_deref(), v.as_deref())
            }),
            Op::FilterNot { f } => stream().filter_not({
                let f = *f;
                move |k, v| fns::test(f, k.as_deref(), v.as_deref())
            }),
            Op::MapValues { f } => stream().map_values({
                let f = *f;
                move |v| fns::value(f, v)
            }),
            Op::FlatMapValues { f } => stream().flat_map_values({
                let f = *f;
                move |v| fns::flat(f, v)
            }),
            Op::SelectKey { f } => stream().select_key({
                let f = *f;
                move |k, v| fns::key(f, k.as_deref(), v.as_deref())
            }),
            Op::Map { f } => {
                let f = *f;
                stream().map(move |k, v| (fns::key(f, k.as_deref(), v.as_deref()), fns::value(f % 3, v)))
            }
            Op::FlatMap { f } => {
                let f = *f;
                stream().flat_map(move |k, v| {
                    let flat = fns::flat(f % 2, v).into_iter();
                    flat.map(move |v| (fns::key(f, k.as_deref(), v.as_deref()), v)).collect::<Vec<_>>()
                })
            }
            Op::Peek => stream().peek(|_, _| {}),
            Op::Merge => stream().merge(&self.stream(node.of[1])),
            Op::Split { f } => {
                let (f, split) = (*f, stream().split());
                let first = split.branch(move |k, v| fns::test(f, k.as_deref(), v.as_deref()));
                let second = split.branch(|k, v| fns::test(1, k.as_deref(), v.as_deref()));
                return Built::Split(vec![first, second, split.default_branch()]);
            }
            Op::Branch { f } => match &self.built[node.of[0]] {
                Built::Split(branches) => branches[usize::from(*f % 3)].clone(),
                _ => panic!("a branch is one of a split"),
            },
            Op::Repartition => stream().repartition(Repartitioned::with(&format!("r{id}"), Text, Text)),
            Op::ToTable => return Built::Texts(stream().to_table(grouped(&format!("t{id}")), self.rows(&store))),
            Op::ToStream => stream(),
            Op::Aggregate { fold, key, windows, on_close } => {
                return self.aggregate(id, node.of[0], *fold, *key, *windows, *on_close);
            }
            Op::Cogroup { key, windows } => return self.cogroup(id, &node.of, *key, *windows),
            Op::JoinTable { kind, grace } => {
                let (table, joined) = (self.table(node.of[1]), Joined::with(&format!("j{id}"), Text, Text));
                let joined = match grace {
                    Some(grace) => joined.grace(*grace),
                    None => joined,
                };
                match kind {
                    Kind::Inner => {
                        stream().join_table(table, |l, r: String| Some(fns::join(l.as_deref(), Some(&r))), joined)
                    }
                    _ => stream().left_join_table(
                        table,
                        |l, r: Nullable| Some(fns::join(l.as_deref(), r.as_deref())),
                        joined,
                    ),
                }
            }
            Op::JoinStreams { kind, before, after, grace } => {
                let windows = JoinWindows::of(0).after((*after).max(0)).before(*before).after(*after).grace(*grace);
                let joined = StreamJoined::with(&format!("s{id}"), Text, Text, Text);
                let other = self.stream(node.of[1]);
                let join = |l: Nullable, r: Nullable| Some(fns::join(l.as_deref(), r.as_deref()));
                match kind {
                    Kind::Inner => stream().join_stream(&other, join, windows, joined),
                    Kind::Left => stream().left_join_stream(&other, move |l, r| join(l, r.flatten()), windows, joined),
                    Kind::Outer => {
                        stream().outer_join_stream(&other, move |l, r| join(l.flatten(), r.flatten()), windows, joined)
                    }
                }
            }
            Op::JoinGlobal { kind, f } => {
                let (f, table) = (*f, self.global(node.of[1]));
                let select = move |k: &Nullable, v: &Nullable| fns::key(f, k.as_deref(), v.as_deref());
                match kind {
                    Kind::Inner => {
                        stream().join_global(table, select, |l, r: String| Some(fns::join(l.as_deref(), Some(&r))))
                    }
                    _ => stream().left_join_global(table, select, |l, r| Some(fns::join(l.as_deref(), r.as_deref()))),
                }
            }
            Op::Process { .. } | Op::ProcessValues => self.processed(id, &stream(), &node.op),
            _ => return self.table_node(id, node),
        })
    }

    fn show(&self, id: usize) {
        if !matches!(self.built[id], Built::Global(_) | Built::Split(_)) {
            self.stream(id).to(&self.topic(&format!("out-{id}")), (Text, Text));
        }
    }

    fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The stream that a stream or table shows itself as.
    pub fn stream(&self, id: usize) -> KStream<Nullable, Nullable> {
        fn shown<V: Into<Shown> + Data>(table: &KTable<Nullable, V>) -> KStream<Nullable, Nullable> {
            table.to_stream().map_values(|v| v.and_then(|v| v.into().0))
        }
        fn windows<V: Into<Shown> + Data>(table: &KTable<Windowed<Nullable>, V>) -> KStream<Nullable, Nullable> {
            table.to_stream().map(|w, v| (Some(window(&w)), v.and_then(|v| v.into().0)))
        }
        match &self.built[id] {
            Built::Stream(stream) => stream.clone(),
            Built::Texts(table) => shown(table),
            Built::Counts(table) => shown(table),
            Built::Reduced(table) => shown(table),
            Built::WindowedTexts(table) => windows(table),
            Built::WindowedCounts(table) => windows(table),
            Built::WindowedReduced(table) => windows(table),
            Built::Global(_) | Built::Split(_) => panic!("node {id} is no stream"),
        }
    }

    pub fn table(&self, id: usize) -> &KTable<Nullable, String> {
        match &self.built[id] {
            Built::Texts(table) => table,
            _ => panic!("node {id} is no table of text"),
        }
    }

    /// A view, or its rows in a store of their own.
    pub fn kept(&self, view: KTable<Nullable, String>, named: bool, store: &str) -> Built {
        Built::Texts(if named { view.materialize(self.rows(store)) } else { view })
    }

    fn global(&self, id: usize) -> &GlobalTable<Nullable, String> {
        match &self.built[id] {
            Built::Global(table) => table,
            _ => panic!("node {id} is no global table"),
        }
    }

    pub fn rows(&self, store: &str) -> Materialized<Nullable, String> {
        self.caching(Materialized::with(store, Text, Text))
    }

    pub fn nullable(&self, store: &str) -> Materialized<Nullable, Nullable> {
        self.caching(Materialized::with(store, Text, Text))
    }

    pub fn counts(&self, store: &str) -> Materialized<Nullable, i64> {
        self.caching(Materialized::with(store, Text, Auto))
    }

    fn caching<V: Data>(&self, store: Materialized<Nullable, V>) -> Materialized<Nullable, V> {
        if self.case.cached { store } else { store.uncached() }
    }
}

pub fn grouped(name: &str) -> Grouped<Nullable, Nullable> {
    Grouped::with(name, Text, Text)
}

/// A row's value as text.
pub struct Shown(pub Nullable);

impl From<String> for Shown {
    fn from(text: String) -> Self {
        Self(Some(text))
    }
}

impl From<Nullable> for Shown {
    fn from(text: Nullable) -> Self {
        Self(text)
    }
}

impl From<i64> for Shown {
    fn from(count: i64) -> Self {
        Self(Some(count.to_string()))
    }
}
