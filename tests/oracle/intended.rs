//! Where Headwater means to differ from Java, by the names of `docs/differences.md`: the generator makes no topology that
//! shows such a difference. The comparison itself is never loosened.

use super::{
    case::{Case, Fold, Input, Kind, Node, Op, Step, Windows},
    shape::{Lineage, Shape, lineages, shapes},
};

/// Whether the topology shows no intended difference.
pub fn allowed(case: &Case) -> bool {
    !(d5_rate_limited_table_feeds_a_table(case)
        || d6_table_joins_itself(case)
        || d7_cogroup_of_several_streams(case)
        || d8_null_keys_before_a_left_join_with_grace(case)
        || d10_stream_merges_with_itself(case)
        || d11_uncached_aggregate_feeds_a_table(case)
        || d2_suppressed_sliding_windows_without_grace(case)
        || d12_final_results_held_back(case)
        || one_task_has_one_stream_time(case))
}

/// Whether Java's test driver, which runs all tasks as one and fails of itself where a cached sliding window meets a
/// deletion, makes the same of it.
pub fn can_be_compared(case: &Case) -> bool {
    lineages(case).is_some()
        && allowed(case)
        && !(d9_closing_by_several_senders(case) || d15_cached_sliding_window_meets_a_deletion(case))
}

/// D5: Java's suppress until a time limit hands on the old value of the last buffered update.
fn d5_rate_limited_table_feeds_a_table(case: &Case) -> bool {
    let limited = |id: &usize| matches!(case.nodes[*id].op, Op::SuppressUntilTimeLimit { .. });
    case.nodes.iter().any(|node| !matches!(node.op, Op::ToStream) && node.of.iter().any(limited))
}

/// D6: a table joined with itself emits twice in Java, and nothing on a deletion. Joined with what is made of it, it emits
/// twice too, which an aggregate of the join adds twice; and a filter of the join deletes rows that were never there.
fn d6_table_joins_itself(case: &Case) -> bool {
    let meets_itself = |id: usize| {
        let node = &case.nodes[id];
        let shared = || above(case, node.of[0]).iter().any(|table| above(case, node.of[1]).contains(table));
        matches!(node.op, Op::TableJoin { .. }) && shared()
    };
    case.nodes.iter().any(|node| match node.op {
        Op::TableJoin { .. } => node.of[0] == node.of[1],
        Op::TableGroupBy { .. } | Op::TableFilter { .. } | Op::TableFilterNot { .. } => {
            above(case, node.of[0]).into_iter().any(meets_itself)
        }
        _ => false,
    })
}

/// A node and all that it is made of.
fn above(case: &Case, id: usize) -> Vec<usize> {
    let mut found = vec![id];
    let mut next = 0;
    while let Some(id) = found.get(next) {
        let of = case.nodes[*id].of.iter().filter(|of| !found.contains(of)).copied().collect::<Vec<_>>();
        found.extend(of);
        next += 1;
    }
    found
}

/// D7: in Java the inputs of a windowed cogroup keep times of their own.
fn d7_cogroup_of_several_streams(case: &Case) -> bool {
    let windowed = |op: &Op| matches!(op, Op::Cogroup { windows, .. } if *windows != Windows::None);
    case.nodes.iter().any(|node| windowed(&node.op) && node.of.len() > 1)
}

/// D8: a left join with grace fails on a null key in Java; a filter keeps them away.
fn d8_null_keys_before_a_left_join_with_grace(case: &Case) -> bool {
    let filtered = |id: usize| matches!(case.nodes[id].op, Op::Filter { f: 3 });
    let with_grace = |op: &Op| matches!(op, Op::JoinTable { kind: Kind::Left, grace: Some(_) });
    case.nodes.iter().any(|node| with_grace(&node.op) && !filtered(node.of[0]))
}

/// D9: with several senders windows close by the least of their times, in Java by the greatest.
fn d9_closing_by_several_senders(case: &Case) -> bool {
    let closes = |op: &Op| match op {
        Op::Aggregate { on_close, .. } => *on_close,
        Op::SuppressUntilClosed | Op::JoinTable { grace: Some(_), .. } => true,
        // Where a window lies wholly on one side, a partner may be further away than Java keeps rows by their own side's time.
        Op::JoinStreams { kind, before, after, .. } => *kind != Kind::Inner || *before < 0 || *after < 0,
        _ => false,
    };
    // What a timer of the wall clock sends is ahead of all records.
    let ticks = |node: &Node| matches!(node.op, Op::Process { every, wall: true, .. } if every > 0);
    has_several_senders(case, closes) || has_several_senders(case, minds_time) && case.nodes.iter().any(ticks)
}

/// Whether records are late for a step.
fn minds_time(op: &Op) -> bool {
    matches!(op, Op::JoinStreams { .. }) || windows_of(op).is_some_and(|windows| windows != Windows::None)
}

/// Whether a step of this sort has several senders.
fn has_several_senders(case: &Case, is_meant: impl Fn(&Op) -> bool) -> bool {
    let lineages = lineages(case).unwrap_or_default();
    case.nodes.iter().zip(&lineages).any(|(node, lineage)| is_meant(&node.op) && lineage.has_several_senders())
}

/// D10: a stream merged with itself has each record once in Java.
fn d10_stream_merges_with_itself(case: &Case) -> bool {
    case.nodes.iter().any(|node| matches!(node.op, Op::Merge) && node.of[0] == node.of[1])
}

/// D11: an uncached aggregate's first change has the initial value as its old value in Java.
fn d11_uncached_aggregate_feeds_a_table(case: &Case) -> bool {
    let begins = |id: &usize| match &case.nodes[*id].op {
        Op::Aggregate { fold, .. } => matches!(fold, Fold::Count | Fold::Aggregate | Fold::Update),
        Op::Cogroup { .. } => true,
        _ => false,
    };
    let shows_old = |op: &Op| !matches!(op, Op::ToStream | Op::JoinTable { .. } | Op::SuppressUntilClosed);
    let table_follows = |id: usize| {
        case.nodes.iter().any(|node| node.of.contains(&id) && shows_old(&node.op) && shapes(case)[id] == Shape::Table)
    };
    !case.cached && (0..case.nodes.len()).any(|id| begins(&id) && table_follows(id))
}

/// D12: what is final already cannot be held back until it is final.
fn d12_final_results_held_back(case: &Case) -> bool {
    let is_final = |id: &usize| match case.nodes[*id].op {
        Op::Aggregate { on_close, .. } => on_close,
        Op::SuppressUntilClosed => true,
        _ => false,
    };
    case.nodes.iter().any(|node| matches!(node.op, Op::SuppressUntilClosed) && node.of.iter().any(is_final))
}

/// Java's test driver runs all tasks as one: a timer of stream time hears of records that never reach its task.
fn one_task_has_one_stream_time(case: &Case) -> bool {
    let ticks = |node: &Node| matches!(node.op, Op::Process { every, wall: false, .. } if every > 0);
    let sources = case.nodes.iter().filter(|node| node.op.topic().is_some()).count();
    let moved = || lineages(case).is_some_and(|all| all.iter().any(Lineage::is_behind_repartition));
    case.nodes.iter().any(ticks) && (sources > 1 || moved())
}

/// D2: without grace Java's suppress emits a sliding window at once, and again when the same record changes it.
fn d2_suppressed_sliding_windows_without_grace(case: &Case) -> bool {
    let closes_at_once =
        |id: &usize| matches!(windows_of(&case.nodes[*id].op), Some(Windows::Sliding { grace: 0, .. }));
    case.nodes.iter().any(|node| matches!(node.op, Op::SuppressUntilClosed) && node.of.iter().any(closes_at_once))
}

/// D15: Java fails where a record finds a sliding window whose deletion waits in the cache, so where several come at once.
fn d15_cached_sliding_window_meets_a_deletion(case: &Case) -> bool {
    let deletes = |op: &Op| match op {
        Op::Aggregate { windows: Windows::Sliding { .. }, fold, .. } => matches!(fold, Fold::Reduce | Fold::Update),
        _ => false,
    };
    let one_at_a_time = |op: &Op| {
        matches!(op, Op::Stream { .. } | Op::Filter { .. } | Op::FilterNot { .. } | Op::MapValues { .. })
            || matches!(op, Op::SelectKey { .. } | Op::Map { .. } | Op::Peek | Op::Repartition)
    };
    let several =
        |node: &Node| node.of.iter().flat_map(|of| above(case, *of)).any(|id| !one_at_a_time(&case.nodes[id].op));
    case.cached && case.nodes.iter().any(|node| deletes(&node.op) && several(node))
}

/// D2: Java may emit a session or sliding window twice as final; never while event time does not go back. D9: with several
/// senders records are late by their own sender's time. D14: the time of a cached sliding window's deletion.
pub fn needs_order(case: &Case) -> bool {
    if has_several_senders(case, minds_time) {
        return true;
    }
    let revives =
        |id: &usize| matches!(windows_of(&case.nodes[*id].op), Some(Windows::Session { .. } | Windows::Sliding { .. }));
    case.nodes.iter().any(|node| match &node.op {
        Op::SuppressUntilClosed => node.of.iter().any(revives),
        Op::Aggregate { windows: Windows::Session { .. }, on_close: true, .. } => true,
        // D14, and D3: from its cache Java takes sessions that its store hides.
        Op::Aggregate { windows: Windows::Sliding { .. }, fold: Fold::Reduce, .. }
        | Op::Aggregate { windows: Windows::Session { .. }, .. }
        | Op::Cogroup { windows: Windows::Session { .. }, .. } => case.cached,
        _ => false,
    })
}

/// D16: the first step that deletes a versioned table's row at the very time from which the row holds.
pub fn d16_deletion_at_its_rows_time(case: &Case) -> Option<usize> {
    let is_versioned = |topic: &str| {
        case.nodes.iter().any(|node| matches!(&node.op, Op::VersionedTable { topic: of, .. } if of == topic))
    };
    let records = || {
        case.steps.iter().enumerate().filter_map(|(at, step)| match step {
            Step::Record(record) => Some((at, record)),
            Step::Advance { .. } => None,
        })
    };
    let deletes = |at: usize, record: &Input| {
        let row = |(before, row): (usize, &Input)| {
            before < at
                && row.value.is_some()
                && (&row.topic, &row.key, row.ts) == (&record.topic, &record.key, record.ts)
        };
        record.value.is_none() && is_versioned(&record.topic) && records().any(row)
    };
    records().find(|(at, record)| deletes(*at, record)).map(|(at, _)| at)
}

/// D13: a cached session's results have headers in Java.
pub fn without_headers(case: &Case) -> bool {
    let session = |node: &Node| matches!(windows_of(&node.op), Some(Windows::Session { .. }));
    case.cached && case.nodes.iter().any(session)
}

fn windows_of(op: &Op) -> Option<Windows> {
    match op {
        Op::Aggregate { windows, .. } | Op::Cogroup { windows, .. } => Some(*windows),
        _ => None,
    }
}
