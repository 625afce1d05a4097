//! In which task a store has a key's row.

use super::{Node, NodeKind, Plan};

impl Plan {
    /// Whether each row of `store` is in the task whose number is the default partition of its key's bytes. That is known
    /// where all its records come through repartition topics in the store's key format. It is not known of an input
    /// topic: its producers may have chosen the partitions in another way, or written the keys in another format.
    pub fn is_routed_by_key(&self, store: &str) -> bool {
        let Some(spec) = self.stores.get(store) else { return false };
        let mut writers =
            self.nodes.iter().filter(|node| node.kind.stores().iter().any(|name| name == store)).peekable();
        writers.peek().is_some() && writers.all(|node| keeps_keys(node) && self.comes_routed(node, &spec.key))
    }

    /// Whether all records that reach `node` lie where the default partition of their keys in `format` is.
    fn comes_routed(&self, node: &Node, format: &str) -> bool {
        let mut parents = node.parents.iter().filter_map(|id| self.node(*id)).peekable();
        parents.peek().is_some()
            && parents.all(|parent| match &parent.kind {
                NodeKind::Repartition { topic: Some(_), partitioner, key, .. } => {
                    partitioner.is_none() && key == format
                }
                NodeKind::Repartition { topic: None, .. } | NodeKind::Stateless { changes_key: false, .. } => {
                    self.comes_routed(parent, format)
                }
                // The inputs of a cogroup stand between their streams and the table.
                kind => kind.op() == Some("cogroup_input") && self.comes_routed(parent, format),
            })
    }
}

/// Whether the step's rows are under the keys of the records that it takes.
fn keeps_keys(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Table { .. } | NodeKind::Aggregate { .. } | NodeKind::WindowedAggregate { .. } => true,
        // A processor may put a row under any key.
        NodeKind::Stateful { op, .. } => node.kind.windows().is_some() || op.starts_with("cogroup"),
        _ => false,
    }
}
