//! The checks of `build()` on what the user chose for stores.

use super::{Node, NodeKind, Plan, StoreKind};
use crate::error::TopologyError;

/// Every mistake in the stores' options.
pub(super) fn stores(plan: &Plan, found: &mut Vec<TopologyError>) {
    for node in &plan.nodes {
        // The step that is the table of the streams is checked in their place.
        if matches!(&node.kind, NodeKind::Stateful { op, .. } if op == "cogroup_input") {
            continue;
        }
        for name in node.kind.stores() {
            let Some(store) = plan.stores.get(name) else { continue };
            if let Some(source) = &store.options.source {
                restored(plan, node, source, store.kind, found);
            }
            let retention = store.options.retention_ms;
            match store.kind {
                StoreKind::Versioned => versioned(node, retention.unwrap_or_default(), found),
                StoreKind::Window | StoreKind::Timed | StoreKind::Session if node.kind.windows().is_some() => {
                    window_retention(node, retention, found);
                }
                StoreKind::Timed | StoreKind::Session if is_processor(node) => {
                    let retention = retention.unwrap_or_default();
                    if retention < 1 {
                        let reason = format!("store {name} keeps its rows for {retention} ms");
                        found.push(TopologyError::new("HW0142", &node.name, reason, "a retention is 1 ms or more"));
                    }
                }
                _ if retention.is_some() => found.push(TopologyError::new(
                    "HW0142",
                    &node.name,
                    format!("store {name} has a retention, but it is not one of windows"),
                    "leave it out: rows without a window stay until they are deleted",
                )),
                _ => {}
            }
        }
    }
}

fn is_processor(node: &Node) -> bool {
    matches!(&node.kind, NodeKind::Stateful { op, .. } if op.starts_with("process"))
}

/// A store that is restored from its table's topic must find there what reading made of it.
fn restored(plan: &Plan, node: &Node, source: &str, kind: StoreKind, found: &mut Vec<TopologyError>) {
    let (reason, help) = if source.is_empty() {
        ("it is not that of StreamsBuilder::table", "leave restored_from_source() out, so that it has a changelog")
    } else if kind == StoreKind::Versioned {
        ("it keeps the history of its rows", "leave restored_from_source() out, so that it has a changelog")
    } else if !plan.on_failure.is_fail() {
        (
            "records at which the program fails are left out of it",
            "let it have a changelog, or leave on_failure(..) out",
        )
    } else {
        return;
    };
    let reason = format!("the store cannot be restored from its source: {reason}");
    found.push(TopologyError::new("HW0145", &node.name, reason, help));
}

fn versioned(node: &Node, history_ms: i64, found: &mut Vec<TopologyError>) {
    if history_ms < 0 {
        let reason = format!("the table's history is {history_ms} ms");
        found.push(TopologyError::new("HW0142", &node.name, reason, "a history is 0 ms or more"));
    }
    let keeps_what_it_is_told = match &node.kind {
        NodeKind::Table { .. } => true,
        NodeKind::Stateful { op, .. } => op == "materialize" || is_processor(node),
        _ => false,
    };
    if !keeps_what_it_is_told {
        found.push(TopologyError::new(
            "HW0141",
            &node.name,
            "an aggregate is to keep the history of its rows".to_owned(),
            "give it a plain store, and its table one with history by .materialize(..)",
        ));
    }
}

fn window_retention(node: &Node, retention_ms: Option<i64>, found: &mut Vec<TopologyError>) {
    let Some(retention_ms) = retention_ms else { return };
    let Some(least) = node.kind.window_life_ms() else { return };
    if retention_ms < least {
        found.push(TopologyError::new(
            "HW0142",
            &node.name,
            format!("rows are kept for {retention_ms} ms, but windows take records for {least} ms"),
            "keep them at least for the window's size and grace (of a session the gap and grace), or leave the retention out",
        ));
    }
}
