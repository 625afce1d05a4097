//! What must be the same, and where it is not promised: each restriction with its reason.

use std::collections::BTreeMap;

use super::feed::is_ordered;
use crate::oracle::{
    case::{Case, Fold, Kind, Node, Op, Windows},
    shape::{Lineage, lineages},
    twin::topology,
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
    /// Whether counters are compared.
    whole: bool,
    /// How nodes' results are compared that are not in `out`.
    everywhere: How,
    out: BTreeMap<usize, How>,
    /// How stores are compared that are not in `stores`.
    others: How,
    stores: BTreeMap<String, How>,
}

impl Promise {
    /// Everything, but of tables whose changes depend on when they are asked for or committed, where they end. The time of a
    /// foreign-key join's row is that of the side which changed it last.
    fn everything(case: &Case) -> Self {
        let hasty = changes_by_chance(case);
        let joined = |id: &usize| matches!(case.nodes[*id].op, Op::ForeignKeyJoin { .. });
        Self {
            whole: !hasty.iter().any(joined),
            everywhere: How::Same,
            others: How::Same,
            stores: hasty.iter().filter(|id| joined(id)).map(|id| (format!("s{id}"), How::SameInTheEnd)).collect(),
            out: hasty.into_iter().map(|id| (id, How::SameInTheEnd)).collect(),
        }
    }

    fn nothing() -> Self {
        let (none, unsaid) = (BTreeMap::new(), How::Unsaid);
        Self { whole: false, others: unsaid, everywhere: unsaid, out: BTreeMap::new(), stores: none }
    }

    pub fn out(&self, node: usize) -> How {
        self.out.get(&node).copied().unwrap_or(self.everywhere)
    }

    /// A store is called by its node: `s3`, `s3-this-join-store`, `p4`.
    pub fn store(&self, store: &str) -> How {
        let digits: String = store.chars().skip(1).take_while(char::is_ascii_digit).collect();
        let unsaid = digits.parse().is_ok_and(|node| self.out(node) == How::Unsaid);
        if unsaid { How::Unsaid } else { self.stores.get(store).copied().unwrap_or(self.others) }
    }

    /// Those that are compared: each process reads a global table once, so only its first run counts what it leaves out.
    pub fn counters<'a>(&self, counters: &'a BTreeMap<String, i64>) -> BTreeMap<&'a str, i64> {
        let of_global = |name: &str| name.strip_prefix("null-key:g").is_some_and(|id| id.parse::<usize>().is_ok());
        let compared = |name: &&str| self.whole && !of_global(name);
        let named = counters.iter().map(|(name, count)| (name.as_str(), *count));
        named.filter(|(name, _)| compared(name)).collect()
    }
}

/// Whether the topology is one of those that are run at all.
pub fn allowed(case: &Case) -> bool {
    let hasty = changes_by_chance(case);
    !case.nodes.iter().any(|node| node.of.iter().any(|of| hasty.contains(of)))
}

/// The steps of which changes are left out or come twice by chance, so that only their last ones are promised, and nothing of
/// what is made of them: a cached table sends what has changed at each commit; and in a foreign-key join a row may change
/// before it is answered.
fn changes_by_chance(case: &Case) -> Vec<usize> {
    let by_chance = |node: &Node| match &node.op {
        Op::ForeignKeyJoin { .. } => true,
        Op::Aggregate { on_close, .. } => case.cached && !on_close,
        Op::Cogroup { .. } | Op::ToTable | Op::Table { .. } | Op::TableGroupBy { .. } | Op::TableTransformValues => {
            case.cached
        }
        Op::TableFilter { named, .. }
        | Op::TableFilterNot { named, .. }
        | Op::TableMapValues { named, .. }
        | Op::TableJoin { named, .. } => case.cached && *named,
        _ => false,
    };
    (0..case.nodes.len()).filter(|id| by_chance(&case.nodes[*id])).collect()
}

/// How often a timer has ticked is a number in the twin's processor, outside of its store: a crash sets it back. So all
/// timers tick for ever.
pub fn remember_nothing_outside_of_stores(case: &mut Case) {
    for node in &mut case.nodes {
        if let Op::Process { ticks, .. } = &mut node.op {
            *ticks = 0;
        }
    }
}

/// In bounded runs over equal topics everything is the same, unless tasks read what they make themselves.
pub fn of_bounded_runs(case: &Case) -> Promise {
    if tasks_go_in_a_loop(case) { Promise::nothing() } else { Promise::everything(case) }
}

/// Nobody waits in a loop, so records meet there as they come.
fn tasks_go_in_a_loop(case: &Case) -> bool {
    let Ok(topology) = topology(case) else { return false };
    let plan = topology.plan();
    let parts = 0..plan.subtopologies.len();
    let above: Vec<Vec<usize>> = parts
        .clone()
        .map(|part| plan.inputs_of(part).filter_map(|(_, topic)| plan.writer_of(topic)).collect())
        .collect();
    parts.into_iter().any(|part| {
        let (mut open, mut seen) = (above[part].clone(), vec![]);
        while let Some(at) = open.pop() {
            if at == part {
                return true;
            }
            if !seen.contains(&at) {
                seen.push(at);
                open.extend(&above[at]);
            }
        }
        false
    })
}

/// In a live run, if its records meet in the order in which a bounded run takes them.
pub fn of_live_runs(case: &Case, width: i32) -> Option<Promise> {
    (!(tasks_go_in_a_loop(case) || ways_meet(case) || sources_meet(case) || width > 1 && tasks_meet(case)))
        .then(|| Promise::everything(case))
}

/// On the driver, which takes each record through all tasks before the next one, if that is the order of a bounded run.
pub fn of_driven_runs(case: &Case, width: i32) -> Option<Promise> {
    let ordered = width == 1 && is_ordered(case) && !ways_meet(case) && !tasks_go_in_a_loop(case);
    if ordered { Some(Promise::everything(case)) } else { of_live_runs(case, width) }
}

/// With topics of other widths.
pub fn across_widths(case: &Case) -> Option<Promise> {
    if !is_ordered(case)
        || ways_meet(case)
        || tasks_go_in_a_loop(case)
        || a_processor_keeps_other_keys(case)
        || a_table_forgets_what_is_asked_for(case)
        || parts_of_a_record_meet_again(case)
        || time_is_that_of_a_task(case)
        || released_results_feed_a_step(case)
    {
        return None;
    }
    let stores = (0..case.nodes.len()).filter(|id| keeps_plain_rows(&case.nodes[*id])).map(|id| format!("s{id}"));
    let releases = case.nodes.iter().any(|node| is_released_by_time(&node.op));
    let everything = Promise::everything(case);
    let everywhere = if releases { How::SameButHeaders } else { How::Same };
    let stores = stores.map(|store| (store, How::Same)).chain(everything.stores.clone()).collect();
    Some(Promise { everywhere, others: How::Unsaid, stores, ..everything })
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

/// Nothing brings equal keys together in front of a processor: where the key was changed, its rows are those of a task.
fn a_processor_keeps_other_keys(case: &Case) -> bool {
    let lineages = lineages(case).unwrap_or_default();
    let keeps = |node: &Node| matches!(node.op, Op::Process { .. } | Op::ProcessValues);
    case.nodes.iter().any(|node| keeps(node) && lineages.get(node.of[0]).is_none_or(|above| above.key_changed))
}

/// What became of one record goes to several tasks, and comes together again behind a second repartition: its parts have
/// one time, and their order is that of the tasks.
fn parts_of_a_record_meet_again(case: &Case) -> bool {
    let lineages = lineages(case).unwrap_or_default();
    let meets = |(node, lineage): (&Node, &Lineage)| minds_order(&node.op) && lineage.repartitions() > 1;
    case.nodes.iter().zip(&lineages).any(meets)
}

/// Records that wait for a join's grace ask a table for its past, and how long it knows that depends on the time of its task.
fn a_table_forgets_what_is_asked_for(case: &Case) -> bool {
    case.nodes.iter().any(|node| matches!(node.op, Op::JoinTable { grace: Some(_), .. }))
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
