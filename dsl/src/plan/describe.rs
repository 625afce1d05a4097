//! The plan as text, in the form of Kafka Streams' `Topology.describe()`, which people's diff scripts and
//! visualisers parse.

use std::fmt::Write as _;

use super::{Node, NodeId, NodeKind, Plan};

impl Plan {
    /// The topology in the form of Kafka's `describe()`.
    pub fn describe(&self) -> String {
        // Kafka puts a space after the first line, so the first sub-topology is indented by one more than the others.
        let mut out = String::from("Topologies:\n ");
        for (number, part) in self.subtopologies.iter().enumerate() {
            let _ = writeln!(out, "  Sub-topology: {number}");
            for id in &part.nodes {
                if let Some(node) = self.node(*id) {
                    self.describe_node(&mut out, node, part.sources.contains(id));
                }
            }
            out.push('\n');
        }
        for (number, (store, global)) in self.global_stores.iter().enumerate() {
            let number = self.subtopologies.len() + number;
            let _ = writeln!(out, "  Sub-topology: {number} for global store (will not generate tasks)");
            let _ = writeln!(out, "    Source: {store}-source (topics: [{}])\n      --> {store}", global.topic);
            let _ =
                writeln!(out, "    Processor: {store} (stores: [{store}])\n      --> none\n      <-- {store}-source");
        }
        out
    }

    fn describe_node(&self, out: &mut String, node: &Node, reads: bool) {
        let children = names(self.children(node.id).map(|child| half_name(child, "sink")));
        let parents = names(node.parents.iter().filter_map(|id| self.node(*id)).map(|p| half_name(p, "source")));
        let name = &node.name;
        match &node.kind {
            NodeKind::Source { pattern: Some(pattern), .. } => {
                let _ = writeln!(out, "    Source: {name} (topics: {pattern})\n      --> {children}");
            }
            NodeKind::Source { topics, .. } => {
                let topics = topics.join(", ");
                let _ = writeln!(out, "    Source: {name} (topics: [{topics}])\n      --> {children}");
            }
            NodeKind::Repartition { topic: Some(topic), .. } if reads => {
                let _ = writeln!(out, "    Source: {name}-source (topics: [{topic}])\n      --> {children}");
            }
            NodeKind::Repartition { topic: Some(topic), .. } => {
                let _ = writeln!(out, "    Sink: {name}-sink (topic: {topic})\n      <-- {parents}");
            }
            NodeKind::To { topic, .. } => {
                let _ = writeln!(out, "    Sink: {name} (topic: {topic})\n      <-- {parents}");
            }
            NodeKind::ToEach { topics, .. } => {
                let topics = topics.join(", ");
                let _ = writeln!(out, "    Sink: {name} (topics: [{topics}])\n      <-- {parents}");
            }
            kind => {
                let mut stores: Vec<&str> = kind.stores().iter().map(String::as_str).collect();
                stores.extend(kind.reads().iter().flat_map(|id| self.stores_behind(*id)));
                let stores = stores.join(", ");
                let _ = writeln!(
                    out,
                    "    Processor: {name} (stores: [{stores}])\n      --> {children}\n      <-- {parents}"
                );
            }
        }
    }
}

/// A repartition with a topic shows as two nodes: the sink that writes it and the source that reads it.
fn half_name(node: &Node, half: &str) -> String {
    match node.kind {
        NodeKind::Repartition { topic: Some(_), .. } => format!("{}-{half}", node.name),
        _ => node.name.clone(),
    }
}

fn names(names: impl Iterator<Item = String>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

impl std::fmt::Display for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{}", self.0)
    }
}
