//! Timers: the punctuations that a task's processors have scheduled.

use std::{
    cell::{Cell, RefCell},
    rc::Weak,
};

use headwater_core::Timestamp;

use crate::wire::Flow;

/// By which time a timer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Punctuation {
    /// The greatest event time that the task has taken. It stands still while no records come, and passes a year in a
    /// second during a replay.
    StreamTime,
    /// The run's clock, with or without records.
    WallClock,
}

/// A timer that a processor has scheduled. Tells the timers of one processor apart, and ends one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timer(u64);

/// What a timer calls.
pub(crate) trait Punctuated {
    /// `timer` is due at `now`.
    fn punctuate(&self, timer: Timer, now: Timestamp) -> Flow;
}

/// The first tick after `now`, counted from `tick`, which is not after `now`.
pub(crate) fn next_tick(tick: Timestamp, every_ms: i64, now: Timestamp) -> Timestamp {
    let passed = now.saturating_sub(tick).max(0) / every_ms.max(1);
    tick.saturating_add(passed.saturating_add(1).saturating_mul(every_ms))
}

struct Schedule {
    timer: Timer,
    due: Timestamp,
    every_ms: i64,
    step: Weak<dyn Punctuated>,
}

/// The timers that go by one kind of time.
struct Schedules {
    /// When the next one is due; `MAX` if there is none, so that a look costs one comparison.
    due: Cell<Timestamp>,
    list: RefCell<Vec<Schedule>>,
}

impl Default for Schedules {
    fn default() -> Self {
        Self { due: Cell::new(Timestamp::MAX), list: RefCell::default() }
    }
}

impl Schedules {
    fn note_due(&self) {
        self.due.set(self.list.borrow().iter().map(|schedule| schedule.due).min().unwrap_or(Timestamp::MAX));
    }

    /// The one that has been due longest at `now`, already set to its next tick.
    fn take_due(&self, now: Timestamp) -> Option<(Timer, Weak<dyn Punctuated>)> {
        let taken = {
            let mut list = self.list.borrow_mut();
            let first = list.iter_mut().filter(|schedule| schedule.due <= now).min_by_key(|schedule| schedule.due)?;
            first.due = next_tick(first.due, first.every_ms, now);
            (first.timer, first.step.clone())
        };
        self.note_due();
        Some(taken)
    }
}

/// All timers of a task.
#[derive(Default)]
pub(crate) struct Timers {
    by_stream: Schedules,
    by_clock: Schedules,
    made: Cell<u64>,
}

impl Timers {
    pub(crate) fn add(&self, by: Punctuation, due: Timestamp, every_ms: i64, step: Weak<dyn Punctuated>) -> Timer {
        self.made.set(self.made.get() + 1);
        let timer = Timer(self.made.get());
        let schedules = self.of(by);
        schedules.list.borrow_mut().push(Schedule { timer, due, every_ms, step });
        schedules.note_due();
        timer
    }

    pub(crate) fn cancel(&self, timer: Timer) {
        for schedules in [&self.by_stream, &self.by_clock] {
            schedules.list.borrow_mut().retain(|schedule| schedule.timer != timer);
            schedules.note_due();
        }
    }

    /// Whether a timer of this kind is due at `now`.
    #[inline]
    pub(crate) fn is_due(&self, by: Punctuation, now: Timestamp) -> bool {
        self.of(by).due.get() <= now
    }

    /// Calls every timer that is due at `now`, longest due first, each once. No borrow is held during a call: it may
    /// schedule and cancel.
    pub(crate) fn fire(&self, by: Punctuation, now: Timestamp) -> Flow {
        while let Some((timer, step)) = self.of(by).take_due(now) {
            if let Some(step) = step.upgrade() {
                step.punctuate(timer, now)?;
            }
        }
        Ok(())
    }

    fn of(&self, by: Punctuation) -> &Schedules {
        match by {
            Punctuation::StreamTime => &self.by_stream,
            Punctuation::WallClock => &self.by_clock,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    /// Writes down what fires.
    #[derive(Default)]
    struct Heard(RefCell<Vec<(Timer, Timestamp)>>);

    impl Punctuated for Heard {
        fn punctuate(&self, timer: Timer, now: Timestamp) -> Flow {
            self.0.borrow_mut().push((timer, now));
            Ok(())
        }
    }

    fn weak(heard: &Rc<Heard>) -> Weak<dyn Punctuated> {
        let heard: Rc<dyn Punctuated> = heard.clone();
        Rc::downgrade(&heard)
    }

    #[test]
    fn ticks_stay_aligned_however_late_the_look_is() {
        assert_eq!(next_tick(0, 10, 0), 10);
        assert_eq!(next_tick(0, 10, 9), 10);
        assert_eq!(next_tick(0, 10, 10), 20);
        assert_eq!(next_tick(30, 10, 75), 80);
        assert_eq!(next_tick(5, 10, 1_000_000), 1_000_005);
        assert_eq!(next_tick(0, i64::MAX, 5), i64::MAX);
    }

    #[test]
    fn a_look_fires_each_timer_once_and_the_longest_due_first() {
        let heard = Rc::new(Heard::default());
        let timers = Timers::default();
        let slow = timers.add(Punctuation::StreamTime, 0, 100, weak(&heard));
        let quick = timers.add(Punctuation::StreamTime, 0, 10, weak(&heard));
        timers.fire(Punctuation::StreamTime, 5).unwrap();
        timers.fire(Punctuation::StreamTime, 250).unwrap();
        timers.fire(Punctuation::WallClock, 250).unwrap();
        assert_eq!(heard.0.take(), [(slow, 5), (quick, 5), (quick, 250), (slow, 250)]);
        assert!(!timers.is_due(Punctuation::StreamTime, 259));
        timers.cancel(quick);
        assert!(!timers.is_due(Punctuation::StreamTime, 260));
        assert!(timers.is_due(Punctuation::StreamTime, 300));
    }
}
