//! Time as it passes with the records themselves, in a task that takes them in the order of their senders' time.
//!
//! A step that waits, such as a join with unmatched records, could go by what its senders have told of their times. But when
//! they are told depends on commits, so its results would come at another place among others in each run. In a bounded run
//! the sender's time of the record that is taken says as much: no sender can send an older one any more.

use std::cell::Cell;

use headwater_core::{Result, Timestamp};

use super::{Memo, Slot};

/// The time of the records taken.
pub(crate) struct Passing {
    time: Slot,
    /// As it was before the record that moves it just now.
    before: Cell<Timestamp>,
    /// Whether the task takes its records in order, and has steps that wait.
    in_order: Cell<bool>,
    has_steps: Cell<bool>,
    /// Whether the current record is taken too early, as too many have waited.
    hurried: Cell<bool>,
}

impl Passing {
    pub(super) fn new(memo: &Memo, run_id: u64) -> Result<Self> {
        let (time, run) = (memo.slot("passing", Timestamp::MIN)?, memo.slot("passing-in-run", 0)?);
        // Where another run has ended says nothing of what the senders send in this one.
        if run.get() != run_id as i64 {
            run.set(run_id as i64);
            time.set(Timestamp::MIN);
        }
        let before = Cell::new(time.get());
        Ok(Self { time, before, in_order: Cell::new(false), has_steps: Cell::new(false), hurried: Cell::new(false) })
    }

    /// The task takes its records in order.
    pub(super) fn begin(&self) {
        self.in_order.set(true);
    }

    /// The current record may be followed by older ones.
    pub(super) fn hurry(&self, hurried: bool) {
        self.hurried.set(hurried);
    }

    /// A step that waits would go by it: whether it does, as the task takes its records in order.
    pub(crate) fn guides_a_step(&self) -> bool {
        self.has_steps.set(true);
        self.in_order.get()
    }

    /// The time to go by.
    pub(crate) fn time(&self) -> Timestamp {
        self.time.get()
    }

    /// What is sent just now was in time at this time: before the record that moves time, nothing of it was due.
    pub(crate) fn sent_at(&self) -> Timestamp {
        self.before.get()
    }

    /// Moves to `time`; false if nobody need act on it.
    pub(super) fn moves_to(&self, time: Timestamp) -> bool {
        let moves = self.in_order.get() && self.has_steps.get() && !self.hurried.get() && time > self.time.get();
        if moves {
            self.time.set(time);
        }
        moves
    }

    pub(super) fn has_moved(&self) {
        self.before.set(self.time.get());
    }

    /// Sets both times for a while, and returns what they were.
    pub(super) fn turn_to(&self, (time, before): (Timestamp, Timestamp)) -> (Timestamp, Timestamp) {
        let now = (self.time.get(), self.before.get());
        self.time.set(time);
        self.before.set(before);
        now
    }

    pub(super) fn now(&self) -> (Timestamp, Timestamp) {
        (self.time.get(), self.before.get())
    }
}
