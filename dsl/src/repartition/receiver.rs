//! The reading half of a repartition.

use std::{cell::Cell, rc::Rc, sync::Arc};

use headwater_core::{Error, ErrorKind, RecordRef, Result, Serde, Timestamp};

use super::envelope::{Content, Envelope};
use crate::{
    bounds::Data,
    plan::NodeId,
    task::{Queue, TaskContext, TaskSource, hears_several, minimum, upstream_queue},
    wire::{Meta, Target, TaskBuilder},
};

pub(super) struct Receiver<K, V> {
    topic: Arc<str>,
    keys: Arc<dyn Serde<K>>,
    values: Arc<dyn Serde<V>>,
    next: Target<K, V>,
    context: Rc<TaskContext>,
    /// One per upstream task, by its partition number.
    queues: Vec<Rc<Queue>>,
    /// The least time among the queues when it was last worked out.
    least: Cell<Option<Timestamp>>,
    /// Whether some step of the task hears of several senders, this one among them.
    several: bool,
}

impl<K: Data, V: Data> Receiver<K, V> {
    pub(super) fn new(
        builder: &mut TaskBuilder<'_>,
        id: NodeId,
        keys: Arc<dyn Serde<K>>,
        values: Arc<dyn Serde<V>>,
    ) -> Result<Self> {
        let next = builder.next::<K, V>(id)?;
        let topic: Arc<str> = builder.plan.topics_read_by(id).first().map_or("", String::as_str).into();
        let context = builder.context.clone();
        let queues = (0..builder.env.upstream_tasks(&topic))
            .map(|upstream| context.queue(&upstream_queue(&topic, upstream as u64)))
            .collect::<Result<Vec<_>>>()?;
        let least = Cell::new(minimum(&queues, context.run_id));
        let several = hears_several(builder);
        Ok(Self { topic, keys, values, next, context, queues, least, several })
    }

    /// Tells the windows if the least time among the upstream tasks has moved.
    fn time_may_have_moved(&self) -> Result<()> {
        let least = minimum(&self.queues, self.context.run_id);
        if least == self.least.replace(least) { Ok(()) } else { self.context.time_moved() }
    }

    fn take(&self, record: &RecordRef<'_>, envelope: &Envelope<'_>, value: Option<&[u8]>) -> Result<()> {
        let key = self.keys.decode(record.key).map_err(|error| error.while_decoding("the key"))?;
        let payload = RecordRef { value, ..record.clone() };
        let value = self.values.decode(value).map_err(|error| error.while_decoding("the value"))?;
        self.context.time_passes(envelope.time)?;
        let stream_time = &self.context.stream_time;
        stream_time.set(stream_time.get().max(record.timestamp));
        self.context.sender_time.set(Some(envelope.time));
        self.context.keep_raw(&self.topic, &payload);
        let meta = Meta { timestamp: record.timestamp, headers: &record.headers };
        let pushed = self.next.push(meta, key, value);
        self.context.sender_time.set(None);
        pushed
    }
}

impl<K, V> Receiver<K, V> {
    /// The envelope of a record, and the queue of its sender.
    fn open<'a>(&self, record: &RecordRef<'a>) -> Result<(Envelope<'a>, &Rc<Queue>)> {
        let envelope = record.value.and_then(Envelope::decode).ok_or_else(|| {
            Error::new(ErrorKind::Serde, "HW0206", format!("a record of {} has no envelope", self.topic))
                .help("only the application itself may write to its repartition topics; start a new version by replay")
        })?;
        let index = usize::try_from(envelope.upstream).unwrap_or(usize::MAX);
        let queue = self.queues.get(index).ok_or_else(|| {
            let message = format!("{} has a record of upstream task {index}, of {}", self.topic, self.queues.len());
            Error::new(ErrorKind::Topology, "HW0207", message)
                .help("the input's partition count changed; replay into a new version")
        })?;
        Ok((envelope, queue))
    }
}

impl<K: Data, V: Data> TaskSource for Receiver<K, V> {
    fn timestamp(&self, record: &RecordRef<'_>) -> Timestamp {
        record.timestamp
    }

    fn sender(&self, record: &RecordRef<'_>) -> Option<(usize, Timestamp)> {
        let envelope = record.value.and_then(Envelope::decode)?;
        Some((usize::try_from(envelope.upstream).ok()?, envelope.time))
    }

    fn process(&self, record: &RecordRef<'_>) -> Result<()> {
        let (envelope, queue) = self.open(record)?;
        // Most records come from a sender that is ahead of another one, and cannot move the least of the times.
        let ahead = queue.holds_at(self.context.run_id).is_some_and(|held| Some(held) > self.least.get());
        match envelope.content {
            Content::Record(value) => {
                if envelope.is_progress {
                    queue.speak(envelope.time);
                }
                self.take(record, &envelope, value)?;
                if self.several && !ahead { self.time_may_have_moved() } else { Ok(()) }
            }
            Content::Progress => {
                queue.speak(envelope.time);
                self.time_may_have_moved()
            }
            Content::End(run_id) => {
                queue.speak(envelope.time);
                if run_id == self.context.run_id {
                    queue.end(run_id);
                }
                self.time_may_have_moved()
            }
            Content::Idle => {
                queue.fall_idle();
                self.time_may_have_moved()
            }
        }
    }

    /// The record stands for its sender's time like any other; what is kept is the record without its envelope.
    fn set_aside(&self, record: &RecordRef<'_>, keep: &mut dyn FnMut(&RecordRef<'_>) -> Result<()>) -> Result<()> {
        let (envelope, queue) = self.open(record)?;
        if envelope.is_progress {
            queue.speak(envelope.time);
        }
        let Content::Record(value) = envelope.content else { return Ok(()) };
        keep(&RecordRef { value, ..record.clone() })?;
        self.time_may_have_moved()
    }
}
