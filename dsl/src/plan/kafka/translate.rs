//! Each step as Kafka's nodes, with the numbers that Kafka gives them in the order of the program's calls.

use std::collections::BTreeMap;

use super::graph::{KafkaGraph, Kind};
use crate::plan::{GlobalStore, Node, NodeId, NodeKind, Plan};

/// The plan in Kafka's nodes.
pub(super) fn translate(plan: &Plan) -> KafkaGraph {
    let mut translation = Translation { plan, graph: KafkaGraph::default(), ends: BTreeMap::new(), next: 0 };
    for node in &plan.nodes {
        translation.globals_before(Some(node.id));
        translation.step(node);
    }
    translation.globals_before(None);
    translation.graph
}

pub(super) struct Translation<'a> {
    pub(super) plan: &'a Plan,
    pub(super) graph: KafkaGraph,
    /// The Kafka node whose records are a step's.
    ends: BTreeMap<NodeId, usize>,
    /// The next number.
    pub(super) next: u32,
}

impl Translation<'_> {
    pub(super) fn number(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    /// A name of Kafka's making, or the user's; a number is spent on both.
    fn name(&mut self, prefix: &str, node: &Node) -> String {
        let number = self.number();
        match node.kind.op() {
            Some(op) if node.name != format!("{op}-{}", node.id.0) => node.name.clone(),
            _ => generated(prefix, number),
        }
    }

    pub(super) fn above(&self, node: &Node) -> Vec<usize> {
        node.parents.iter().filter_map(|parent| self.ends.get(parent)).copied().collect()
    }

    /// The sources of global tables that were made before step `id`.
    fn globals_before(&mut self, id: Option<NodeId>) {
        let mut tables: Vec<(&String, &GlobalStore)> = self.plan.global_stores.iter().collect();
        tables.sort_by_key(|(_, table)| table.after_steps);
        for (store, table) in tables {
            let known = self.graph.nodes.iter().any(|node| node.global && has_store(&node.kind, store));
            if known || id.is_some_and(|id| table.after_steps > id.0) {
                continue;
            }
            let source = self.source(listed(std::slice::from_ref(&table.topic)));
            let number = self.number();
            let rows = Kind::Processor { stores: vec![store.clone()] };
            let rows = self.graph.add(generated("KTABLE-SOURCE", number), rows, &[source]);
            for at in [source, rows] {
                if let Some(node) = self.graph.nodes.get_mut(at) {
                    node.global = true;
                }
            }
        }
    }

    fn source(&mut self, topics: String) -> usize {
        let number = self.number();
        self.graph.add(generated("KSTREAM-SOURCE", number), Kind::Source { topics }, &[])
    }

    fn step(&mut self, node: &Node) {
        let above = self.above(node);
        if let Some(end) = self.join_step(node, &above) {
            self.ends.extend(end.map(|end| (node.id, end)));
            return;
        }
        let end = match &node.kind {
            NodeKind::Source { topics, pattern, .. } => {
                Some(self.source(pattern.clone().unwrap_or_else(|| listed(topics))))
            }
            NodeKind::To { topic, .. } => {
                let number = self.number();
                Some(self.graph.add(generated("KSTREAM-SINK", number), Kind::Sink { topic: topic.clone() }, &above))
            }
            NodeKind::Repartition { label, topic, .. } => self.repartition(node, label, topic.is_some(), &above),
            NodeKind::Stateless { op, .. } if op == "branch" || op == "default_branch" => {
                Some(self.branch(node, op, &above))
            }
            NodeKind::Stateful { op, stores, .. } if op == "materialize" => self.materialize(stores, &above),
            kind if is_fold(kind) => Some(self.table(node)),
            _ => Some(self.processor(node, &above)),
        };
        if let Some(end) = end {
            self.ends.insert(node.id, end);
        }
    }

    /// The three nodes of a repartition topic. Kafka numbers them after an aggregation that asks for them, and before
    /// a join.
    fn repartition(&mut self, node: &Node, label: &str, has_topic: bool, above: &[usize]) -> Option<usize> {
        if !has_topic {
            return above.first().copied();
        }
        if let Some(end) = self.foreign_key_lane(node, label, above) {
            return Some(end);
        }
        let topic = format!("{label}-repartition");
        if self.parent_op(node) == Some("table_group_by") {
            let (sink, source) = (self.number(), self.number());
            self.graph.add(generated("KSTREAM-SINK", sink), Kind::Sink { topic: topic.clone() }, above);
            let topics = listed(&[topic]);
            return Some(self.graph.add(generated("KSTREAM-SOURCE", source), Kind::Source { topics }, &[]));
        }
        if !self.numbered_later(node.id) {
            self.next += 3;
        }
        let filter = self.processor_named(format!("{label}-repartition-filter"), Vec::new(), above);
        self.graph.add(format!("{label}-repartition-sink"), Kind::Sink { topic: topic.clone() }, &[filter]);
        Some(self.graph.add(format!("{label}-repartition-source"), Kind::Source { topics: listed(&[topic]) }, &[]))
    }

    pub(super) fn parent_op(&self, node: &Node) -> Option<&str> {
        self.plan.node(*node.parents.first()?)?.kind.op()
    }

    fn numbered_later(&self, repartition: NodeId) -> bool {
        let Some(node) = self.plan.node(repartition) else { return false };
        let forced = matches!(node.kind, NodeKind::Repartition { forced: true, .. });
        let folds = self.plan.children(repartition).any(|child| is_fold(&child.kind));
        !forced && self.parent_op(node) != Some("table_group_by") && folds
    }

    pub(super) fn processor_named(&mut self, name: String, stores: Vec<String>, above: &[usize]) -> usize {
        self.graph.add(name, Kind::Processor { stores }, above)
    }

    /// A step that keeps a table.
    fn table(&mut self, node: &Node) -> usize {
        if self.parent_op(node) == Some("foreign_key_join") {
            let above = self.above(node);
            let parent = node.parents.first().and_then(|id| self.plan.node(*id));
            let name = parent.map_or_else(String::new, |parent| format!("{}-result", parent.name));
            return self.processor_named(name, node.kind.stores().to_vec(), &above);
        }
        let number = self.number();
        let parent = node.parents.first().and_then(|id| self.plan.node(*id));
        let repartition = parent.filter(|parent| matches!(parent.kind, NodeKind::Repartition { topic: Some(_), .. }));
        if repartition.is_some_and(|parent| self.numbered_later(parent.id)) {
            self.next += 3;
        }
        let of_table = parent.is_some_and(|parent| self.parent_op(parent) == Some("table_group_by"));
        let prefix = match &node.kind {
            NodeKind::Aggregate { op, .. } if of_table && op == "reduce" => "KTABLE-REDUCE",
            NodeKind::Aggregate { .. } if of_table => "KTABLE-AGGREGATE",
            NodeKind::Table { .. } if parent.is_some_and(|p| matches!(p.kind, NodeKind::Source { .. })) => {
                "KTABLE-SOURCE"
            }
            NodeKind::Table { .. } => "KSTREAM-TOTABLE",
            kind if kind.op().is_some_and(|op| op.ends_with("reduce")) => "KSTREAM-REDUCE",
            _ => "KSTREAM-AGGREGATE",
        };
        let above = self.above(node);
        self.processor_named(generated(prefix, number), node.kind.stores().to_vec(), &above)
    }

    /// A branch is called after its split and its place; each spends a number besides.
    fn branch(&mut self, node: &Node, op: &str, above: &[usize]) -> usize {
        self.number();
        let split = node.parents.first().copied();
        let is_branch = |other: &&Node| other.kind.op() == Some("branch") && other.id <= node.id;
        let place = match split {
            Some(split) if op == "branch" => self.plan.children(split).filter(is_branch).count(),
            _ => 0,
        };
        let base = above.first().and_then(|at| self.graph.nodes.get(*at)).map_or("", |node| &node.name);
        let name = format!("{base}{place}");
        self.processor_named(name, Vec::new(), above)
    }

    /// In Kafka the store belongs to the step that makes the rows.
    fn materialize(&mut self, stores: &[String], above: &[usize]) -> Option<usize> {
        let at = above.first().copied()?;
        if let Some(Kind::Processor { stores: of_node }) = self.graph.nodes.get_mut(at).map(|node| &mut node.kind) {
            of_node.extend(stores.iter().cloned());
        }
        Some(at)
    }

    fn processor(&mut self, node: &Node, above: &[usize]) -> usize {
        let name = match &node.kind {
            // The grouping's name is the name of the step that chooses its key.
            NodeKind::Stateless { op, .. } | NodeKind::Stateful { op, .. } if op.ends_with("group_by") => {
                self.number();
                let label = self.plan.children(node.id).find_map(|child| match &child.kind {
                    NodeKind::Repartition { label, .. } => Some(label.clone()),
                    _ => None,
                });
                label.unwrap_or_else(|| node.name.clone())
            }
            // Kafka spends no number on a name that is given, here alone.
            NodeKind::Stateful { op, .. } if op.starts_with("suppress") => node.name.clone(),
            NodeKind::Stateful { op, .. } if op.ends_with("join_table") => {
                self.number();
                node.name.clone()
            }
            kind => self.name(prefix_of(kind), node),
        };
        let suffix = if node.kind.op().is_some_and(|op| op.starts_with("suppress")) { "-store" } else { "" };
        let mut stores: Vec<String> = node.kind.stores().iter().map(|store| format!("{store}{suffix}")).collect();
        let read = node.kind.reads().iter().flat_map(|id| self.plan.stores_behind(*id));
        stores.extend(read.map(str::to_owned));
        self.processor_named(name, stores, above)
    }
}

/// Whether a step folds a grouped stream or table into a store.
fn is_fold(kind: &NodeKind) -> bool {
    let folds = |op: &str| ["_count", "_reduce", "_aggregate"].iter().any(|fold| op.ends_with(fold));
    match kind {
        NodeKind::Aggregate { .. } | NodeKind::WindowedAggregate { .. } | NodeKind::Table { .. } => true,
        NodeKind::Stateful { op, .. } => folds(op),
        _ => false,
    }
}

fn has_store(kind: &Kind, store: &str) -> bool {
    matches!(kind, Kind::Processor { stores } if stores.iter().any(|other| other == store))
}

/// Topics as Java prints a sorted set.
pub(super) fn listed(topics: &[String]) -> String {
    let mut topics = topics.to_vec();
    topics.sort();
    format!("[{}]", topics.join(", "))
}

pub(super) fn generated(prefix: &str, number: u32) -> String {
    format!("{prefix}-{number:010}")
}

/// What Kafka calls the nodes of a step.
fn prefix_of(kind: &NodeKind) -> &'static str {
    match kind.op().unwrap_or_default() {
        "filter" | "filter_not" => "KSTREAM-FILTER",
        "map_values" | "try_map_values" => "KSTREAM-MAPVALUES",
        "flat_map_values" => "KSTREAM-FLATMAPVALUES",
        "map" => "KSTREAM-MAP",
        "flat_map" => "KSTREAM-FLATMAP",
        "select_key" => "KSTREAM-KEY-SELECT",
        "peek" => "KSTREAM-PEEK",
        "process_values" => "KSTREAM-PROCESSVALUES",
        "for_each" => "KSTREAM-FOREACH",
        "merge" => "KSTREAM-MERGE",
        "split" => "KSTREAM-BRANCH",
        "to_stream" | "updates" => "KTABLE-TOSTREAM",
        "table_filter" | "table_filter_not" => "KTABLE-FILTER",
        "table_map_values" => "KTABLE-MAPVALUES",
        // Kafka calls both kinds so.
        "join_global" | "left_join_global" => "KSTREAM-LEFTJOIN",
        _ => "KSTREAM-PROCESSOR",
    }
}
