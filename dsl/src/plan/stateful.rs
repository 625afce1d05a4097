//! Writing a step with state into the plan: each property that is not the default is one call.

use std::collections::BTreeMap;

use super::{NodeId, NodeKind, OldValues};

impl NodeKind {
    /// A stateful step called `op` with these stores and no other properties.
    pub(crate) fn stateful(op: &str, stores: &[&str]) -> Self {
        Self::Stateful {
            op: op.to_owned(),
            stores: stores.iter().map(|store| (*store).to_owned()).collect(),
            reads: Vec::new(),
            settings: BTreeMap::new(),
            changes_key: false,
            old_values: OldValues::Ignored,
            final_within_ms: None,
        }
    }

    /// A view of a table, without a store.
    pub(crate) fn view(op: &str, old_values: OldValues) -> Self {
        Self::stateful(op, &[]).taking_old_values(old_values)
    }

    /// It looks up rows of these tables.
    pub(crate) fn reading(mut self, tables: impl IntoIterator<Item = NodeId>) -> Self {
        if let Self::Stateful { reads, .. } = &mut self {
            reads.extend(tables);
        }
        self
    }

    /// It has these settings, where there is a value.
    pub(crate) fn with_settings<'a>(mut self, those: impl IntoIterator<Item = (&'a str, Option<i64>)>) -> Self {
        if let Self::Stateful { settings, .. } = &mut self {
            settings.extend(those.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        }
        self
    }

    /// The key may be another one afterwards, or not.
    pub(crate) fn changing_key(mut self, changes: bool) -> Self {
        if let Self::Stateful { changes_key, .. } = &mut self {
            *changes_key = changes;
        }
        self
    }

    /// What it makes of old values.
    pub(crate) fn taking_old_values(mut self, what: OldValues) -> Self {
        if let Self::Stateful { old_values, .. } = &mut self {
            *old_values = what;
        }
        self
    }

    /// It emits final results, of which one to come lies at most so many milliseconds before the closed end.
    pub(crate) fn final_within(mut self, within_ms: Option<i64>) -> Self {
        if let Self::Stateful { final_within_ms, .. } = &mut self {
            *final_within_ms = within_ms;
        }
        self
    }
}
