//! The plan as a Mermaid flowchart, for READMEs and reviews.

use std::fmt::Write as _;

use super::{NodeKind, Plan};

impl Plan {
    /// The topology as Mermaid text: one box per sub-topology, topics as rounded nodes, stores as cylinders.
    pub fn mermaid(&self) -> String {
        let mut out = String::from("flowchart TD\n");
        let mut edges = String::new();
        for (number, part) in self.subtopologies.iter().enumerate() {
            let _ = writeln!(out, "  subgraph s{number}[\"Sub-topology {number}\"]");
            for node in part.nodes.iter().filter_map(|id| self.node(*id)) {
                let reads = part.sources.contains(&node.id);
                let id = format!("s{number}n{}", node.id.0);
                let _ = writeln!(out, "    {id}[\"{}\"]", label(&node.name));
                for parent in &node.parents {
                    if !reads {
                        let _ = writeln!(edges, "  s{number}n{} --> {id}", parent.0);
                    }
                }
                let looked_up = node.kind.reads().iter().flat_map(|id| self.stores_behind(*id));
                for store in node.kind.stores().iter().map(String::as_str).chain(looked_up) {
                    let _ = writeln!(edges, "  {id} -.- store_{0}[(\"{0}\")]", label(store));
                }
                match &node.kind {
                    NodeKind::Source { topics, pattern, .. } => {
                        for topic in topics.iter().chain(pattern.as_ref().filter(|_| topics.is_empty())) {
                            let _ = writeln!(edges, "  {0}([\"{0}\"]) --> {id}", label(topic));
                        }
                    }
                    NodeKind::ToEach { topics, .. } => {
                        for topic in topics {
                            let _ = writeln!(edges, "  {id} --> {0}([\"{0}\"])", label(topic));
                        }
                    }
                    NodeKind::Repartition { topic: Some(topic), .. } if reads => {
                        let _ = writeln!(edges, "  {0}([\"{0}\"]) --> {id}", label(topic));
                    }
                    NodeKind::Repartition { topic: Some(topic), .. } | NodeKind::To { topic, .. } => {
                        let _ = writeln!(edges, "  {id} --> {0}([\"{0}\"])", label(topic));
                    }
                    NodeKind::GlobalJoin { store, .. } => {
                        let _ = writeln!(edges, "  global_{0}[(\"{0}\")] -.- {id}", label(store));
                    }
                    NodeKind::Sink { sink } => {
                        let _ = writeln!(
                            edges,
                            "  {id} --> sink_{0}[/\"{1} {0}\"/]",
                            label(&sink.target),
                            label(&sink.kind)
                        );
                    }
                    _ => {}
                }
            }
            out.push_str("  end\n");
        }
        for (store, global) in &self.global_stores {
            let _ = writeln!(edges, "  {0}([\"{0}\"]) --> global_{1}[(\"{1}\")]", label(&global.topic), label(store));
        }
        out + &edges
    }
}

/// Mermaid has no escapes inside quotes: the names' alphabet needs none, other text loses its quotes.
fn label(text: &str) -> String {
    text.replace('"', "'")
}
