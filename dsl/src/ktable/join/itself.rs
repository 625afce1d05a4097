//! A table joined with itself: one step, so that a change is one change.

use std::{any::Any, marker::PhantomData, sync::Arc};

use crate::{
    plan::NodeId,
    task::Blame,
    wire::{Change, Flow, Meta, Push, Target},
};

pub(super) struct Itself<J, K, V2, VO> {
    id: NodeId,
    join: Arc<J>,
    next: Target<K, Change<VO>>,
    other: PhantomData<fn() -> V2>,
}

impl<J, K, V2: Clone + 'static, VO> Itself<J, K, V2, VO> {
    pub(super) fn new(id: NodeId, join: Arc<J>, next: Target<K, Change<VO>>) -> Self {
        Self { id, join, next, other: PhantomData }
    }

    fn paired<V: 'static>(&self, value: Option<V>) -> Option<VO>
    where
        J: Fn(Option<V>, Option<V2>) -> Option<VO>,
    {
        // Both sides are one table, hence of one type.
        let twin = value.as_ref().and_then(|value| (value as &dyn Any).downcast_ref::<V2>()).cloned();
        (self.join)(value, twin)
    }
}

impl<J, K, V: 'static, V2: Clone + 'static, VO> Push<K, Change<V>> for Itself<J, K, V2, VO>
where
    J: Fn(Option<V>, Option<V2>) -> Option<VO>,
{
    fn push(&self, meta: Meta<'_>, key: K, change: Change<V>) -> Flow {
        let blame = Blame::new(self.id);
        let (old, new) = (self.paired(change.old), self.paired(change.new));
        blame.clear();
        if new.is_none() && old.is_none() {
            return Ok(());
        }
        self.next.push(meta, key, Change { new, old })
    }
}
