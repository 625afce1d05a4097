//! What a node is: which operators may follow it, and whether its records' order is defined.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Case, Fold, Op, Windows};

/// A node's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Stream,
    /// Rows of text.
    Table,
    Versioned,
    /// Rows that the twin has in another type: only shown, or turned into a stream.
    Counts,
    Windowed,
    Global,
    Split,
}

/// The shape of each node.
pub fn shapes(case: &Case) -> Vec<Shape> {
    let mut shapes: Vec<Shape> = Vec::new();
    for node in &case.nodes {
        let of = node.of.first().map(|of| shapes[*of]);
        shapes.push(match &node.op {
            Op::VersionedTable { .. } => Shape::Versioned,
            Op::GlobalTable { .. } => Shape::Global,
            Op::Split { .. } => Shape::Split,
            Op::TableGroupBy { fold: Fold::Count, .. }
            | Op::Aggregate { fold: Fold::Count | Fold::Reduce, windows: Windows::None, .. } => Shape::Counts,
            Op::Cogroup { windows, .. } | Op::Aggregate { windows, .. } if *windows != Windows::None => Shape::Windowed,
            Op::SuppressUntilClosed | Op::SuppressUntilTimeLimit { .. } => of.unwrap(),
            Op::Table { .. }
            | Op::ToTable
            | Op::Aggregate { .. }
            | Op::Cogroup { .. }
            | Op::TableGroupBy { .. }
            | Op::TableFilter { .. }
            | Op::TableFilterNot { .. }
            | Op::TableMapValues { .. }
            | Op::TableTransformValues
            | Op::TableJoin { .. }
            | Op::ForeignKeyJoin { .. } => Shape::Table,
            _ => Shape::Stream,
        });
    }
    shapes
}

/// The ways by which a node's records come: for each source topic, the repartitions on the way.
type Lanes = BTreeMap<String, BTreeSet<Vec<usize>>>;

/// What is known of a node's records.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    pub key_changed: bool,
    lanes: Lanes,
}

impl Lineage {
    fn repartitioned(&self, by: usize) -> Self {
        let longer = |ways: &BTreeSet<Vec<usize>>| ways.iter().map(|way| [way.as_slice(), &[by]].concat()).collect();
        let lanes = self.lanes.iter().map(|(topic, ways)| (topic.clone(), longer(ways))).collect();
        Self { key_changed: false, lanes }
    }

    /// Whether its records went through a repartition topic.
    pub fn is_behind_repartition(&self) -> bool {
        self.repartitions() > 0
    }

    /// Through how many its records went at most.
    pub fn repartitions(&self) -> usize {
        self.lanes.values().flatten().map(Vec::len).max().unwrap_or_default()
    }

    /// Whether they were sent by several: upstream tasks, or one of these and a source beside it.
    pub fn has_several_senders(&self) -> bool {
        several(&self.lanes.values().flatten().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// Whether records of one source meet here that came by different tasks: their order is nobody's promise.
    fn meets_by_other_ways(&self, other: &Self) -> bool {
        self.lanes.iter().any(|(topic, ways)| other.lanes.get(topic).is_some_and(|others| others != ways))
    }

    fn joined(&self, other: &Self) -> Self {
        let mut lanes = self.lanes.clone();
        for (topic, ways) in &other.lanes {
            lanes.entry(topic.clone()).or_default().extend(ways.iter().cloned());
        }
        Self { key_changed: self.key_changed || other.key_changed, lanes }
    }
}

/// Whether the last tasks on these ways are several, or one that hands on what several have sent.
fn several(ways: &[&[usize]]) -> bool {
    let last = ways.first().and_then(|way| way.last());
    if ways.iter().any(|way| way.last() != last) {
        return true;
    }
    last.is_some() && several(&ways.iter().map(|way| &way[..way.len() - 1]).collect::<Vec<_>>())
}

/// The lineage of each node; `None` if records meet in an order that nobody promises.
pub fn lineages(case: &Case) -> Option<Vec<Lineage>> {
    let mut known: Vec<Lineage> = Vec::new();
    let shapes = shapes(case);
    for (id, node) in case.nodes.iter().enumerate() {
        if let Some(topic) = node.op.topic() {
            let lanes = BTreeMap::from([(topic.to_owned(), BTreeSet::from([Vec::new()]))]);
            known.push(Lineage { key_changed: false, lanes });
            continue;
        }
        // Where a key was changed, the steps that need equal keys together put a topic in between.
        let needs_keys = matches!(
            node.op,
            Op::Aggregate { .. } | Op::Cogroup { .. } | Op::ToTable | Op::JoinTable { .. } | Op::JoinStreams { .. }
        );
        let changes = match &node.op {
            Op::Aggregate { key, .. } | Op::Cogroup { key, .. } => key.is_some(),
            _ => false,
        };
        let forced = matches!(node.op, Op::Repartition | Op::TableGroupBy { .. } | Op::ForeignKeyJoin { .. });
        let mut made: Option<Lineage> = None;
        for (place, of) in node.of.iter().enumerate() {
            let mut input = known[*of].clone();
            if shapes[*of] == Shape::Global {
                continue;
            }
            if forced || needs_keys && (changes || input.key_changed) {
                input = input.repartitioned(id * 10 + place);
            }
            made = Some(match made {
                None => input,
                Some(made) if made.meets_by_other_ways(&input) => return None,
                Some(made) => made.joined(&input),
            });
        }
        let mut made = made.unwrap_or_default();
        made.key_changed |=
            matches!(node.op, Op::SelectKey { .. } | Op::Map { .. } | Op::FlatMap { .. } | Op::Process { .. })
                || shapes[id] == Shape::Windowed;
        known.push(made);
    }
    Some(known)
}
