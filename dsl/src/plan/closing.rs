//! When the windows of a table close.

use super::{NodeId, NodeKind, Plan};

/// When a table's windows are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WindowClosing {
    /// How long after its end a window may still change, in milliseconds.
    pub(crate) after_ms: i64,
    /// How long before its end a window's result may lie in time.
    pub(crate) within_ms: i64,
    /// Whether the results come when the windows close, and only then.
    pub(crate) is_final_already: bool,
}

impl WindowClosing {
    fn or_later(self, other: Self) -> Self {
        Self {
            after_ms: self.after_ms.max(other.after_ms),
            within_ms: self.within_ms.max(other.within_ms),
            is_final_already: self.is_final_already || other.is_final_already,
        }
    }
}

impl Plan {
    /// When the windows of table `id` close: as the nearest windowed aggregations above say, the last of them; `None`
    /// if there is none.
    pub(crate) fn window_closing(&self, id: NodeId) -> Option<WindowClosing> {
        let node = self.node(id)?;
        if let Some(windows) = node.kind.windows() {
            return Some(WindowClosing {
                after_ms: windows.closes_after_ms(),
                within_ms: windows.results_within_ms(),
                is_final_already: windows.final_only,
            });
        }
        if matches!(node.kind, NodeKind::Repartition { .. } | NodeKind::Source { .. }) {
            return None;
        }
        let above = node.parents.iter().chain(node.kind.reads());
        above.filter_map(|parent| self.window_closing(*parent)).reduce(WindowClosing::or_later)
    }
}
