//! A case as data: a topology, and what happens to it. Both halves read the same JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A topology and its input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Whether tables send one change per commit (Java: caching on), or each at once.
    #[serde(default)]
    pub cached: bool,
    /// Whether Java's stores are RocksDB's; otherwise they are in memory.
    #[serde(default)]
    pub rocksdb: bool,
    /// Whether Java's windowed stores have its own retention; otherwise they keep everything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default_retention: bool,
    /// A node's inputs come before it. Node 3's store is `s3`, its output topic `out-3`.
    pub nodes: Vec<Node>,
    pub steps: Vec<Step>,
}

/// One operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    #[serde(flatten)]
    pub op: Op,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<usize>,
    /// Whether its results are written out even though a later node uses it. Those that none uses are always written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub out: bool,
}

/// What a node does; `f` chooses among the closures of `functions.rs`. `named` tables have a store of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    Stream { topic: String },
    Table { topic: String },
    VersionedTable { topic: String, history: i64 },
    GlobalTable { topic: String },
    Filter { f: u8 },
    FilterNot { f: u8 },
    MapValues { f: u8 },
    FlatMapValues { f: u8 },
    SelectKey { f: u8 },
    Map { f: u8 },
    FlatMap { f: u8 },
    Peek,
    Merge,
    Split { f: u8 },
    Branch { f: u8 },
    Repartition,
    ToTable,
    ToStream,
    Aggregate { fold: Fold, key: Option<u8>, windows: Windows, on_close: bool },
    Cogroup { key: Option<u8>, windows: Windows },
    SuppressUntilClosed,
    SuppressUntilTimeLimit { limit: i64, records: u32 },
    TableFilter { f: u8, named: bool },
    TableFilterNot { f: u8, named: bool },
    TableMapValues { f: u8, named: bool },
    TableTransformValues,
    TableGroupBy { f: u8, fold: Fold },
    TableJoin { kind: Kind, named: bool },
    ForeignKeyJoin { kind: Kind },
    JoinTable { kind: Kind, grace: Option<i64> },
    JoinGlobal { kind: Kind, f: u8 },
    JoinStreams { kind: Kind, before: i64, after: i64, grace: i64 },
    Process { every: i64, wall: bool, ticks: u32 },
    ProcessValues,
}

/// How records become one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    Count,
    /// Of values that may be null.
    Reduce,
    /// Of values that are not.
    ReduceValues,
    Aggregate,
    /// An aggregate that sometimes deletes its row.
    Update,
}

/// Which windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Windows {
    None,
    Tumbling { size: i64, grace: i64 },
    Hopping { size: i64, advance: i64, grace: i64 },
    Sliding { size: i64, grace: i64 },
    Session { size: i64, grace: i64 },
    Unlimited { start: i64 },
}

/// Which records of a join are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Inner,
    Left,
    Outer,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Step {
    Record(Input),
    Advance { advance: i64 },
}

/// A record that is piped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub topic: String,
    pub key: Option<String>,
    pub value: Option<String>,
    pub ts: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
}

/// What a side made of a case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default)]
    pub out: Vec<Output>,
    /// By store: key (a window as `key@start/end`), value, and the row's time where it has one.
    #[serde(default)]
    pub stores: BTreeMap<String, Vec<(String, String, Option<i64>)>>,
    /// How many records were dropped.
    #[serde(default)]
    pub dropped: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub internal_topics: Vec<String>,
}

/// A record that was written, and by which step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Output {
    pub at: usize,
    pub topic: String,
    pub key: Option<String>,
    pub value: Option<String>,
    pub ts: i64,
    #[serde(default)]
    pub headers: Vec<(String, Option<String>)>,
}

impl Op {
    /// The operator's name, as the counts show it.
    pub fn name(&self) -> String {
        let json = serde_json::to_value(self).unwrap();
        let word = |field: &str| json.get(field).and_then(|value| value.as_str()).map(str::to_owned);
        let mut name = word("op").unwrap();
        let windows = json.get("windows").and_then(|windows| windows["kind"].as_str());
        for more in [word("fold"), word("kind"), windows.map(str::to_owned)].into_iter().flatten() {
            name += &format!(" {more}");
        }
        if matches!(self, Op::Aggregate { on_close: true, .. }) {
            name += " on close";
        }
        name
    }

    /// The topic that a source reads.
    pub fn topic(&self) -> Option<&str> {
        match self {
            Op::Stream { topic }
            | Op::Table { topic }
            | Op::GlobalTable { topic }
            | Op::VersionedTable { topic, .. } => Some(topic),
            _ => None,
        }
    }
}

impl Case {
    /// The nodes whose results are written out.
    pub fn shown(&self) -> Vec<usize> {
        let used = |id: usize| self.nodes.iter().any(|node| node.of.contains(&id));
        (0..self.nodes.len()).filter(|id| self.nodes[*id].out || !used(*id)).collect()
    }
}

impl Step {
    /// By how much it moves the wall clock.
    pub fn advance(&self) -> i64 {
        match self {
            Step::Record(_) => 0,
            Step::Advance { advance } => *advance,
        }
    }

    /// Its event time, if it has one.
    pub fn time(&self) -> i64 {
        match self {
            Step::Record(record) => record.ts,
            Step::Advance { .. } => i64::MIN,
        }
    }
}
