//! Where a store's changes go, and when.

use headwater_core::{Headers, Result};

use crate::{
    bounds::Data,
    plan::NodeId,
    wire::{Change, Target, TaskBuilder},
};

/// When changes go downstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Each at once.
    AtOnce,
    /// The last one of each row, at the commit.
    AtCommit,
}

/// Where a store's changes go, and when.
pub(crate) struct Emission<K, V> {
    pub(crate) to: Target<K, Change<V>>,
    pub(crate) when: When,
    /// Whether a step below needs the rows' old values.
    pub(crate) with_old: bool,
}

impl<K: Data, V: Data> Emission<K, V> {
    /// What the steps below table `id` get; `None` if there are none.
    pub(crate) fn of(builder: &mut TaskBuilder<'_>, id: NodeId, cached: bool) -> Result<Option<Self>> {
        if builder.plan.children(id).next().is_none() {
            return Ok(None);
        }
        let when = if cached { When::AtCommit } else { When::AtOnce };
        let with_old = builder.plan.sends_old_values(id);
        Ok(Some(Self { to: builder.next_later::<K, Change<V>>(id), when, with_old }))
    }
}

/// Keeps a record's headers beside a row that waits for the commit; allocates only if there are any.
#[inline(always)]
pub(super) fn keep_headers(kept: &mut Option<Box<Headers>>, headers: &Headers) {
    // Called for every change: most have none.
    if !headers.is_empty() || kept.is_some() {
        replace_headers(kept, headers);
    }
}

fn replace_headers(kept: &mut Option<Box<Headers>>, headers: &Headers) {
    *kept = (!headers.is_empty()).then(|| Box::new(headers.clone()));
}
