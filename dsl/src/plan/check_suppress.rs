//! The checks of `build()` on steps that hold changes back.

use super::{NodeKind, Plan};
use crate::error::TopologyError;

/// Every mistake in them.
pub(super) fn suppress(plan: &Plan, found: &mut Vec<TopologyError>) {
    for node in &plan.nodes {
        let NodeKind::Stateful { op, settings, .. } = &node.kind else { continue };
        let mut mistake = |reason: &str, help: &str| {
            found.push(TopologyError::new("HW0143", &node.name, reason.to_owned(), help));
        };
        if op == "suppress_until_closed" {
            let closing = node.parents.iter().find_map(|parent| plan.window_closing(*parent));
            match closing {
                None => mistake(
                    "nothing above says when the windows close",
                    "only the results of a windowed aggregation become final; use suppress_until_time_limit",
                ),
                Some(closing) if closing.is_final_already => mistake(
                    "the results above are final already",
                    "leave this step out, or let the windows send their results on update",
                ),
                Some(_) => {}
            }
            if settings.get("emits_early") == Some(&1) {
                mistake(
                    "a full buffer is to send final results early",
                    "what is sent early is not final: let the buffer be larger, or let the program stop",
                );
            }
        }
        if op == "suppress_until_time_limit" && settings.get("limit_ms").is_some_and(|limit| *limit < 0) {
            mistake("the time limit is negative", "a limit is 0 ms or more");
        }
    }
}
