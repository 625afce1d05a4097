//! The passes that follow the key: a step that may change it marks everything below; the next step that needs equal
//! keys together gets its repartition topic, and a clean key after it.

use std::collections::BTreeSet;

use super::{NodeId, NodeKind, Plan};

/// Gives every repartition below a changed key (and every forced one) its topic `<app>-<label>-repartition`.
pub(crate) fn insert_repartitions(mut plan: Plan) -> Plan {
    let mut changed: BTreeSet<NodeId> = BTreeSet::new();
    for index in 0..plan.nodes.len() {
        let app = plan.app.clone();
        let Some(node) = plan.nodes.get_mut(index) else { continue };
        let inherits = node.parents.iter().any(|parent| changed.contains(parent));
        match &mut node.kind {
            // It gives equal keys to one task again, so nothing below it counts as changed.
            NodeKind::Repartition { label, topic, forced, .. } => {
                let needed = inherits || *forced;
                // The topics within a step have names of their own.
                if topic.is_none() {
                    *topic = needed.then(|| format!("{app}-{label}-repartition"));
                }
            }
            NodeKind::Stateless { changes_key: true, .. } | NodeKind::Stateful { changes_key: true, .. } => {
                changed.insert(node.id);
            }
            _ if inherits => {
                changed.insert(node.id);
            }
            _ => {}
        }
    }
    plan
}

/// Lets the first of several repartitions of one stream serve the others, if they would send the same bytes to the same
/// partitions: those then stand below it, where no key has changed, and need no topic of their own.
pub(crate) fn merge_repartitions(mut plan: Plan) -> Plan {
    let mut firsts: Vec<(NodeId, &NodeKind, &[NodeId])> = Vec::new();
    let mut merged: Vec<(NodeId, NodeId)> = Vec::new();
    for node in &plan.nodes {
        // What was asked for by name stays, and so do the topics within a step.
        let NodeKind::Repartition { topic: None, forced: false, .. } = &node.kind else { continue };
        match firsts.iter().find(|(_, kind, parents)| *parents == node.parents && alike(kind, &node.kind)) {
            Some((first, ..)) => merged.push((node.id, *first)),
            None => firsts.push((node.id, &node.kind, &node.parents)),
        }
    }
    for (id, first) in merged {
        if let Some(node) = plan.nodes.get_mut(id.0 as usize) {
            node.parents = vec![first];
        }
    }
    plan
}

/// Whether two repartitions differ by their names alone.
fn alike(one: &NodeKind, other: &NodeKind) -> bool {
    let NodeKind::Repartition { partitions, partitioner, key, value, .. } = one else { return false };
    let parts = (partitions, partitioner, key, value);
    matches!(other, NodeKind::Repartition { partitions, partitioner, key, value, .. }
        if (partitions, partitioner, key, value) == parts)
}
