//! The order in which a task takes what several upstream tasks have sent it.
//!
//! In a bounded run a repartition partition is one logical queue per upstream task. The task takes the head with the least
//! sender's time among all queues of all its inputs, and an empty queue holds it back until its sender's time has passed
//! that. A sender's time never falls, so nothing can come later that should have come before: every run takes the records
//! in the same order. (By the records' own timestamps it would not be so: they may be older than what was sent before.)

use std::rc::Rc;

use headwater_core::{Offset, Result, Timestamp};

use super::{Queue, Slot, TaskContext, upstream_queue};

/// How far the records of an internal topic have been taken, by upstream task.
#[derive(Clone)]
pub struct Order {
    senders: Rc<[Sender]>,
    /// Records taken without waiting for a sender, as too many waited already.
    hurried: Slot,
    run_id: u64,
}

struct Sender {
    queue: Rc<Queue>,
    /// One past the last record taken. Needed only where the records of several senders are taken in another order than
    /// they are in the partition.
    next: Option<Slot>,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Order of {} senders", self.senders.len())
    }
}

impl Order {
    pub(super) fn new(context: &TaskContext, topic: &str, senders: usize) -> Result<Self> {
        let sender = |upstream: usize| {
            let name = upstream_queue(topic, upstream as u64);
            let next = if senders > 1 { Some(context.memo.slot(&format!("next/{name}"), 0)?) } else { None };
            Ok(Sender { queue: context.queue(&name)?, next })
        };
        let hurried = context.memo.slot(&format!("out-of-order:{topic}"), 0)?;
        Ok(Self { senders: (0..senders).map(sender).collect::<Result<_>>()?, hurried, run_id: context.run_id })
    }

    /// How many upstream tasks there are.
    pub fn senders(&self) -> usize {
        self.senders.len()
    }

    /// Records of `upstream` before this offset have been taken.
    pub fn next_of(&self, upstream: usize) -> Offset {
        self.senders.get(upstream).and_then(|sender| sender.next.as_ref()).map_or(0, Slot::get)
    }

    /// The time that `upstream` is known to have reached; `None` if nobody need wait for it.
    pub fn held_at(&self, upstream: usize) -> Option<Timestamp> {
        self.senders.get(upstream)?.queue.holds_at(self.run_id)
    }

    /// A record was taken although it should have waited.
    pub fn hurry(&self) {
        self.hurried.increment();
    }

    pub(super) fn note_taken(&self, upstream: usize, offset: Offset) {
        if let Some(next) = self.senders.get(upstream).and_then(|sender| sender.next.as_ref()) {
            next.set(next.get().max(offset + 1));
        }
    }
}
