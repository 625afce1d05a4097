//! Feeding a program's own data, each record once, however often it is started and wherever it was killed.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use headwater_core::{
    BatchBuilder, Error, ErrorKind, Result, SerdeError, Timestamp, TopicPartition, partition_for_key,
};
use headwater_log::{Log, Producer, ProducerConfig, ProducerRecord};
use serde::Serialize;

use super::{output::grouped, reading};

/// Records per transaction.
const TRANSACTION: u64 = 20_000;
/// Bytes after which a run of records is handed to the producer.
const BATCH_BYTES: usize = 512 << 10;
/// How often a feed says how far it is.
const TELL: Duration = Duration::from_secs(2);

/// Appends a program's own data to its input topics; see [`Program::feed`](super::Program::feed).
pub struct Feed<'a> {
    log: &'a dyn Log,
    producer: Box<dyn Producer>,
    interrupted: &'a AtomicBool,
    appended: u64,
}

impl std::fmt::Debug for Feed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed")
            .field("log", &self.log.describe())
            .field("appended", &self.appended)
            .finish_non_exhaustive()
    }
}

impl<'a> Feed<'a> {
    /// Takes over from any earlier feed of `app`, whose open transaction is aborted.
    pub(super) fn open(log: &'a dyn Log, app: &str, interrupted: &'a AtomicBool) -> Result<Self> {
        let config = ProducerConfig { transactional_id: Some(format!("{app}-feed")), ..ProducerConfig::default() };
        Ok(Self { log, producer: log.producer(&config)?, interrupted, appended: 0 })
    }

    /// How many records this feed has appended to all topics.
    pub(super) fn appended(&self) -> u64 {
        self.appended
    }

    /// A record with a text key and a value as JSON; `timestamp` in milliseconds since 1970.
    ///
    /// # Errors
    /// `HW0204` if the value has no form in JSON.
    pub fn json(key: &str, timestamp: Timestamp, value: &impl Serialize) -> Result<ProducerRecord> {
        let value = serde_json::to_vec(value).map_err(|error| SerdeError::new(error).while_encoding("the value"))?;
        let key = Some(key.as_bytes().to_vec());
        Ok(ProducerRecord { timestamp, key, value: Some(value), headers: headwater_core::Headers::new() })
    }

    /// Appends those of `records` that `topic` does not hold yet and returns how many. Each goes to the partition of
    /// its key, as Java's producer would choose; a record without key goes to partition 0.
    ///
    /// A start gives the same records in the same order as every start before: of each partition's records as many
    /// are skipped as it holds. They are appended in transactions, so that a kill leaves whole ones only.
    ///
    /// # Errors
    /// `HW0708` if the topic does not exist, `HW0707` if it holds what this feed cannot have fed, and what the log
    /// reports.
    pub fn append(&mut self, topic: &str, records: impl IntoIterator<Item = Result<ProducerRecord>>) -> Result<u64> {
        let partitions = reading::partitions_of(self.log, topic)?;
        let mut skip = self.already_fed(&partitions)?;
        let mut open: BTreeMap<i32, BatchBuilder> = BTreeMap::new();
        let (mut appended, mut told) = (0_u64, Instant::now());
        for record in records {
            let record = record?;
            let width = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
            let partition = record.key.as_deref().map_or(0, |key| partition_for_key(key, width));
            if let Some(left) = skip.get_mut(&partition).filter(|left| **left > 0) {
                *left -= 1;
                continue;
            }
            if appended.is_multiple_of(TRANSACTION) {
                self.next_transaction(topic, &mut open, appended > 0)?;
            }
            let batch = open.entry(partition).or_default();
            batch.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &record.headers);
            if batch.byte_len() >= BATCH_BYTES {
                send(&mut *self.producer, topic, partition, batch)?;
            }
            appended += 1;
            if told.elapsed() >= TELL {
                eprintln!("feeding {topic}: {} records", grouped(appended));
                told = Instant::now();
            }
        }
        if appended > 0 {
            self.commit(topic, &mut open)?;
        }
        self.appended += appended;
        match skip.iter().find(|(_, left)| **left > 0) {
            Some((partition, left)) => {
                Err(foreign(topic, *partition, &format!("{left} more records than the feed has")))
            }
            None => Ok(appended),
        }
    }

    /// How many records of each partition earlier starts have fed.
    fn already_fed(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<i32, u64>> {
        let starts = self.log.start_offsets(partitions)?;
        if let Some((at, _)) = starts.iter().find(|(_, start)| **start > 0) {
            return Err(foreign(&at.topic, at.partition, "lost its first records"));
        }
        let counts = reading::count_records(self.log, partitions)?;
        Ok(counts.into_iter().map(|(at, count)| (at.partition, count)).collect())
    }

    fn next_transaction(&mut self, topic: &str, open: &mut BTreeMap<i32, BatchBuilder>, commit: bool) -> Result<()> {
        if commit {
            self.commit(topic, open)?;
        }
        if self.interrupted.load(Ordering::SeqCst) {
            return Err(stopped());
        }
        self.producer.begin()
    }

    fn commit(&mut self, topic: &str, open: &mut BTreeMap<i32, BatchBuilder>) -> Result<()> {
        for (partition, batch) in open {
            send(&mut *self.producer, topic, *partition, batch)?;
        }
        self.producer.commit().map(drop)
    }
}

fn send(producer: &mut dyn Producer, topic: &str, partition: i32, batch: &mut BatchBuilder) -> Result<()> {
    match batch.take() {
        Some(batch) => producer.send(&TopicPartition::new(topic, partition), batch),
        None => Ok(()),
    }
}

/// Stopped by a signal before everything was done.
pub(super) fn stopped() -> Error {
    Error::new(ErrorKind::Unavailable, "HW0705", "stopped before everything was processed")
        .help("what was committed is safe; the same command goes on from there")
}

fn foreign(topic: &str, partition: i32, what: &str) -> Error {
    Error::new(ErrorKind::Log, "HW0707", format!("{topic}-{partition} has {what}; nothing more was fed"))
        .help("somebody else writes to the topic or deletes from it: begin anew with --fresh, or feed another topic")
}
