//! Kafka's nodes of joins and cogroups, which are several for what is one call.

use super::{
    graph::Kind,
    translate::{Translation, generated, listed},
};
use crate::plan::Node;

impl Translation<'_> {
    /// Translates a step of a join or cogroup. Gives `None` if it is no such step, and `Some(None)` if it has no node of
    /// its own.
    pub(super) fn join_step(&mut self, node: &Node, above: &[usize]) -> Option<Option<usize>> {
        let op = node.kind.op()?;
        let end = match op {
            // Kafka makes both halves together with their merge.
            "join_stream_this"
            | "join_stream_other"
            | "left_join_stream_this"
            | "left_join_stream_other"
            | "outer_join_stream_this"
            | "outer_join_stream_other"
            | "table_join_this"
            | "table_join_other"
            | "table_left_join_this"
            | "table_left_join_other"
            | "table_outer_join_this"
            | "table_outer_join_other" => {
                return Some(None);
            }
            // The answers of a foreign-key join go to one sink.
            "merge" if self.parent_op(node) == Some("foreign_key_take") => return Some(None),
            "join_stream" => self.stream_join(node, ("this", "other"), None),
            "left_join_stream" => self.stream_join(node, ("this", "outer-other"), Some("left-shared")),
            "outer_join_stream" => self.stream_join(node, ("outer-this", "outer-other"), Some("outer-shared")),
            "table_join" | "table_left_join" | "table_outer_join" if node.parents.len() == 2 => self.table_join(node),
            "foreign_key_subscribe" => {
                self.next += FOREIGN_KEY_NUMBERS;
                let base = node.name.trim_end_matches("-subscription-send");
                self.processor_named(format!("{base}-subscription-registration-processor"), Vec::new(), above)
            }
            "foreign_key_take" => {
                let base = node.name.trim_end_matches("-subscription-receive");
                let receive = self.processor_named(node.name.clone(), node.kind.stores().to_vec(), above);
                let right = self.looked_up(node);
                self.processor_named(format!("{base}-subscription-join-foreign"), right, &[receive])
            }
            "foreign_key_tell" => {
                let base = node.name.trim_end_matches("-subscription-tell");
                let name = format!("{base}-foreign-join-subscription");
                self.processor_named(name, node.kind.stores().to_vec(), above)
            }
            "foreign_key_join" => {
                let left = self.looked_up(node);
                self.processor_named(format!("{}-subscription-response-resolver", node.name), left, above)
            }
            "cogroup_input" => {
                let number = self.number();
                let name = generated("COGROUPKSTREAM-AGGREGATE", number);
                self.processor_named(name, node.kind.stores().to_vec(), above)
            }
            op if op.ends_with("cogroup") => {
                let number = self.number();
                self.processor_named(generated("COGROUPKSTREAM-MERGE", number), Vec::new(), above)
            }
            _ => return None,
        };
        Some(Some(end))
    }

    /// A repartition that belongs to a foreign-key join.
    pub(super) fn foreign_key_lane(&mut self, node: &Node, label: &str, above: &[usize]) -> Option<usize> {
        let parent = node.parents.first().and_then(|id| self.plan.node(*id))?;
        let from = match parent.kind.op()? {
            "foreign_key_subscribe" => above.to_vec(),
            "merge" if self.parent_op(parent) == Some("foreign_key_take") => self.above(parent),
            _ => return None,
        };
        let topic = format!("{label}-topic");
        self.graph.add(format!("{label}-sink"), Kind::Sink { topic: topic.clone() }, &from);
        Some(self.graph.add(format!("{label}-source"), Kind::Source { topics: listed(&[topic]) }, &[]))
    }

    fn looked_up(&self, node: &Node) -> Vec<String> {
        let stores = node.kind.reads().iter().flat_map(|id| self.plan.stores_behind(*id));
        stores.map(str::to_owned).collect()
    }

    /// What is above the halves of a join.
    fn above_halves(&self, node: &Node) -> (Vec<usize>, Vec<usize>) {
        let half = |place: usize| {
            let half = node.parents.get(place).and_then(|id| self.plan.node(*id));
            half.map(|half| self.above(half)).unwrap_or_default()
        };
        (half(0), half(1))
    }

    fn stream_join(&mut self, node: &Node, sides: (&str, &str), shared: Option<&str>) -> usize {
        self.next += 5;
        let name = &node.name;
        let (left, right) = self.above_halves(node);
        let (this, other) = sides;
        let store = |side: &str| format!("{name}-{side}-join-store");
        let shared = shared.map(store);
        let of_join = |other: String| std::iter::once(other).chain(shared.clone()).collect::<Vec<_>>();
        let left = self.processor_named(format!("{name}-this-windowed"), vec![store(this)], &left);
        let right = self.processor_named(format!("{name}-other-windowed"), vec![store(other)], &right);
        let left = self.processor_named(format!("{name}-{this}-join"), of_join(store(other)), &[left]);
        let right = self.processor_named(format!("{name}-{other}-join"), of_join(store(this)), &[right]);
        self.processor_named(format!("{name}-merge"), Vec::new(), &[left, right])
    }

    /// Kafka numbers the merge before the halves.
    fn table_join(&mut self, node: &Node) -> usize {
        let (merge, this, other) = (self.number(), self.number(), self.number());
        let (left, right) = self.above_halves(node);
        let reads = |place: usize| {
            let half = node.parents.get(place).and_then(|id| self.plan.node(*id));
            half.map(|half| self.looked_up(half)).unwrap_or_default()
        };
        let (of_right, of_left) = (reads(0), reads(1));
        let this = self.processor_named(generated("KTABLE-JOINTHIS", this), of_right, &left);
        let other = self.processor_named(generated("KTABLE-JOINOTHER", other), of_left, &right);
        self.processor_named(generated("KTABLE-MERGE", merge), Vec::new(), &[this, other])
    }
}

/// What a foreign-key join with a named result store spends.
const FOREIGN_KEY_NUMBERS: u32 = 13;
