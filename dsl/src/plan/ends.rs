//! When a step's input has ended.

use super::{EmitStrategy, NodeId, NodeKind, Plan};

impl Plan {
    /// The sources that must have ended before step `id` has: those above it, those of the tables that it or a step above it
    /// looks into, and those whose records meet the last results of a step above it. Which rows such results find must not
    /// depend on whose input was read first. Topics in a loop of tasks are not waited for: they may wait for this end.
    pub(crate) fn ends_with(&self, id: NodeId) -> Vec<NodeId> {
        let mut sources = self.sources_behind(id);
        let emits = |id: &NodeId| self.node(*id).is_some_and(|node| node.kind.emits_at_the_end());
        for emitter in self.steps_above(id).into_iter().filter(emits) {
            let met = self.steps_below(emitter).into_iter().flat_map(|below| self.sources_behind(below));
            sources.extend(met.filter(|source| !self.is_in_a_loop(*source)));
        }
        sources.sort_unstable();
        sources.dedup();
        sources
    }

    /// The sources above `id` in its task, and those of the tables that it or a step above it looks into.
    fn sources_behind(&self, id: NodeId) -> Vec<NodeId> {
        let (mut found, mut open) = (Vec::new(), vec![id]);
        while let Some(node) = open.pop().and_then(|at| self.node(at)) {
            if node.id != id && node.kind.is_read() {
                found.push(node.id);
            } else {
                open.extend(node.parents.iter().chain(node.kind.reads()));
            }
        }
        found
    }

    /// The steps above `id` in its task, and `id`.
    fn steps_above(&self, id: NodeId) -> Vec<NodeId> {
        let (mut found, mut open) = (Vec::new(), vec![id]);
        while let Some(node) = open.pop().and_then(|at| self.node(at)) {
            if (node.id == id || !node.kind.is_read()) && !found.contains(&node.id) {
                found.push(node.id);
                open.extend(&node.parents);
            }
        }
        found
    }

    /// The steps below `id` in its task, up to the repartition topics that they write.
    fn steps_below(&self, id: NodeId) -> Vec<NodeId> {
        let (mut found, mut open) = (Vec::new(), vec![id]);
        while let Some(at) = open.pop() {
            for child in self.children(at).filter(|child| !found.contains(&child.id)).collect::<Vec<_>>() {
                found.push(child.id);
                if !child.kind.is_read() {
                    open.push(child.id);
                }
            }
        }
        found
    }
}

impl NodeKind {
    /// Whether tasks read it: a source, or a repartition with a topic.
    fn is_read(&self) -> bool {
        matches!(self, Self::Source { .. } | Self::Repartition { topic: Some(_), .. })
    }

    /// Whether it sends what it has held back when its input ends.
    fn emits_at_the_end(&self) -> bool {
        match self {
            Self::WindowedAggregate { emit, .. } => *emit == EmitStrategy::OnWindowClose,
            Self::Stateful { op, settings, final_within_ms, .. } => {
                final_within_ms.is_some() || settings.contains_key("holds_back_ms") || op.starts_with("suppress")
            }
            _ => false,
        }
    }
}
