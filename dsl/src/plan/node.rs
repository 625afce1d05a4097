//! The plan's words.

use std::collections::BTreeMap;

use headwater_core::SinkSpec;
use serde::{Deserialize, Serialize};

use crate::vocab::OnFailure;

/// A node's number: its place in the order in which the program wrote its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeId(pub u32);

/// A topology as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The application id: prefix of internal topics, name of the consumer group.
    pub app: String,
    /// What happens to a record at which the program's own code fails.
    #[serde(default, skip_serializing_if = "OnFailure::is_fail")]
    pub on_failure: OnFailure,
    /// Every step, in the order written. A node's parents come before it.
    pub nodes: Vec<Node>,
    /// The state stores by name.
    pub stores: BTreeMap<String, StoreSpec>,
    /// The global tables' stores by name.
    pub global_stores: BTreeMap<String, GlobalStore>,
    /// The parts that run as tasks of their own, connected through repartition topics only.
    pub subtopologies: Vec<Subtopology>,
}

/// One step of the topology.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its number.
    pub id: NodeId,
    /// Its name: the user's, or made of the operation and the number for stateless steps.
    pub name: String,
    /// What it does.
    #[serde(flatten)]
    pub kind: NodeKind,
    /// Where its records come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<NodeId>,
}

/// What a node does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NodeKind {
    /// Reads a topic.
    Source {
        /// The topics. For a pattern those that match, once a run has looked them up.
        #[serde(alias = "topic", deserialize_with = "one_or_several")]
        topics: Vec<String>,
        /// The regular expression that the topics' names match.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pattern: Option<String>,
        /// The key's format.
        key: String,
        /// The value's format.
        value: String,
        /// Where to begin without a committed offset; the earliest record if it is not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reset: Option<OffsetReset>,
        /// The topic for records that cannot be decoded; without it they stop the program.
        #[serde(skip_serializing_if = "Option::is_none")]
        dead_letter: Option<String>,
    },
    /// Keeps the latest value per key of a topic.
    Table {
        /// The store.
        store: String,
    },
    /// Looks at or changes records without state.
    Stateless {
        /// The operator, such as `map_values`.
        op: String,
        /// Whether the key may be another one afterwards.
        changes_key: bool,
    },
    /// Brings records of equal keys together; a topic only where the key was changed before.
    Repartition {
        /// The user's name for it.
        label: String,
        /// The topic `<app>-<label>-repartition`, once the plan needs one.
        #[serde(skip_serializing_if = "Option::is_none")]
        topic: Option<String>,
        /// The number of partitions, if the user chose it. Otherwise as many as the widest upstream topic.
        #[serde(skip_serializing_if = "Option::is_none")]
        partitions: Option<i32>,
        /// The name of the user's partitioner, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partitioner: Option<String>,
        /// Whether the user asked for the topic even with an unchanged key.
        forced: bool,
        /// The key's format.
        key: String,
        /// The value's format.
        value: String,
    },
    /// Folds records per key.
    Aggregate {
        /// `count`, `reduce` or `aggregate`.
        op: String,
        /// The store.
        store: String,
    },
    /// Folds records per key and window.
    WindowedAggregate {
        /// `count`, `reduce` or `aggregate`.
        op: String,
        /// The store.
        store: String,
        /// The windows' length in milliseconds.
        size_ms: i64,
        /// How long after its end a window still takes records; `None` is an error found by `build()`.
        grace_ms: Option<i64>,
        /// When results go downstream.
        emit: EmitStrategy,
    },
    /// Any other step with state, or that looks into state.
    Stateful {
        /// The operator, such as `session_count` or `join_this`.
        op: String,
        /// The stores it writes, its own or shared with other steps, which are then in its sub-topology.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stores: Vec<String>,
        /// The tables whose rows it looks up: they are in its sub-topology and co-partitioned with its input.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reads: Vec<NodeId>,
        /// What else must not change unnoticed, in the operator's own words, such as `size_ms`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        settings: BTreeMap<String, i64>,
        /// Whether the key may be another one afterwards.
        #[serde(default, skip_serializing_if = "is_false")]
        changes_key: bool,
        /// What it makes of the old values of the changes that reach it.
        #[serde(default, skip_serializing_if = "OldValues::is_ignored")]
        old_values: OldValues,
        /// If it emits final results as time closes them: how many milliseconds before the closed end the timestamp of
        /// a result that is still to come may lie.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        final_within_ms: Option<i64>,
    },
    /// Joins each record with a global table's row.
    GlobalJoin {
        /// The global table's store.
        store: String,
        /// Whether a record without a row is kept.
        left: bool,
    },
    /// Tests records against named rules.
    Validate {
        /// The rules in order.
        rules: Vec<RuleSpec>,
    },
    /// Writes to a topic.
    To {
        /// The topic.
        topic: String,
        /// The key's format.
        key: String,
        /// The value's format.
        value: String,
    },
    /// Writes each record to one of several topics.
    ToEach {
        /// The topics.
        topics: Vec<String>,
        /// The key's format.
        key: String,
        /// The value's format.
        value: String,
    },
    /// Writes to a sink outside the log.
    Sink {
        /// What and where.
        sink: SinkSpec,
    },
}

/// Where a source begins in a partition of which no offset has been committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OffsetReset {
    /// At the first record there is.
    Earliest,
    /// Behind the last record there is.
    Latest,
    /// At the first record that is at most so many milliseconds old by the run's clock.
    ByDuration(i64),
    /// Nowhere: a run does not start without committed offsets (`HW0640`).
    None,
}

/// Earlier versions wrote one topic and no list.
fn one_or_several<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Topics {
        One(String),
        Several(Vec<String>),
    }
    Ok(match Topics::deserialize(input)? {
        Topics::One(topic) => vec![topic],
        Topics::Several(topics) => topics,
    })
}

/// What a step makes of the old values of a table's changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OldValues {
    /// Nothing: they need not be sent.
    #[default]
    Ignored,
    /// It needs them.
    Needed,
    /// It sends them on if a step below needs them.
    PassedOn,
}

impl OldValues {
    fn is_ignored(&self) -> bool {
        *self == Self::Ignored
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl NodeKind {
    /// The operator, where one kind has several.
    pub fn op(&self) -> Option<&str> {
        match self {
            Self::Stateless { op, .. }
            | Self::Stateful { op, .. }
            | Self::Aggregate { op, .. }
            | Self::WindowedAggregate { op, .. } => Some(op),
            Self::GlobalJoin { left, .. } => Some(if *left { "left_join_global" } else { "join_global" }),
            _ => None,
        }
    }

    /// The stores that the step writes.
    pub fn stores(&self) -> &[String] {
        match self {
            Self::Table { store } | Self::Aggregate { store, .. } | Self::WindowedAggregate { store, .. } => {
                std::slice::from_ref(store)
            }
            Self::Stateful { stores, .. } => stores,
            _ => &[],
        }
    }

    /// The tables whose rows the step looks up.
    pub fn reads(&self) -> &[NodeId] {
        match self {
            Self::Stateful { reads, .. } => reads,
            _ => &[],
        }
    }

    /// Whether records of equal keys must meet in it.
    pub(crate) fn needs_keys_together(&self) -> bool {
        !self.stores().is_empty() || !self.reads().is_empty()
    }
}

/// A rule of a `validate` step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSpec {
    /// The rule's name.
    pub name: String,
    /// What it tests, such as `not_null` or `range 80..`.
    pub test: String,
    /// How bad a broken rule is: `warn` or `error`.
    pub severity: String,
    /// Where a record that breaks it goes: `tag`, `drop`, `dead_letter <topic>` or `fail`.
    pub route: String,
}

/// When a windowed aggregation sends results downstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmitStrategy {
    /// Every changed window at each commit.
    OnWindowUpdate,
    /// Each window once, when it has closed.
    OnWindowClose,
}

/// A state store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreSpec {
    /// How its keys are laid out.
    pub kind: StoreKind,
    /// The key's format.
    pub key: String,
    /// The value's format.
    pub value: String,
    /// The changelog topic `<app>-<store>-changelog`.
    pub changelog: String,
    /// What the user chose otherwise than by default.
    #[serde(default, skip_serializing_if = "StoreOptions::is_default")]
    pub options: StoreOptions,
}

/// What a user may choose for a store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreOptions {
    /// Whether its rows are kept in memory only, and read from the changelog at every start.
    #[serde(default, skip_serializing_if = "is_false")]
    pub in_memory: bool,
    /// Whether it has no changelog, so that its rows live and die with the local state.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unlogged: bool,
    /// The topic that its table reads, if it is restored from there and has no changelog of its own. Empty where no table
    /// of a topic has the store, which `build()` refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How long rows are kept in terms of event time, in milliseconds: of a window store after the window's start, of a
    /// versioned one after the version was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_ms: Option<i64>,
    /// Settings of the changelog topic.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub changelog_settings: BTreeMap<String, String>,
}

impl StoreOptions {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl StoreSpec {
    /// A store whose changelog's name is still to come.
    pub(crate) fn new(kind: StoreKind, key: &str, value: &str, options: StoreOptions) -> Self {
        Self { kind, key: key.to_owned(), value: value.to_owned(), changelog: String::new(), options }
    }

    /// The topic that its changes are written to; `None` if it has none.
    pub fn changelog_topic(&self) -> Option<&str> {
        (!self.options.unlogged && self.options.source.is_none()).then_some(self.changelog.as_str())
    }

    /// The topic that it is restored from: its changelog, or the one that its table reads; `None` if there is none.
    pub fn restore_topic(&self) -> Option<&str> {
        self.options.source.as_deref().or_else(|| self.changelog_topic())
    }
}

/// How a store's keys are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// One row per key.
    KeyValue,
    /// One row per window start and key, ordered by time.
    Window,
    /// One row per key and time from which it holds: a table with its history.
    Versioned,
    /// Changes that wait, one row per time and key, ordered by time.
    Buffer,
    /// One row per key and session, by key and end, with an index by end: a timed store whose time is the session's end
    /// and whose number is its start.
    Session,
    /// One row per key, time and number, by key, with an index by time.
    Timed,
}

/// A global table's store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalStore {
    /// The topic it is filled from; also its changelog.
    pub topic: String,
    /// How many steps the program had written before it.
    #[serde(default)]
    pub after_steps: u32,
    /// The key's format.
    pub key: String,
    /// The value's format.
    pub value: String,
}

/// A connected part of the plan; with a partition number it is a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subtopology {
    /// Its nodes. A repartition with a topic is in two: the upstream part writes it, the downstream part reads it.
    pub nodes: Vec<NodeId>,
    /// The nodes it reads from: sources, and repartitions it reads.
    pub sources: Vec<NodeId>,
    /// The stores of its nodes.
    pub stores: Vec<String>,
}

impl Plan {
    /// The node numbered `id`.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    /// The nodes that take records from `id`, in the order written.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |node| node.parents.contains(&id))
    }

    /// Whether a step below table `id` needs the old values of its changes.
    pub fn sends_old_values(&self, id: NodeId) -> bool {
        self.children(id).any(|child| match &child.kind {
            NodeKind::Stateful { old_values: OldValues::Needed, .. } => true,
            NodeKind::Stateful { old_values: OldValues::PassedOn, .. } => self.sends_old_values(child.id),
            _ => false,
        })
    }

    /// Whether something below repartition `id` has a use for records with a null key: a left or outer join, however far
    /// below it is, as in Kafka Streams; but a foreign-key join only for what comes without foreign key by its own topic.
    pub(crate) fn takes_null_keys(&self, id: NodeId) -> bool {
        self.children(id).any(|child| child.kind.op() == Some("foreign_key_take")) || self.is_above_a_left_join(id)
    }

    fn is_above_a_left_join(&self, id: NodeId) -> bool {
        self.children(id).any(|child| match &child.kind {
            NodeKind::GlobalJoin { left: true, .. } => true,
            NodeKind::Stateful { op, settings, .. }
                if op != "foreign_key_take" && settings.contains_key("null_keys") =>
            {
                true
            }
            _ => self.is_above_a_left_join(child.id),
        })
    }

    /// The stores in which step `id` looks rows up: its own, or those that a view without store is made from.
    pub fn stores_behind(&self, id: NodeId) -> Vec<&str> {
        let Some(node) = self.node(id) else { return Vec::new() };
        let own = node.kind.stores();
        if !own.is_empty() {
            return own.iter().map(String::as_str).collect();
        }
        let above = if node.kind.reads().is_empty() { &node.parents } else { node.kind.reads() };
        let mut stores: Vec<&str> = above.iter().flat_map(|id| self.stores_behind(*id)).collect();
        stores.dedup();
        stores
    }

    /// Whether table `id` knows its rows' history: its own store does, or that of the table it is a view of.
    pub fn is_versioned(&self, id: NodeId) -> bool {
        let Some(node) = self.node(id) else { return false };
        let own = node.kind.stores();
        if !own.is_empty() {
            return own
                .iter()
                .any(|store| self.stores.get(store).is_some_and(|spec| spec.kind == StoreKind::Versioned));
        }
        let is_view = matches!(&node.kind, NodeKind::Stateful { reads, .. } if reads.is_empty());
        is_view && node.parents.iter().any(|parent| self.is_versioned(*parent))
    }

    /// The node called `name`.
    pub fn node_named(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The topics a source or a repartition reads.
    pub fn topics_read_by(&self, id: NodeId) -> &[String] {
        match self.node(id).map(|node| &node.kind) {
            Some(NodeKind::Source { topics, .. }) => topics,
            Some(NodeKind::Repartition { topic: Some(topic), .. }) => std::slice::from_ref(topic),
            _ => &[],
        }
    }

    /// Everything that sub-topology `part` reads, node by node: the order of a task's sources.
    pub fn inputs_of(&self, part: usize) -> impl Iterator<Item = (NodeId, &str)> {
        let sources = self.subtopologies.get(part).into_iter().flat_map(|part| &part.sources);
        sources.flat_map(|id| self.topics_read_by(*id).iter().map(|topic| (*id, topic.as_str())))
    }

    /// The number of the sub-topology that writes to the repartition `topic`.
    pub fn writer_of(&self, topic: &str) -> Option<usize> {
        let is_it = |node: &&Node| matches!(&node.kind, NodeKind::Repartition { topic: Some(t), .. } if t == topic);
        self.nodes.iter().find(is_it).and_then(|node| self.upstream_of(node.id))
    }

    /// The topics a user must provide: sources' and global tables', sorted.
    pub fn input_topics(&self) -> Vec<&str> {
        let sources = self.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Source { topics, .. } => Some(topics.iter().map(String::as_str)),
            _ => None,
        });
        let mut topics: Vec<_> =
            sources.flatten().chain(self.global_stores.values().map(|g| g.topic.as_str())).collect();
        topics.sort_unstable();
        topics.dedup();
        topics
    }

    /// The topics the program writes for others: outputs and dead letters, sorted.
    pub fn output_topics(&self) -> Vec<&str> {
        let mut topics = Vec::new();
        for node in &self.nodes {
            match &node.kind {
                NodeKind::To { topic, .. } | NodeKind::Source { dead_letter: Some(topic), .. } => {
                    topics.push(topic.as_str());
                }
                NodeKind::ToEach { topics: several, .. } => topics.extend(several.iter().map(String::as_str)),
                NodeKind::Validate { rules } => {
                    topics.extend(rules.iter().filter_map(|rule| rule.route.strip_prefix("dead_letter ")));
                }
                _ => {}
            }
        }
        if let OnFailure::DeadLetter(topic) = &self.on_failure {
            topics.push(topic);
        }
        topics.sort_unstable();
        topics.dedup();
        topics
    }

    /// The repartition topics, in plan order.
    pub fn repartition_topics(&self) -> Vec<&str> {
        self.nodes
            .iter()
            .filter_map(|node| match &node.kind {
                NodeKind::Repartition { topic, .. } => topic.as_deref(),
                _ => None,
            })
            .collect()
    }

    /// The number of the sub-topology that writes to the repartition node `id`. It may be the one that reads it too, where
    /// a table that both halves need holds them together.
    pub fn upstream_of(&self, id: NodeId) -> Option<usize> {
        let writes_only = |part: &Subtopology| part.nodes.contains(&id) && !part.sources.contains(&id);
        let mut parts = self.subtopologies.iter();
        parts.clone().position(writes_only).or_else(|| parts.position(|part| part.nodes.contains(&id)))
    }

    /// The plan as pretty JSON, stable across runs.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}
