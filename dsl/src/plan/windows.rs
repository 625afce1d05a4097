//! What the plan says of a step's windows.

use super::{EmitStrategy, NodeKind, Plan};

/// The windows that a step folds into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WindowsOf {
    /// From a window's start to its end; `None` for sessions, which have no fixed length.
    pub(crate) length_ms: Option<i64>,
    /// How often one begins, if they begin regularly.
    pub(crate) advance_ms: Option<i64>,
    /// How long before a window's start the windows lie that it is made from: of sliding ones the difference.
    pub(crate) made_from_ms: i64,
    /// The pause that ends a session.
    pub(crate) gap_ms: Option<i64>,
    /// `None` if the program did not say.
    pub(crate) grace_ms: Option<i64>,
    /// Whether results go downstream when the windows close, and only then.
    pub(crate) final_only: bool,
}

impl WindowsOf {
    /// How long after its end a window may still change.
    pub(crate) fn closes_after_ms(&self) -> i64 {
        self.grace_ms.unwrap_or_default().saturating_add(self.gap_ms.unwrap_or_default())
    }

    /// For how long after its start a window takes records, and is needed for others.
    fn life_ms(&self) -> i64 {
        self.results_within_ms().saturating_add(self.made_from_ms).saturating_add(self.closes_after_ms())
    }

    /// How long before its end the time of a window's result may lie.
    pub(crate) fn results_within_ms(&self) -> i64 {
        self.length_ms.unwrap_or_default()
    }
}

impl NodeKind {
    /// The windows that the step folds into, if it does.
    pub(crate) fn windows(&self) -> Option<WindowsOf> {
        match self {
            Self::WindowedAggregate { size_ms, grace_ms, emit, .. } => Some(WindowsOf {
                length_ms: Some(*size_ms),
                advance_ms: Some(*size_ms),
                made_from_ms: 0,
                gap_ms: None,
                grace_ms: *grace_ms,
                final_only: *emit == EmitStrategy::OnWindowClose,
            }),
            Self::Stateful { op, settings, final_within_ms, .. } => {
                let (family, _) = op.split_once('_')?;
                let setting = |name: &str| settings.get(name).copied();
                let length_ms = match family {
                    "hopping" | "unlimited" => setting("size_ms"),
                    "sliding" => setting("difference_ms"),
                    "session" => None,
                    _ => return None,
                };
                let gap_ms = if family == "session" { Some(setting("gap_ms")?) } else { None };
                Some(WindowsOf {
                    length_ms,
                    advance_ms: setting("advance_ms"),
                    made_from_ms: if family == "sliding" { length_ms.unwrap_or_default() } else { 0 },
                    gap_ms,
                    grace_ms: setting("grace_ms"),
                    final_only: final_within_ms.is_some(),
                })
            }
            _ => None,
        }
    }

    /// For how long after a window's start the step takes records into it, in milliseconds of event time; `None` if it
    /// has no windows.
    pub fn window_life_ms(&self) -> Option<i64> {
        Some(self.windows()?.life_ms())
    }
}

impl Plan {
    /// The length of the windows in `store`, in milliseconds, if they have one: of sliding windows the difference.
    pub fn window_length_ms(&self, store: &str) -> Option<i64> {
        let mut writers = self.nodes.iter().filter(|node| node.kind.stores().iter().any(|name| name == store));
        writers.find_map(|node| node.kind.windows()?.length_ms)
    }
}
