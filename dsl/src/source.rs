//! Sources: from a record's bytes to a typed push.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use headwater_core::{Error, ErrorKind, Offset, Payload, RecordRef, Result, Serde, Timestamp};

use crate::{
    bounds::Data,
    dead_letter::{DeadLetters, Raw},
    plan::{NodeId, NodeKind},
    store::{StoreSerdes, encode_row_head},
    task::{Blame, Queue, Slot, TaskContext, TaskSource, hears_several},
    vocab::{Arrival, Consumed, EventTime, Materialized, NegativeTime},
    wire::{Meta, Restorer, Target, Wiring},
};

/// Decodes the records of a source.
pub(crate) struct Decoder<K, V> {
    keys: Arc<dyn Serde<K>>,
    values: Arc<dyn Serde<V>>,
    event_time: EventTime<K, V>,
    negative_time: NegativeTime,
}

impl<K: Data, V: Data> Decoder<K, V> {
    pub(crate) fn new(consumed: Consumed<K, V>) -> Self {
        let Consumed { keys, values, event_time, negative_time, .. } = consumed;
        Self { keys, values, event_time, negative_time }
    }

    pub(crate) fn decode(&self, record: &RecordRef<'_>) -> Result<(K, V)> {
        let key = self.keys.decode(record.key).map_err(|error| error.while_decoding("the key"))?;
        let value = self.values.decode(record.value).map_err(|error| error.while_decoding("the value"))?;
        Ok((key, value))
    }
}

/// Makes of a record of a table's topic what reading it makes of it in the table's store. Records that reading sets aside
/// have no row.
pub(crate) fn restorer<K: Data, V: Data>(decoder: Arc<Decoder<K, Option<V>>>, store: &Materialized<K, V>) -> Restorer {
    let (name, (keys, values)) = (store.name.clone(), store.serdes());
    let serdes = StoreSerdes { keys, values };
    Box::new(move |record| {
        let Ok((key, value)) = decoder.decode(record) else { return Ok(None) };
        let timestamp = match &decoder.event_time {
            EventTime::Content(extract) => extract(&key, &value),
            _ => record.timestamp,
        };
        let Some(key) = serdes.key_bytes(&name, &key)?.filter(|_| timestamp >= 0) else { return Ok(None) };
        let Some(value) = value else { return Ok(Some((key, None))) };
        let mut row = Vec::new();
        encode_row_head(timestamp, &mut row);
        let payload = serdes.encode_value(&name, &value, &mut row)?;
        Ok(Some((key, (payload == Payload::Bytes).then_some(row))))
    })
}

/// Registers how node `id` reads each of its topics.
pub(crate) fn wire_source<K: Data, V: Data>(wiring: &mut Wiring, id: NodeId, decoder: Arc<Decoder<K, V>>) {
    wiring.source(id, move |builder, id, topic| {
        let next = builder.next::<K, V>(id)?;
        let NodeKind::Source { dead_letter, .. } = &builder.node(id)?.kind else {
            return Err(Error::new(ErrorKind::Internal, "HW0100", "a source's wiring stands under another step"));
        };
        let dead_letters = match dead_letter {
            Some(to) => Some(DeadLetters::new(builder.env.topic(to)?)),
            None => None,
        };
        let context = builder.context.clone();
        let beside_upstreams = hears_several(builder);
        Ok(Rc::new(Source {
            id,
            topic: topic.into(),
            decoder: decoder.clone(),
            next,
            undecodable: context.memo.slot(&format!("undecodable:{topic}"), 0)?,
            untimely: context.memo.slot(&format!("negative-timestamp:{topic}"), 0)?,
            queue: context.queue(topic)?,
            context,
            dead_letters,
            head: RefCell::new(None),
            beside_upstreams,
        }))
    });
}

/// A record decoded early, to learn its event time.
struct Head<K, V> {
    offset: Offset,
    time: Timestamp,
    decoded: (K, V),
}

struct Source<K, V> {
    id: NodeId,
    topic: Arc<str>,
    decoder: Arc<Decoder<K, V>>,
    next: Target<K, V>,
    context: Rc<TaskContext>,
    dead_letters: Option<DeadLetters>,
    undecodable: Slot,
    untimely: Slot,
    queue: Rc<Queue>,
    head: RefCell<Option<Head<K, V>>>,
    /// Whether some step of the task hears of upstream tasks, too: its windows may wait for this source.
    beside_upstreams: bool,
}

impl<K: Data, V: Data> Source<K, V> {
    fn event_time(&self, record: &RecordRef<'_>, key: &K, value: &V) -> Timestamp {
        let blame = Blame::new(self.id);
        let time = match &self.decoder.event_time {
            EventTime::Recorded => record.timestamp,
            EventTime::WallClock => self.context.clock.now_ms(),
            EventTime::Content(extract) => extract(key, value),
            EventTime::Arrival(extract) => extract(Arrival {
                key,
                value,
                headers: &record.headers,
                timestamp: record.timestamp,
                partition_time: self.partition_time(),
                topic: &self.topic,
                partition: self.context.id.partition,
                offset: record.offset,
            }),
        };
        blame.clear();
        if time < 0 && self.decoder.negative_time == NegativeTime::PartitionTime {
            return self.partition_time().unwrap_or(time);
        }
        time
    }

    /// The greatest time taken from the partition so far. A task reads one partition of each topic.
    fn partition_time(&self) -> Option<Timestamp> {
        Some(self.queue.time()).filter(|time| *time != Timestamp::MIN)
    }

    /// A record whose time is not known: `HW0248` unless it is dropped.
    fn without_time(&self, timestamp: Timestamp) -> Result<()> {
        if self.decoder.negative_time == NegativeTime::Drop {
            self.untimely.increment();
            return Ok(());
        }
        let known = match self.decoder.negative_time {
            NegativeTime::PartitionTime => ", and no record of its partition has told the time before",
            NegativeTime::Drop | NegativeTime::Fail => "",
        };
        Err(Error::new(ErrorKind::User, "HW0248", format!("the record's event time is {timestamp}{known}"))
            .help("mend the record, take its time from elsewhere, or drop such records: on_negative_time"))
    }

    /// The record's key and value and its event time.
    fn decoded(&self, record: &RecordRef<'_>) -> Result<((K, V), Timestamp)> {
        match self.head.take() {
            Some(head) if head.offset == record.offset => Ok((head.decoded, head.time)),
            _ => {
                let (key, value) = self.decoder.decode(record)?;
                let time = self.event_time(record, &key, &value);
                Ok(((key, value), time))
            }
        }
    }
}

impl<K: Data, V: Data> TaskSource for Source<K, V> {
    fn timestamp(&self, record: &RecordRef<'_>) -> Timestamp {
        if self.decoder.event_time.is_recorded() {
            let negative = record.timestamp < 0 && self.decoder.negative_time == NegativeTime::PartitionTime;
            return if negative { self.partition_time().unwrap_or(record.timestamp) } else { record.timestamp };
        }
        let Ok((key, value)) = self.decoder.decode(record) else { return record.timestamp };
        let time = self.event_time(record, &key, &value);
        let head = Head { offset: record.offset, time, decoded: (key, value) };
        self.head.replace(Some(head));
        time
    }

    fn process(&self, record: &RecordRef<'_>) -> Result<()> {
        let ((key, value), timestamp) = match self.decoded(record) {
            Ok(decoded) => decoded,
            Err(error) => {
                let Some(dead_letters) = &self.dead_letters else { return Err(error) };
                self.undecodable.increment();
                let raw = Raw { topic: &self.topic, partition: self.context.partition.get(), record };
                return dead_letters.send(&raw, &record.headers, error.code(), &error.to_string(), None);
            }
        };
        if timestamp < 0 {
            return self.without_time(timestamp);
        }
        let stream_time = &self.context.stream_time;
        stream_time.set(stream_time.get().max(timestamp));
        self.queue.speak(timestamp);
        self.context.time_passes(self.queue.time())?;
        // Beside upstream tasks this partition is one more sender, with its own time.
        self.context.sender_time.set(Some(self.queue.time()));
        self.context.keep_raw(&self.topic, record);
        let pushed = self.next.push(Meta { timestamp, headers: &record.headers }, key, value);
        self.context.sender_time.set(None);
        pushed?;
        if self.beside_upstreams { self.context.time_moved() } else { Ok(()) }
    }
}
