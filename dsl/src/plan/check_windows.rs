//! The check of windows: length, advance, gap and grace.

use super::{Node, Plan, windows::WindowsOf};
use crate::error::TopologyError;

/// Longer than this is a mistake, and would not fit beside times.
const LONGEST_MS: i64 = i64::MAX / 8;

/// Every mistake in the form of a step's windows.
pub(super) fn check_windows(plan: &Plan, found: &mut Vec<TopologyError>) {
    for node in &plan.nodes {
        if let Some(windows) = node.kind.windows() {
            form(node, &windows, found);
            grace(node, &windows, found);
        }
    }
}

fn form(node: &Node, windows: &WindowsOf, found: &mut Vec<TopologyError>) {
    let mut wrong = |reason: String, help: &'static str| {
        found.push(TopologyError::new("HW0104", &node.name, reason, help));
    };
    let is_aligned = windows.advance_ms.is_some();
    match (windows.length_ms, windows.gap_ms) {
        (Some(size), _) if is_aligned && !(1..=LONGEST_MS).contains(&size) => {
            wrong(format!("the window's size is {size} ms"), "a window's size is at least 1 ms");
        }
        (Some(difference), _) if !is_aligned && difference < i64::MAX && !(0..=LONGEST_MS).contains(&difference) => {
            wrong(format!("the sliding window's difference is {difference} ms"), "a difference is 0 ms or more");
        }
        (_, Some(gap)) if !(0..=LONGEST_MS).contains(&gap) => {
            wrong(format!("the session's gap is {gap} ms"), "a gap is 0 ms or more");
        }
        _ => {}
    }
    if let (Some(size), Some(advance)) = (windows.length_ms, windows.advance_ms)
        && size > 0
        && !(1..=size).contains(&advance)
    {
        wrong(
            format!("windows of {size} ms advance by {advance} ms"),
            "windows advance by at least 1 ms, and at most by their size, or some records would be in none",
        );
    }
}

fn grace(node: &Node, windows: &WindowsOf, found: &mut Vec<TopologyError>) {
    let (reason, help) = match windows.grace_ms {
        None => (
            "the window has no grace".to_owned(),
            "say how late records may come: .grace(minutes(10)), or .no_grace() for not at all",
        ),
        Some(grace) if grace < 0 => (format!("the grace is {grace} ms"), "a grace is 0 ms or more"),
        Some(_) => return,
    };
    found.push(TopologyError::new("HW0105", &node.name, reason, help));
}
