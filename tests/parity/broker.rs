//! What a run needs of the broker: topics, filling, how far a group is, and what came out.

use std::{
    collections::BTreeMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use headwater::{
    log::{
        Consumer, ConsumerConfig, Isolation, KafkaConfig, KafkaLog, Log, Polled, Producer, ProducerConfig, TopicSpec,
    },
    prelude::*,
};
use headwater_core::{BatchBuilder, RecordBatch, TopicPartition, partition_for_key};

use crate::{
    Outcome,
    flights::{Record, Window},
    headwater_twin::DailyFlights,
};

/// Bytes after which a run of records is handed to the producer.
const BATCH_BYTES: usize = 256 << 10;
/// Feeding at a rate is done in ticks of this length.
const TICK: Duration = Duration::from_millis(10);
const TICKS_PER_SECOND: u32 = 100;

/// The broker.
pub struct Broker {
    log: Arc<KafkaLog>,
}

impl Broker {
    pub fn connect(brokers: &str) -> Outcome<Self> {
        Ok(Self { log: KafkaLog::connect(brokers, KafkaConfig::default())? })
    }

    pub fn create(&self, topics: &[&str], partitions: i32) -> Outcome<()> {
        let spec = |name: &&str| TopicSpec { name: (*name).to_owned(), partitions, config: BTreeMap::new() };
        Ok(self.log.create_topics(&topics.iter().map(spec).collect::<Vec<_>>())?)
    }

    /// Deletes every topic whose name begins with `prefix`.
    pub fn delete(&self, prefix: &str) -> Outcome<()> {
        let names = self.log.topics()?.into_iter().map(|topic| topic.name).filter(|name| name.starts_with(prefix));
        Ok(self.log.delete_topics(&names.collect::<Vec<_>>())?)
    }

    /// Feeds `topic`.
    pub fn feeder(&self, topic: &str, partitions: i32) -> Outcome<Feeder> {
        let producer = self.log.producer(&ProducerConfig::default())?;
        Ok(Feeder { producer, topic: topic.to_owned(), partitions, open: BTreeMap::new() })
    }

    /// How many offsets lie between what `group` has committed and the end, in the partition where they are most.
    pub fn lag(&self, group: &str, topic: &str, partitions: i32) -> Outcome<i64> {
        let partitions = partitions_of(topic, partitions);
        let committed = self.log.committed(group, &partitions)?;
        let ends = self.log.end_offsets(&partitions, Isolation::ReadUncommitted)?;
        let behind = |(at, end): (&TopicPartition, &i64)| end - committed.get(at).map_or(0, |group| group.offset);
        Ok(ends.iter().map(behind).max().unwrap_or_default())
    }

    /// Every committed result in `topic`, in no order.
    pub fn results(&self, topic: &str, partitions: i32) -> Outcome<Vec<(Window, i64)>> {
        let mut ends = self.log.end_offsets(&partitions_of(topic, partitions), Isolation::ReadUncommitted)?;
        ends.retain(|_, end| *end > 0);
        let mut consumer = self.log.consumer(&ConsumerConfig::default())?;
        consumer.assign(&ends.keys().map(|partition| (partition.clone(), 0)).collect::<Vec<_>>())?;
        let mut results = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(60);
        while !ends.iter().all(|(partition, end)| consumer.position(partition) >= Some(*end)) {
            if Instant::now() > deadline {
                return Err(format!("{topic} cannot be read to its end").into());
            }
            if let Polled::Records(batches) = consumer.poll(Duration::from_millis(50))? {
                batches.iter().try_for_each(|(_, batch)| collect(batch, &mut results))?;
            }
        }
        Consumer::close(consumer, Duration::from_secs(1));
        Ok(results)
    }
}

fn collect(batch: &RecordBatch, results: &mut Vec<(Window, i64)>) -> Outcome<()> {
    for record in batch {
        let record = record?;
        let key: String = Text.decode(record.key)?;
        let DailyFlights { start, flights } = Json.decode(record.value)?;
        results.push(((key, start), flights));
    }
    Ok(())
}

fn partitions_of(topic: &str, partitions: i32) -> Vec<TopicPartition> {
    (0..partitions).map(|partition| TopicPartition::new(topic, partition)).collect()
}

/// Writes to one topic, by the records' keys.
pub struct Feeder {
    producer: Box<dyn Producer>,
    topic: String,
    partitions: i32,
    open: BTreeMap<i32, BatchBuilder>,
}

impl Feeder {
    /// As fast as it goes.
    pub fn fill(&mut self, records: &[Record]) -> Outcome<()> {
        for record in records {
            self.push(partition_for_key(record.key.as_bytes(), self.partitions), record)?;
        }
        self.flush()
    }

    /// At `rate` records per second.
    pub fn fill_at(&mut self, rate: u32, records: &[Record]) -> Outcome<()> {
        let begun = Instant::now();
        for (tick, records) in (1_u32..).zip(records.chunks(usize::try_from(rate / TICKS_PER_SECOND)?.max(1))) {
            for record in records {
                self.push(partition_for_key(record.key.as_bytes(), self.partitions), record)?;
            }
            self.hand_over()?;
            thread::sleep((begun + TICK * tick).saturating_duration_since(Instant::now()));
        }
        self.flush()
    }

    /// To these partitions, whatever the keys are.
    pub fn place(&mut self, records: &[(i32, Record)]) -> Outcome<()> {
        for (partition, record) in records {
            self.push(*partition, record)?;
        }
        self.flush()
    }

    fn push(&mut self, partition: i32, record: &Record) -> Outcome<()> {
        let batch = self.open.entry(partition).or_default();
        batch.push(record.timestamp, Some(record.key.as_bytes()), Some(record.json.as_bytes()), &Headers::new());
        if batch.byte_len() >= BATCH_BYTES
            && let Some(batch) = batch.take()
        {
            self.producer.send(&TopicPartition::new(self.topic.as_str(), partition), batch)?;
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Outcome<()> {
        for (partition, batch) in &mut self.open {
            if let Some(batch) = batch.take() {
                self.producer.send(&TopicPartition::new(self.topic.as_str(), *partition), batch)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Outcome<()> {
        self.hand_over()?;
        self.producer.flush()?;
        Ok(())
    }
}
