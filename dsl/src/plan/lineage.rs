//! The pass that follows the key: a step that may change it marks everything below; the next step that needs equal
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
