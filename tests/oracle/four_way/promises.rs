//! What must be the same, and where it is not promised: each restriction with its reason.

use std::collections::BTreeMap;

use super::feed::is_ordered;
use crate::oracle::{
    case::{Case, Fold, Kind, Node, Op, Windows},
    shape::lineages,
};

/// How two results of one step or store are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Record by record and byte by byte, as multisets.
    Same,
    /// As `Same`, without the records' headers.
    SameButHeaders,
    /// The last value of each key.
    SameInTheEnd,
    /// Not at all.
    Unsaid,
}

/// What two ways of running a case must agree in.
#[derive(Debug, Clone)]
pub struct Promise {
    out: BTreeMap<usize, How>,
    /// How stores are compared that are not in `stores`.
    others: How,
    stores: BTreeMap<String, How>,
}

impl Promise {
    fn everything() -> Self {
        Self { out: BTreeMap::new(), others: How::Same, stores: BTreeMap::new() }
    }

    pub fn out(&self, node: usize) -> How {
        self.out.get(&node).copied().unwrap_or(How::Same)
    }

    pub fn store(&self, store: &str) -> How {
        self.stores.get(store).copied().unwrap_or(self.others)
    }

    pub fn counter(&self, _name: &str) -> bool {
        true
    }
}

/// Whether the topology is one of those that are run at all.
pub fn allowed(case: &Case) -> bool {
    !case.nodes.iter().any(|node| matches!(node.op, Op::ForeignKeyJoin { .. }))
}

/// In bounded runs over equal topics everything is the same.
pub fn of_bounded_runs(_case: &Case) -> Promise {
    Promise::everything()
}

/// In a live run, if its records meet in the order in which a bounded run takes them.
pub fn of_live_runs(case: &Case, width: i32) -> Option<Promise> {
    (!(ways_meet(case) || sources_meet(case) || width > 1 && tasks_meet(case))).then(Promise::everything)
}

/// On the driver, which takes each record through all tasks before the next one, if that is the order of a bounded run.
pub fn of_driven_runs(case: &Case, width: i32) -> Option<Promise> {
    let ordered = width == 1 && is_ordered(case) && !ways_meet(case);
    if ordered { Some(Promise::everything()) } else { of_live_runs(case, width) }
}

/// With topics of other widths.
pub fn across_widths(case: &Case) -> Option<Promise> {
    if !is_ordered(case) || ways_meet(case) || time_is_that_of_a_task(case) || released_results_feed_a_step(case) {
        return None;
    }
    let stores = (0..case.nodes.len()).filter(|id| keeps_plain_rows(&case.nodes[*id])).map(|id| format!("s{id}"));
    let releases = case.nodes.iter().any(|node| is_released_by_time(&node.op));
    let out = |id| (id, if releases { How::SameButHeaders } else { How::Same });
    Some(Promise {
        out: (0..case.nodes.len()).map(out).collect(),
        others: How::Unsaid,
        stores: stores.map(|store| (store, How::Same)).collect(),
    })
}

/// Records of one topic meet by several ways, in the order in which the tasks between commit. A bounded run has an order of
/// its own for them.
fn ways_meet(case: &Case) -> bool {
    lineages(case).is_none()
}

/// Records of several topics come in another order when they are appended than in that of their times.
fn sources_meet(case: &Case) -> bool {
    let is_read = |node: &&Node| node.op.topic().is_some() && !matches!(node.op, Op::GlobalTable { .. });
    case.nodes.iter().filter(is_read).count() > 1
}

/// Records of several tasks come to a step in the order in which these commit.
fn tasks_meet(case: &Case) -> bool {
    let lineages = lineages(case).unwrap_or_default();
    (0..case.nodes.len()).any(|id| minds_order(&case.nodes[id].op) && lineages[id].is_behind_repartition())
}

/// Whether what a step makes of its records depends on their order.
fn minds_order(op: &Op) -> bool {
    !matches!(
        op,
        Op::Stream { .. }
            | Op::GlobalTable { .. }
            | Op::Filter { .. }
            | Op::FilterNot { .. }
            | Op::MapValues { .. }
            | Op::FlatMapValues { .. }
            | Op::SelectKey { .. }
            | Op::Map { .. }
            | Op::FlatMap { .. }
            | Op::Peek
            | Op::Merge
            | Op::Split { .. }
            | Op::Branch { .. }
            | Op::Repartition
            | Op::ToStream
            | Op::JoinGlobal { .. }
            | Op::Aggregate { fold: Fold::Count, on_close: true, .. }
    )
}

/// A timer or a time limit goes by the time of its task, which is that of one partition.
fn time_is_that_of_a_task(case: &Case) -> bool {
    let by_time = |op: &Op| {
        matches!(op, Op::SuppressUntilTimeLimit { .. })
            || matches!(op, Op::Process { every, wall: false, .. } if *every > 0)
    };
    case.nodes.iter().any(|node| by_time(&node.op))
}

/// Whether a step sends results when time has come so far, so that their place among others depends on when that is known.
fn is_released_by_time(op: &Op) -> bool {
    match op {
        Op::Aggregate { on_close, .. } => *on_close,
        Op::SuppressUntilClosed | Op::JoinTable { grace: Some(_), .. } => true,
        Op::JoinStreams { kind, .. } => *kind != Kind::Inner,
        _ => false,
    }
}

/// Where results that time has released come to a step that minds their order or their time.
fn released_results_feed_a_step(case: &Case) -> bool {
    let mut released = vec![false; case.nodes.len()];
    for (id, node) in case.nodes.iter().enumerate() {
        let above = node.of.iter().any(|of| released[*of]);
        if above && (minds_order(&node.op) || is_released_by_time(&node.op)) {
            return true;
        }
        released[id] = above || is_released_by_time(&node.op);
    }
    false
}

/// Whether its store has one row per key. What other stores have let go depends on the time of their task.
fn keeps_plain_rows(node: &Node) -> bool {
    match node.op {
        Op::Aggregate { windows, .. } | Op::Cogroup { windows, .. } => windows == Windows::None,
        Op::Table { .. } | Op::ToTable | Op::TableGroupBy { .. } | Op::ProcessValues | Op::Process { .. } => true,
        Op::TableFilter { named, .. }
        | Op::TableFilterNot { named, .. }
        | Op::TableMapValues { named, .. }
        | Op::TableJoin { named, .. } => named,
        _ => false,
    }
}
