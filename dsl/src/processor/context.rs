//! What a processor may ask and do while it is called.

use std::ops::Deref;

use headwater_core::{Error, ErrorKind, Offset, Result, TaskId, Timestamp};

use super::{FixedKeyRecord, Output, Record, Step};
use crate::{
    bounds::Data,
    task::{Punctuation, Timer, next_tick},
    wire::{Meta, Push},
};

/// Why a processor is being called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Init,
    Record,
    Timer,
}

/// Where the record that is being processed came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordMetadata<'a> {
    /// The topic: an input or a repartition topic.
    pub topic: &'a str,
    /// The partition of that topic.
    pub partition: i32,
    /// The record's offset there.
    pub offset: Offset,
}

/// What processors of both kinds may ask and do; [`ProcessorContext`] and [`FixedKeyContext`] deref to it.
#[derive(Clone, Copy)]
pub struct ProcessorScope<'a> {
    step: &'a Step,
    phase: Phase,
}

impl<'a> ProcessorScope<'a> {
    pub(super) fn new(step: &'a Step, phase: Phase) -> Self {
        Self { step, phase }
    }

    /// The task this instance belongs to.
    pub fn task_id(&self) -> TaskId {
        self.step.task.id
    }

    /// The name given to `process(..)`.
    pub fn step_name(&self) -> &'a str {
        &self.step.name
    }

    /// Where the current record came from; `None` in `init`, in a timer, and for changes of a table, which have no one
    /// record they came from.
    pub fn record_metadata(&self) -> Option<RecordMetadata<'a>> {
        let (partition, offset) = (self.step.task.partition.get(), self.step.task.offset.get());
        let topic = self.step.task.topic_now().filter(|_| self.phase == Phase::Record && offset >= 0)?;
        Some(RecordMetadata { topic, partition, offset })
    }

    /// The greatest timestamp the task has taken so far; `None` before the first record.
    pub fn stream_time(&self) -> Option<Timestamp> {
        Some(self.step.task.stream_time.get()).filter(|time| *time != Timestamp::MIN)
    }

    /// The wall clock's time in milliseconds since 1970: the run's clock, or the test driver's. A replay sees another
    /// one; what should be the same in every replay goes by event time.
    pub fn wall_clock(&self) -> Timestamp {
        self.step.task.clock.now_ms()
    }

    /// Calls `punctuate` every `every_ms` milliseconds from now on.
    ///
    /// * [`Punctuation::StreamTime`]: as event time passes. The ticks are the multiples of `every_ms`; the first comes
    ///   as soon as stream time is known, that is after the first record, and without records none comes. What `init`
    ///   schedules after a restart goes on with the first tick that had not passed.
    /// * [`Punctuation::WallClock`]: as the clock goes on, the first time after `every_ms`.
    ///
    /// It is looked after each record (stream time) and at least every 20 ms (wall clock). A timer fires at most once
    /// each time, however many of its ticks have passed, and the ticks stay where they were. Timers end with the task:
    /// `init` schedules them again after a restart. Within one look they fire in the order they were due.
    ///
    /// # Errors
    /// `HW0242` if `every_ms` is less than 1.
    pub fn schedule(&self, every_ms: i64, by: Punctuation) -> Result<Timer> {
        self.checked(every_ms)?;
        let task = &self.step.task;
        let start = match by {
            // The task has fired them before it was started again.
            Punctuation::StreamTime if self.phase == Phase::Init && task.stream_time.get() >= 0 => {
                next_tick(0, every_ms, task.stream_time.get())
            }
            Punctuation::StreamTime => 0,
            Punctuation::WallClock => self.wall_clock().saturating_add(every_ms),
        };
        Ok(self.step.task.timers.add(by, start, every_ms, self.step.me.clone()))
    }

    /// As [`ProcessorScope::schedule`], with the first tick at `start` and the others counted from there. If `start` has
    /// passed, the first is the next one after now.
    ///
    /// # Errors
    /// `HW0242` if `every_ms` is less than 1.
    pub fn schedule_from(&self, start: Timestamp, every_ms: i64, by: Punctuation) -> Result<Timer> {
        self.checked(every_ms)?;
        let now = match by {
            Punctuation::StreamTime => self.stream_time().unwrap_or(-1),
            Punctuation::WallClock => self.wall_clock(),
        };
        // A task that is started again has fired what was due right at the time that it knows.
        let passed = start < now || start == now && self.phase == Phase::Init;
        let first = if passed { next_tick(start, every_ms, now) } else { start };
        Ok(self.step.task.timers.add(by, first, every_ms, self.step.me.clone()))
    }

    fn checked(&self, every_ms: i64) -> Result<()> {
        if every_ms >= 1 {
            return Ok(());
        }
        Err(Error::new(ErrorKind::User, "HW0242", format!("a timer was scheduled every {every_ms} ms"))
            .at_node(&self.step.name)
            .help("the shortest interval is 1 ms"))
    }

    /// Ends a timer: it does not fire any more. One that has ended already is left alone.
    pub fn cancel(&self, timer: Timer) {
        self.step.task.timers.cancel(timer);
    }

    /// Asks for a commit soon, before the commit interval is over. It happens after this record or batch, not within
    /// this call.
    pub fn commit(&self) {
        self.step.task.commit_requested.set(true);
    }

    /// Forwards a record to a side output by its declaration. [`Port::forward`](crate::Port::forward) does the same
    /// without looking the output up.
    ///
    /// # Errors
    /// `HW0250` if the output was not declared with the processor, otherwise as [`ProcessorContext::forward`].
    pub fn forward_to<K: Data, V: Data>(&self, output: &Output<K, V>, record: Record<'_, K, V>) -> Result<()> {
        let target = self.step.ports.of(output, &self.step.name)?;
        self.may_forward(record.timestamp)?;
        target.push(Meta { timestamp: record.timestamp, headers: record.headers }, record.key, record.value)
    }

    /// Whether a record of this time may be forwarded now.
    pub(super) fn may_forward(&self, timestamp: Timestamp) -> Result<()> {
        if timestamp >= 0 && self.phase != Phase::Init {
            return Ok(());
        }
        let (code, what, help) = if self.phase == Phase::Init {
            ("HW0243", "a record was forwarded from init".to_owned(), "forward from process or punctuate")
        } else {
            let what = format!("a record with the time {timestamp} was forwarded");
            ("HW0241", what, "a timestamp is 0 or more; give the record the time of its input")
        };
        Err(Error::new(ErrorKind::User, code, what).at_node(&self.step.name).help(help))
    }
}

impl std::fmt::Debug for ProcessorScope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProcessorScope").field("step", &self.step.name).field("phase", &self.phase).finish()
    }
}

/// What a [`Processor`](crate::Processor) is called with: where its records go, and all of [`ProcessorScope`].
pub struct ProcessorContext<'a, K, V> {
    pub(super) scope: ProcessorScope<'a>,
    pub(super) next: &'a dyn Push<K, V>,
}

impl<K, V> ProcessorContext<'_, K, V> {
    /// Forwards a record to the steps below, which take it before this returns. Time and headers are the record's; those
    /// of the input stay if it is made of the input by `with_key` and `with_value`.
    ///
    /// # Errors
    /// `HW0241` for a negative timestamp, `HW0243` from `init`, and whatever a step below fails with: hand it on with
    /// `?`, as the task cannot go on after it.
    pub fn forward(&mut self, record: Record<'_, K, V>) -> Result<()> {
        self.scope.may_forward(record.timestamp)?;
        self.next.push(Meta { timestamp: record.timestamp, headers: record.headers }, record.key, record.value)
    }
}

impl<'a, K, V> Deref for ProcessorContext<'a, K, V> {
    type Target = ProcessorScope<'a>;

    fn deref(&self) -> &Self::Target {
        &self.scope
    }
}

impl<K, V> std::fmt::Debug for ProcessorContext<'_, K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ProcessorContext").field(&self.scope).finish()
    }
}

/// What a [`FixedKeyProcessor`](crate::FixedKeyProcessor) is called with: where its records go, and all of
/// [`ProcessorScope`].
pub struct FixedKeyContext<'a, K, V> {
    pub(super) scope: ProcessorScope<'a>,
    pub(super) next: &'a dyn Push<K, V>,
}

impl<K, V> FixedKeyContext<'_, K, V> {
    /// Forwards a record, made of one that came in, to the steps below, which take it before this returns.
    ///
    /// # Errors
    /// As [`ProcessorContext::forward`].
    pub fn forward(&mut self, record: FixedKeyRecord<'_, K, V>) -> Result<()> {
        self.scope.may_forward(record.timestamp)?;
        self.next.push(Meta { timestamp: record.timestamp, headers: record.headers }, record.key, record.value)
    }
}

impl<'a, K, V> Deref for FixedKeyContext<'a, K, V> {
    type Target = ProcessorScope<'a>;

    fn deref(&self) -> &Self::Target {
        &self.scope
    }
}

impl<K, V> std::fmt::Debug for FixedKeyContext<'_, K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FixedKeyContext").field(&self.scope).finish()
    }
}
