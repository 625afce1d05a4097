//! How many partitions internal topics have, and how many tasks each sub-topology.

use std::collections::BTreeMap;

use headwater_core::{Error, ErrorKind, Result};

use super::{Node, NodeId, NodeKind, Plan};

impl Plan {
    /// The partition count of every topic the plan reads: the inputs' as `of_input` says, and each repartition
    /// topic's: the user's choice, else as many as the widest topic of the sub-topology that writes it.
    ///
    /// # Errors
    /// `HW0110` for an input that does not exist, `HW0111` where records of equal keys would be spread over topics
    /// of different partition counts.
    pub fn partition_counts(&self, of_input: &dyn Fn(&str) -> Option<i32>) -> Result<BTreeMap<String, i32>> {
        let mut counts = BTreeMap::new();
        for topic in self.input_topics() {
            let count = of_input(topic).ok_or_else(|| {
                Error::new(ErrorKind::Config, "HW0110", format!("topic {topic} does not exist"))
                    .help("create it, or feed it first; nothing was written")
            })?;
            counts.insert(topic.to_owned(), count);
        }
        // Nodes come in topological order, so a repartition's upstream is known by the time it is reached.
        for node in &self.nodes {
            let NodeKind::Repartition { topic: Some(topic), partitions, .. } = &node.kind else { continue };
            let widest = self.upstream_of(node.id).and_then(|part| self.task_count(part, &counts));
            // A pattern to which no topic is known yet feeds nothing, into 1 partition.
            let unfed = || self.patterns_without_topic().next().map(|_| 1);
            let count = partitions.or(widest).or_else(unfed).ok_or_else(|| {
                Error::new(ErrorKind::Internal, "HW0100", format!("repartition topic {topic} has no upstream"))
            })?;
            counts.insert(topic.clone(), count);
        }
        self.check_copartitioning(&counts)?;
        Ok(counts)
    }

    /// How many tasks sub-topology `part` has: the greatest partition count of its sources.
    pub fn task_count(&self, part: usize, counts: &BTreeMap<String, i32>) -> Option<i32> {
        self.inputs_of(part).filter_map(|(_, topic)| counts.get(topic)).max().copied()
    }

    /// A store must find all records of a key in one task, so all topics that feed it have equal counts.
    fn check_copartitioning(&self, counts: &BTreeMap<String, i32>) -> Result<()> {
        for node in &self.nodes {
            if !node.kind.needs_keys_together() {
                continue;
            }
            let fed_by: Vec<(String, i32)> = self
                .sources_met_in(node)
                .into_iter()
                .flat_map(|id| self.topics_read_by(id))
                .filter_map(|topic| counts.get(topic).map(|n| (topic.clone(), *n)))
                .collect();
            let differ = fed_by.windows(2).any(|pair| matches!(pair, [a, b] if a.1 != b.1));
            if differ {
                let list: Vec<_> = fed_by.iter().map(|(topic, n)| format!("{topic} has {n}")).collect();
                return Err(Error::new(
                    ErrorKind::Topology,
                    "HW0111",
                    format!("the inputs have different partition counts: {}", list.join(", ")),
                )
                .at_node(&node.name)
                .help(
                    "give the topics equal partition counts, or put .repartition(..) with one count before the merge",
                ));
            }
        }
        Ok(())
    }

    /// The sources and repartition topics whose records must be co-partitioned for step `node`: those that reach it and
    /// those of the tables it reads.
    pub(crate) fn sources_met_in(&self, node: &Node) -> Vec<NodeId> {
        let mut met = self.sources_of(node.id);
        for table in node.kind.reads() {
            // A table may be read right where a topic is: its own node is then the one to look above.
            met.extend(self.sources_of(*table));
        }
        met.sort_unstable();
        met.dedup();
        met
    }

    /// The sources and repartition topics whose records reach `id` inside its task.
    pub fn sources_of(&self, id: NodeId) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut open = vec![id];
        while let Some(at) = open.pop() {
            let Some(node) = self.node(at) else { continue };
            let reads = match &node.kind {
                NodeKind::Source { .. } => true,
                NodeKind::Repartition { topic, .. } => topic.is_some(),
                _ => false,
            };
            if at != id && reads {
                found.push(at);
            } else {
                open.extend(&node.parents);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}
