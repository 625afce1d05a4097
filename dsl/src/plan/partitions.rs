//! How many partitions internal topics have, and how many tasks each sub-topology.

use std::collections::BTreeMap;

use headwater_core::{Error, ErrorKind, Result};

use super::{EmitStrategy, Node, NodeId, NodeKind, Plan};

impl Plan {
    /// The partition count of every topic the plan reads: the inputs' as `of_input` says, and each repartition
    /// topic's: the user's choice; else that of an input, or of a topic with a chosen count, whose records meet its own in
    /// one step; else as many as the widest topic of the sub-topologies that write it and those it meets.
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
        for node in &self.nodes {
            if let NodeKind::Repartition { topic: Some(topic), partitions: Some(count), .. } = &node.kind {
                counts.insert(topic.clone(), *count);
            }
        }
        let groups = self.copartitioned();
        for group in &groups {
            if let Some(count) = self.known(group, &counts).first().copied() {
                self.widen(group, count, &mut counts);
            }
        }
        self.derive_counts(groups, &mut counts)?;
        self.check_copartitioning(&counts)?;
        Ok(counts)
    }

    /// Gives the groups of repartition topics that nothing else determines the width of what is upstream of them.
    fn derive_counts(&self, groups: Vec<Vec<NodeId>>, counts: &mut BTreeMap<String, i32>) -> Result<()> {
        let has_topics = |group: &Vec<NodeId>| group.iter().any(|id| !self.topics_read_by(*id).is_empty());
        let is_open = |group: &Vec<NodeId>| has_topics(group) && self.known(group, counts).is_empty();
        let mut open: Vec<_> = groups.into_iter().filter(is_open).collect();
        // A topic within a step that answers itself is upstream of its own upstream: then what is known decides.
        let mut settle = false;
        while !open.is_empty() {
            let before = open.len();
            for group in std::mem::take(&mut open) {
                let parts: Vec<usize> = group.iter().filter_map(|id| self.upstream_of(*id)).collect();
                let is_known = |part: &usize| self.inputs_of(*part).all(|(_, topic)| counts.contains_key(topic));
                let widest = parts.iter().filter_map(|part| self.task_count(*part, counts)).max();
                match widest {
                    Some(widest) if settle || parts.iter().all(is_known) => self.widen(&group, widest, counts),
                    _ => open.push(group),
                }
            }
            // A pattern to which no topic is known yet feeds nothing, into 1 partition.
            if open.len() == before && settle && self.patterns_without_topic().next().is_some() {
                open.drain(..).for_each(|group| self.widen(&group, 1, counts));
            }
            if open.len() == before && settle {
                let names: Vec<_> =
                    open.iter().flatten().flat_map(|id| self.topics_read_by(*id)).map(String::as_str).collect();
                let message = format!("these repartition topics have no upstream: {}", names.join(", "));
                return Err(Error::new(ErrorKind::Internal, "HW0100", message));
            }
            settle = open.len() == before;
        }
        Ok(())
    }

    /// The counts that are known among the topics of `group`.
    fn known(&self, group: &[NodeId], counts: &BTreeMap<String, i32>) -> Vec<i32> {
        let topics = group.iter().flat_map(|id| self.topics_read_by(*id));
        topics.filter_map(|topic| counts.get(topic).copied()).collect()
    }

    /// Gives the topics of `group` this count, where they have none.
    fn widen(&self, group: &[NodeId], count: i32, counts: &mut BTreeMap<String, i32>) {
        for topic in group.iter().flat_map(|id| self.topics_read_by(*id)) {
            counts.entry(topic.clone()).or_insert(count);
        }
    }

    /// Sources and repartition topics in groups whose records meet by their keys, in plan order; each is in one.
    fn copartitioned(&self) -> Vec<Vec<NodeId>> {
        let is_read = |node: &&Node| match &node.kind {
            NodeKind::Source { .. } => true,
            NodeKind::Repartition { topic, .. } => topic.is_some(),
            _ => false,
        };
        let read = self.nodes.iter().filter(is_read);
        let mut groups: Vec<Vec<NodeId>> = read.map(|node| vec![node.id]).collect();
        for node in self.nodes.iter().filter(|node| node.kind.needs_keys_together()) {
            let met = self.sources_met_in(node);
            let (joined, others): (Vec<_>, Vec<_>) =
                groups.into_iter().partition(|group| group.iter().any(|id| met.contains(id)));
            groups = others;
            let mut joined: Vec<NodeId> = joined.into_iter().flatten().collect();
            joined.sort_unstable();
            groups.push(joined);
        }
        groups.retain(|group| !group.is_empty());
        groups.sort_unstable();
        groups
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

    /// The input topics whose records reach `id`, through repartition topics too, sorted.
    pub fn inputs_above(&self, id: NodeId) -> Vec<&str> {
        let (mut topics, mut open, mut seen) = (Vec::new(), vec![id], Vec::new());
        while let Some(node) = open.pop().and_then(|at| self.node(at)) {
            if seen.contains(&node.id) {
                continue;
            }
            seen.push(node.id);
            if let NodeKind::Source { topics: read, .. } = &node.kind {
                topics.extend(read.iter().map(String::as_str));
            }
            open.extend(&node.parents);
        }
        topics.sort_unstable();
        topics.dedup();
        topics
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

    /// Whether sub-topology `part` makes something of the order in which its inputs' records come, so that a bounded run
    /// must take them in the order of their senders' time: a step of its own does, or one below a repartition topic that
    /// it writes.
    pub fn is_in_order(&self, part: usize) -> bool {
        let mut in_order = vec![false; self.subtopologies.len()];
        loop {
            let before = in_order.clone();
            for (number, part) in self.subtopologies.iter().enumerate() {
                let below = |id: &NodeId| {
                    let writes = self.upstream_of(*id) == Some(number) && !self.is_in_a_loop(*id);
                    writes && self.reader_of(*id).is_some_and(|reads| before.get(reads) == Some(&true))
                };
                let own = |id: &NodeId| self.node(*id).is_some_and(|node| self.depends_on_order(node));
                let found = part.nodes.iter().any(|id| own(id) || below(id));
                if let Some(known) = in_order.get_mut(number) {
                    *known |= found;
                }
            }
            if before == in_order {
                return in_order.get(part).copied().unwrap_or_default();
            }
        }
    }

    /// Whether what a step makes of its records depends on the order in which they come: what it keeps, what it looks up,
    /// or when its timers fire. A count that goes downstream when its window has closed is the same in any order; but its
    /// records' lateness depends on how those of several inputs meet.
    fn depends_on_order(&self, node: &Node) -> bool {
        match &node.kind {
            NodeKind::WindowedAggregate { op, emit: EmitStrategy::OnWindowClose, .. } if op == "count" => {
                self.sources_of(node.id).len() > 1
            }
            NodeKind::Stateful { op, .. } if op.starts_with("process") => true,
            kind => kind.needs_keys_together(),
        }
    }

    /// Whether the tasks that read repartition `id` are above those that write it, too, as within a foreign-key join.
    /// Who waits there for what the others still send waits for himself, so nobody does.
    pub(crate) fn is_in_a_loop(&self, id: NodeId) -> bool {
        if !matches!(self.node(id).map(|node| &node.kind), Some(NodeKind::Repartition { .. })) {
            return false;
        }
        let (Some(writer), Some(reader)) = (self.upstream_of(id), self.reader_of(id)) else { return false };
        let (mut open, mut seen) = (vec![reader], Vec::new());
        while let Some(part) = open.pop() {
            if part == writer {
                return true;
            }
            if !seen.contains(&part) {
                seen.push(part);
                let written = self.nodes.iter().filter(|node| self.upstream_of(node.id) == Some(part));
                open.extend(written.filter_map(|node| self.reader_of(node.id)));
            }
        }
        false
    }

    /// The sub-topology that reads repartition or source `id`.
    fn reader_of(&self, id: NodeId) -> Option<usize> {
        self.subtopologies.iter().position(|part| part.sources.contains(&id))
    }
}
