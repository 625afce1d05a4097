//! A half of a table-table join: one table's changes with the other's rows.

use std::{rc::Rc, sync::Arc};

use crate::{
    ktable::Past,
    plan::NodeId,
    task::Blame,
    wire::{Change, Flow, Meta, Push, TableView, Target},
};

pub(super) struct Half<J, K, V2, VO> {
    pub(super) id: NodeId,
    pub(super) past: Past,
    pub(super) other: Rc<dyn TableView<K, V2>>,
    pub(super) join: Arc<J>,
    /// Whether a change without partner is nothing to this half.
    pub(super) pairs_only: bool,
    /// Whether a step below needs old values.
    pub(super) with_old: bool,
    pub(super) next: Target<K, Change<VO>>,
}

impl<K, V, V2, VO, J> Push<K, Change<V>> for Half<J, K, V2, VO>
where
    V2: Clone,
    J: Fn(Option<V>, Option<V2>) -> Option<VO>,
{
    fn push(&self, meta: Meta<'_>, key: K, change: Change<V>) -> Flow {
        if self.past.is_now() {
            return Ok(());
        }
        let partner = self.other.get(&key)?;
        if partner.is_none() && (self.pairs_only || (change.new.is_none() && change.old.is_none())) {
            return Ok(());
        }
        let (partner, timestamp) = match partner {
            Some((value, timestamp)) => (Some(value), timestamp.max(meta.timestamp)),
            None => (None, meta.timestamp),
        };
        let blame = Blame::new(self.id);
        let old = if self.with_old { (self.join)(change.old, partner.clone()) } else { None };
        let new = (self.join)(change.new, partner);
        blame.clear();
        // Also where it deletes what was never there: only a store could know that.
        self.next.push(Meta { timestamp, ..meta }, key, Change { new, old })
    }
}
