//! What happens to state and topics when one plan replaces another.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Node, NodeKind, Plan};

/// The difference of two plans in terms of what is kept on disk and in the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PlanDiff {
    /// Stores and repartition topics in both plans, unchanged in form.
    pub kept: Vec<String>,
    /// New ones.
    pub added: Vec<String>,
    /// Ones the new plan no longer knows: their data would be orphaned.
    pub orphaned: Vec<String>,
    /// Ones whose form changed (kind, format, or the sub-topology they live in), with what changed.
    pub changed: Vec<String>,
}

impl PlanDiff {
    /// Whether state written under the old plan can be used by the new one.
    pub fn is_compatible(&self) -> bool {
        self.orphaned.is_empty() && self.changed.is_empty()
    }
}

impl Plan {
    /// What replacing `old` by `self` does to stores, repartition topics and sinks.
    pub fn diff(&self, old: &Self) -> PlanDiff {
        let mut diff = PlanDiff::default();
        let new_things = self.durable_things();
        let old_things = old.durable_things();
        let names: BTreeSet<_> = new_things.iter().chain(&old_things).map(|(name, _)| name.clone()).collect();
        for name in names {
            let find = |things: &[(String, String)]| things.iter().find(|t| t.0 == name).map(|t| t.1.clone());
            match (find(&old_things), find(&new_things)) {
                (Some(was), Some(is)) if was == is => diff.kept.push(name),
                (Some(was), Some(is)) => diff.changed.push(format!("{name}: was {was}, is {is}")),
                (None, Some(_)) => diff.added.push(name),
                (Some(_), None) => diff.orphaned.push(name),
                (None, None) => {}
            }
        }
        diff
    }

    /// Everything that outlives a run, with its form.
    fn durable_things(&self) -> Vec<(String, String)> {
        let mut things = Vec::new();
        for (name, store) in &self.stores {
            let part = self.subtopologies.iter().position(|p| p.stores.contains(name)).unwrap_or_default();
            let windows = self.nodes.iter().find(|node| node.kind.stores().first() == Some(name)).map(window_form);
            let windows = windows.unwrap_or_default();
            let log = match &store.options.source {
                Some(source) => format!(" restored from {source}"),
                None => if store.options.unlogged { " without changelog" } else { "" }.to_owned(),
            };
            let form =
                format!("{:?} of {} to {}{windows}{log} in sub-topology {part}", store.kind, store.key, store.value);
            things.push((format!("store {name}"), form));
        }
        for node in &self.nodes {
            match &node.kind {
                NodeKind::Repartition { topic: Some(topic), key, value, partitions, partitioner, .. } => {
                    let count = partitions.map(|n| format!(", {n} partitions")).unwrap_or_default();
                    let by = partitioner.as_ref().map(|name| format!(", placed by {name}")).unwrap_or_default();
                    things.push((format!("topic {topic}"), format!("{key} to {value}{count}{by}")));
                }
                NodeKind::Sink { sink } => {
                    things.push((format!("sink {}", node.name), format!("{} {}", sink.kind, sink.target)));
                }
                _ => {}
            }
        }
        things
    }
}

/// The windows that a step keeps rows of: rows of others would be misread.
fn window_form(node: &Node) -> String {
    let settings: Vec<(&str, i64)> = match &node.kind {
        NodeKind::WindowedAggregate { size_ms, .. } => vec![("size_ms", *size_ms)],
        NodeKind::Stateful { settings, .. } => {
            let kept = ["size_ms", "advance_ms", "difference_ms", "gap_ms"];
            kept.iter().filter_map(|name| Some((*name, *settings.get(*name)?))).collect()
        }
        _ => Vec::new(),
    };
    settings.iter().map(|(name, ms)| format!(" {name} {ms}")).collect()
}
