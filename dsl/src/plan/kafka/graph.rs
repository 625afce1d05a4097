//! Kafka's nodes: sub-topologies, order and text.

use std::{cmp::Ordering, collections::BTreeMap, fmt::Write as _};

use super::java_hash::sort_as_java;

/// What a node of Kafka's is.
pub(super) enum Kind {
    /// A sorted list in brackets, or a pattern.
    Source {
        topics: String,
    },
    Processor {
        stores: Vec<String>,
    },
    Sink {
        topic: String,
    },
}

/// A node of Kafka's.
pub(super) struct KafkaNode {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) parents: Vec<usize>,
    /// Whether it belongs to a global table.
    pub(super) global: bool,
}

/// Kafka's nodes in the order of their making.
#[derive(Default)]
pub(super) struct KafkaGraph {
    pub(super) nodes: Vec<KafkaNode>,
}

/// A node as Kafka describes it: its size is that of the tree below it.
#[derive(Default, Clone)]
struct Described {
    size: usize,
    parents: Vec<usize>,
    children: Vec<usize>,
}

impl KafkaGraph {
    pub(super) fn add(&mut self, name: impl Into<String>, kind: Kind, parents: &[usize]) -> usize {
        self.nodes.push(KafkaNode { name: name.into(), kind, parents: parents.to_vec(), global: false });
        self.nodes.len() - 1
    }

    /// Kafka's text.
    pub(super) fn describe(&self) -> String {
        let parts = self.parts();
        let mut out = String::from("Topologies:\n ");
        for (number, part) in parts.iter().enumerate() {
            let global = part.iter().any(|at| self.nodes.get(*at).is_some_and(|node| node.global));
            let what = if global { " for global store (will not generate tasks)" } else { "" };
            let _ = writeln!(out, "  Sub-topology: {number}{what}");
            self.describe_part(part, &mut out);
            if !global {
                out.push('\n');
            }
        }
        out
    }

    /// The nodes by sub-topology, in Kafka's numbering: by the least name of a source.
    fn parts(&self) -> Vec<Vec<usize>> {
        let mut root: Vec<usize> = (0..self.nodes.len()).collect();
        let mut users: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, node) in self.nodes.iter().enumerate() {
            for parent in &node.parents {
                join(&mut root, *parent, at);
            }
            if let Kind::Processor { stores } = &node.kind {
                for store in stores {
                    let first = *users.entry(store).or_insert(at);
                    join(&mut root, first, at);
                }
            }
        }
        let mut by_name: Vec<usize> = (0..self.nodes.len()).collect();
        let is_source = |at: usize| self.nodes.get(at).is_some_and(|node| matches!(node.kind, Kind::Source { .. }));
        by_name.sort_by_key(|at| (!is_source(*at), self.name(*at)));
        let mut order: Vec<usize> = Vec::new();
        let mut parts: Vec<Vec<usize>> = Vec::new();
        for at in by_name {
            let root = find(&root, at);
            match order.iter().position(|known| *known == root) {
                Some(place) => parts.get_mut(place).into_iter().for_each(|part| part.push(at)),
                None => {
                    order.push(root);
                    parts.push(vec![at]);
                }
            }
        }
        parts
    }

    fn name(&self, at: usize) -> &str {
        self.nodes.get(at).map_or("", |node| &node.name)
    }

    /// Larger trees first, then by name.
    fn compare(&self, described: &[Described], a: usize, b: usize) -> Ordering {
        let size = |at: usize| described.get(at).map_or(0, |node| node.size);
        size(b).cmp(&size(a)).then_with(|| self.name(a).cmp(self.name(b)))
    }

    fn describe_part(&self, part: &[usize], out: &mut String) {
        let described = self.connect(part);
        let mut nodes = part.to_vec();
        nodes.sort_by(|a, b| self.compare(&described, *a, *b));
        for at in nodes {
            let (Some(node), Some(around)) = (self.nodes.get(at), described.get(at)) else { continue };
            let (parents, children) = (self.list(&around.parents), self.list(&around.children));
            let name = &node.name;
            let _ = match &node.kind {
                Kind::Source { topics } => writeln!(out, "    Source: {name} (topics: {topics})\n      --> {children}"),
                Kind::Sink { topic } => writeln!(out, "    Sink: {name} (topic: {topic})\n      <-- {parents}"),
                Kind::Processor { stores } => {
                    let mut stores = stores.clone();
                    stores.dedup();
                    sort_as_java(&mut stores, String::clone);
                    let stores = stores.join(", ");
                    writeln!(
                        out,
                        "    Processor: {name} (stores: [{stores}])\n      --> {children}\n      <-- {parents}"
                    )
                }
            };
        }
    }

    /// Connects the nodes one by one in the order of a Java map, as Kafka does: the sets of children and parents are
    /// sorted by the sizes of that moment.
    fn connect(&self, part: &[usize]) -> Vec<Described> {
        let mut described = vec![Described { size: 1, ..Described::default() }; self.nodes.len()];
        let mut order = part.to_vec();
        sort_as_java(&mut order, |at| self.name(*at).to_owned());
        for at in order {
            let parents = self.nodes.get(at).map(|node| node.parents.clone()).unwrap_or_default();
            for parent in parents {
                self.insert(&mut described, at, parent, |node| &mut node.parents);
                self.insert(&mut described, parent, at, |node| &mut node.children);
                let size = described.get(at).map_or(0, |node| node.size);
                grow(&mut described, parent, size);
            }
        }
        described
    }

    fn insert(
        &self,
        described: &mut [Described],
        of: usize,
        what: usize,
        set: impl Fn(&mut Described) -> &mut Vec<usize>,
    ) {
        let Some(mut members) = described.get_mut(of).map(|node| std::mem::take(set(node))) else { return };
        if !members.contains(&what) {
            let at = members.partition_point(|member| self.compare(described, *member, what).is_lt());
            members.insert(at, what);
        }
        if let Some(node) = described.get_mut(of) {
            *set(node) = members;
        }
    }

    fn list(&self, nodes: &[usize]) -> String {
        if nodes.is_empty() {
            return "none".to_owned();
        }
        nodes.iter().map(|at| self.name(*at)).collect::<Vec<_>>().join(", ")
    }
}

/// `at` and everything above it that is connected so far has `by` nodes more below it.
fn grow(described: &mut [Described], at: usize, by: usize) {
    let Some(node) = described.get_mut(at) else { return };
    node.size += by;
    for parent in node.parents.clone() {
        grow(described, parent, by);
    }
}

fn find(root: &[usize], mut at: usize) -> usize {
    while let Some(&up) = root.get(at).filter(|up| **up != at) {
        at = up;
    }
    at
}

fn join(root: &mut [usize], a: usize, b: usize) {
    let (a, b) = (find(root, a), find(root, b));
    if let Some(slot) = root.get_mut(a.max(b)) {
        *slot = a.min(b);
    }
}
