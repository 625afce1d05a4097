//! The pass that cuts the plan into sub-topologies: nodes joined by a hand-over inside a process, or by a shared
//! store, belong together; a repartition topic separates.

use std::collections::BTreeMap;

use super::{NodeId, NodeKind, Plan, Subtopology};

/// Fills `plan.subtopologies`, numbered by their first node as Kafka Streams does.
pub(crate) fn cut(mut plan: Plan) -> Plan {
    // A repartition with a topic has two halves: half 0 writes (upstream), half 1 reads (downstream).
    let mut groups = Groups::new(plan.nodes.len() * 2);
    let is_cut =
        |id: NodeId| plan.node(id).is_some_and(|n| matches!(&n.kind, NodeKind::Repartition { topic: Some(_), .. }));
    let lower = |id: NodeId| id.0 as usize * 2 + usize::from(is_cut(id));
    let upper = |id: NodeId| id.0 as usize * 2;
    let mut store_user: BTreeMap<&str, usize> = BTreeMap::new();
    for node in &plan.nodes {
        for parent in &node.parents {
            groups.join(lower(*parent), upper(node.id));
        }
        for table in node.kind.reads() {
            groups.join(lower(*table), upper(node.id));
        }
        for store in node.kind.stores() {
            let here = lower(node.id);
            let first = *store_user.entry(store).or_insert(here);
            groups.join(first, here);
        }
    }
    let mut order: Vec<usize> = Vec::new();
    let mut parts: Vec<Subtopology> = Vec::new();
    for node in &plan.nodes {
        let halves = if is_cut(node.id) { vec![upper(node.id), lower(node.id)] } else { vec![upper(node.id)] };
        for half in halves {
            let root = groups.root(half);
            let number = order.iter().position(|r| *r == root).unwrap_or_else(|| {
                order.push(root);
                parts.push(Subtopology::default());
                order.len() - 1
            });
            let Some(part) = parts.get_mut(number) else { continue };
            part.nodes.push(node.id);
            let reads = matches!(node.kind, NodeKind::Source { .. }) || (is_cut(node.id) && half == lower(node.id));
            if reads {
                part.sources.push(node.id);
            }
            for store in node.kind.stores() {
                if !part.stores.contains(store) {
                    part.stores.push(store.clone());
                }
            }
        }
    }
    plan.subtopologies = parts;
    plan
}

/// Disjoint sets; the smaller index is the root, so numbering follows the order written.
struct Groups(Vec<usize>);

impl Groups {
    fn new(len: usize) -> Self {
        Self((0..len).collect())
    }

    fn root(&self, mut at: usize) -> usize {
        while let Some(&up) = self.0.get(at).filter(|up| **up != at) {
            at = up;
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if let Some(slot) = self.0.get_mut(a.max(b)) {
            *slot = a.min(b);
        }
    }
}
