//! The writing half of a repartition.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
};

use headwater_core::{Error, ErrorKind, Headers, Payload, Result, Serde, Timestamp, partition_for_key};

use super::{
    Place,
    envelope::{Content, Envelope},
};
use crate::{
    bounds::Data,
    placing::Placing,
    plan::{NodeId, NodeKind},
    task::{
        CommitStep, Emitter, Lineage, Queue, Slot, TaskContext, TopicWriter, emitters_of, held_above, is_below_a_wait,
        lineage, minimum, queues_of,
    },
    vocab::Partitioner,
    wire::{Flow, Meta, Push, TaskBuilder},
};

/// What this sender's time is, by where its records come from.
enum SenderTime {
    /// Straight from sources, or from one upstream task: the greatest time taken from them.
    Greatest,
    /// Handed on from several senders: their time judges lateness, the least of them is progress.
    Forwarded { held_ms: i64 },
    /// The same where records are taken in order and a step above waits: their own time, as it passes.
    Passing { held_ms: i64 },
    /// Final results of windows: the greatest time among them.
    Emitted { greatest: Slot, emitters: Vec<Emitter> },
}

pub(super) struct Sender<K, V> {
    node: String,
    keys: Arc<dyn Serde<K>>,
    values: Arc<dyn Serde<V>>,
    topic: Rc<dyn TopicWriter>,
    /// Where a record goes, if not by its key.
    place: Option<Place<V>>,
    /// Whether what takes the records has a use for null keys.
    takes_null_keys: bool,
    null_keys: Slot,
    placing: Placing<K, V>,
    context: Rc<TaskContext>,
    marks: Rc<Marks>,
    scratch: RefCell<(Vec<u8>, Vec<u8>)>,
}

/// What each partition has been told of this task's time.
struct Marks {
    id: NodeId,
    topic: Rc<dyn TopicWriter>,
    context: Rc<TaskContext>,
    time: SenderTime,
    /// Of everything that reaches this step.
    queues: Vec<Rc<Queue>>,
    told: RefCell<Vec<Timestamp>>,
    told_end: Cell<bool>,
    /// Which saying of being idle was passed on last; 0 if none since it spoke.
    told_idle: Cell<u64>,
}

impl<K: Data, V: Data> Sender<K, V> {
    pub(super) fn new(
        builder: &mut TaskBuilder<'_>,
        id: NodeId,
        keys: Arc<dyn Serde<K>>,
        values: Arc<dyn Serde<V>>,
        (place, partitioner): (Option<Place<V>>, Option<Partitioner<K, V>>),
    ) -> Result<Self> {
        let node = builder.node(id)?;
        let NodeKind::Repartition { topic: Some(name), .. } = &node.kind else {
            return Err(Error::new(ErrorKind::Internal, "HW0100", "a repartition without topic has no sender"));
        };
        let context = builder.context.clone();
        let topic = builder.env.topic(name)?;
        let time = match lineage(builder, id) {
            Lineage::Sources => SenderTime::Greatest,
            Lineage::Upstreams if is_below_a_wait(builder, id) && context.passing.guides_a_step() => {
                SenderTime::Passing { held_ms: held_above(builder, id) }
            }
            Lineage::Upstreams => SenderTime::Forwarded { held_ms: held_above(builder, id) },
            Lineage::Emitted => SenderTime::Emitted {
                greatest: context.memo.slot(&format!("emitted/{name}"), Timestamp::MIN)?,
                emitters: emitters_of(builder, id)?,
            },
        };
        let told = vec![Timestamp::MIN; usize::try_from(topic.partitions()).unwrap_or_default()];
        let marks = Rc::new(Marks {
            id,
            topic: topic.clone(),
            context: context.clone(),
            time,
            queues: queues_of(builder, id)?,
            told: RefCell::new(told),
            told_end: Cell::new(false),
            told_idle: Cell::new(0),
        });
        context.at_commit(id, marks.clone());
        Ok(Self {
            node: node.name.clone(),
            keys,
            values,
            place,
            takes_null_keys: builder.plan.takes_null_keys(id),
            null_keys: context.memo.slot(&format!("null-key:{}", node.name), 0)?,
            placing: Placing::new(builder, id, partitioner)?,
            topic,
            context,
            marks,
            scratch: RefCell::default(),
        })
    }
}

impl<K: Data, V: Data> Push<K, V> for Sender<K, V> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let placement = self.placing.choose(&key, &value, self.topic.partitions())?;
        let mut scratch = self.scratch.borrow_mut();
        let (key_bytes, bytes) = &mut *scratch;
        key_bytes.clear();
        let key = self.keys.encode(&key, key_bytes).map_err(|e| e.while_encoding("the key").at_node(&self.node))?;
        if key == Payload::Null && !self.takes_null_keys {
            self.null_keys.increment();
            return Ok(());
        }
        let partitions = self.topic.partitions();
        let partition = match (&self.place, key) {
            (Some(place), _) => place(&value).rem_euclid(partitions.max(1)),
            (None, Payload::Bytes) => partition_for_key(key_bytes, partitions),
            // Anywhere, but always the same way.
            (None, Payload::Null) => self.context.id.partition.rem_euclid(partitions.max(1)),
        };
        let (time, is_progress) = self.marks.time_of(meta.timestamp);
        // A record that waits inside the task was not late by the time it came at: nobody may close its window yet.
        let is_progress = is_progress && self.context.waiting.get() == 0;
        let upstream = u64::try_from(self.context.id.partition).unwrap_or_default();
        bytes.clear();
        let head = Envelope { upstream, time, is_progress, content: Content::Record(Some(&[])) };
        head.encode_head(bytes);
        let value = self.values.encode(&value, bytes).map_err(|e| e.while_encoding("the value").at_node(&self.node))?;
        if value == Payload::Null {
            bytes.clear();
            Envelope { content: Content::Record(None), ..head }.encode_head(bytes);
        }
        let key = (key == Payload::Bytes).then_some(key_bytes.as_slice());
        self.placing.each(
            &placement,
            || partition,
            |partition| {
                if is_progress {
                    self.marks.note(partition, time);
                }
                self.topic.send(partition, meta.timestamp, key, Some(bytes), meta.headers)
            },
        )
    }
}

impl Marks {
    /// The greatest time taken from what is above.
    fn greatest(&self) -> Timestamp {
        self.queues.iter().map(|queue| queue.reached(self.context.run_id)).max().unwrap_or(Timestamp::MIN)
    }

    /// How often in a row everything above was said to be idle; 0 if something is not.
    fn idle(&self) -> u64 {
        self.queues.iter().map(|queue| queue.said_idle()).min().unwrap_or_default()
    }

    /// The time to send with a record, and whether it is progress.
    fn time_of(&self, timestamp: Timestamp) -> (Timestamp, bool) {
        match &self.time {
            SenderTime::Greatest => (self.greatest(), true),
            SenderTime::Forwarded { .. } => {
                // What a timer or a step that waits sends was sent by nobody upstream: it is late where windows downstream
                // may have closed by what was told.
                let unsent = || self.told.borrow().iter().copied().fold(timestamp, Timestamp::max);
                (self.context.sender_time.get().unwrap_or_else(unsent), false)
            }
            SenderTime::Passing { held_ms } => (self.context.passing.sent_at().saturating_sub(*held_ms), false),
            SenderTime::Emitted { greatest, .. } => {
                greatest.set(greatest.get().max(timestamp));
                (greatest.get(), true)
            }
        }
    }

    /// This task's progress, if it is known.
    fn progress(&self) -> Option<Timestamp> {
        let time = match &self.time {
            SenderTime::Greatest => self.greatest(),
            SenderTime::Passing { held_ms } if !self.context.has_ended(self.id) => {
                self.context.passing.time().saturating_sub(*held_ms)
            }
            SenderTime::Forwarded { held_ms } | SenderTime::Passing { held_ms } => {
                minimum(&self.queues, self.context.run_id)?.saturating_sub(*held_ms)
            }
            // A task whose windows hold nothing has nothing to send, and yet its time goes on. No result that is still
            // to come is older than the oldest open window, so this says nothing that a record would not say.
            SenderTime::Emitted { greatest, emitters } => {
                let open = emitters.iter().map(Emitter::oldest_open).min().unwrap_or(Timestamp::MIN);
                greatest.get().max(open)
            }
        };
        Some(time).filter(|time| *time != Timestamp::MIN)
    }

    fn note(&self, partition: i32, time: Timestamp) {
        let index = usize::try_from(partition).unwrap_or(usize::MAX);
        if let Some(told) = self.told.borrow_mut().get_mut(index) {
            *told = (*told).max(time);
        }
        self.told_idle.set(0);
    }

    fn tell(&self, partition: i32, time: Timestamp, content: Content<'_>) -> Flow {
        let upstream = u64::try_from(self.context.id.partition).unwrap_or_default();
        let mut bytes = Vec::new();
        Envelope { upstream, time, is_progress: true, content }.encode_head(&mut bytes);
        self.topic.send(partition, time.max(0), None, Some(&bytes), &Headers::new())
    }
}

impl CommitStep for Marks {
    /// Tells every partition what it does not know yet: time that no record carried there, the end, idleness.
    fn before_commit(&self) -> Flow {
        let progress = self.progress();
        let partitions = self.topic.partitions();
        if self.context.has_ended(self.id) {
            if !self.told_end.replace(true) {
                for partition in 0..partitions {
                    let time = progress.unwrap_or(Timestamp::MIN);
                    self.tell(partition, time, Content::End(self.context.run_id))?;
                }
            }
            return Ok(());
        }
        let idle = self.idle();
        if idle > 0 {
            if self.told_idle.replace(idle) != idle {
                for partition in 0..partitions {
                    self.tell(partition, progress.unwrap_or(Timestamp::MIN), Content::Idle)?;
                }
            }
            return Ok(());
        }
        let Some(time) = progress else { return Ok(()) };
        let returned = self.told_idle.replace(0) > 0;
        for partition in 0..partitions {
            let index = usize::try_from(partition).unwrap_or(usize::MAX);
            let behind = self.told.borrow().get(index).is_some_and(|told| *told < time);
            if behind || returned {
                self.tell(partition, time, Content::Progress)?;
                self.note(partition, time);
            }
        }
        Ok(())
    }
}
