//! Feeding a program's own data, each record once, however often it is started and wherever it was killed.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use headwater_core::{
    BatchBuilder, Error, ErrorKind, Headers, Payload, Result, Serde, SerdeError, Timestamp, TopicPartition,
    partition_for_key,
};
use headwater_log::{Log, Producer, ProducerConfig};

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

    /// Appends those of `records` that `topic` does not hold yet and returns how many. A record is its key, its time
    /// (milliseconds since 1970) and its value. It goes to the partition of its key, as Java's producer would choose;
    /// a record with a null key goes to partition 0.
    ///
    /// A start gives the same records in the same order as every start before: of each partition's records as many
    /// are skipped as it holds. They are appended in transactions, so that a kill leaves whole ones only.
    ///
    /// # Errors
    /// `HW0708` if the topic does not exist, `HW0707` if it holds what this feed cannot have fed, `HW0204` for a key or
    /// value that has no form in its format, and what the log reports.
    #[expect(clippy::needless_pass_by_value, reason = "formats are given as everywhere: `Text`, not `&Text`")]
    pub fn append<K, V>(
        &mut self,
        topic: &str,
        keys: impl Serde<K>,
        values: impl Serde<V>,
        records: impl IntoIterator<Item = (K, Timestamp, V)>,
    ) -> Result<u64> {
        let partitions = reading::partitions_of(self.log, topic)?;
        let width = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
        let mut skip = self.already_fed(&partitions)?;
        let mut open: BTreeMap<i32, BatchBuilder> = BTreeMap::new();
        let (mut appended, mut told, none) = (0_u64, Instant::now(), Headers::new());
        let (mut key_bytes, mut value_bytes) = (Vec::new(), Vec::new());
        for (key, timestamp, value) in records {
            let key = encoded(&keys, &key, &mut key_bytes).map_err(|error| error.while_encoding("the key"))?;
            let partition = key.map_or(0, |key| partition_for_key(key, width));
            if let Some(left) = skip.get_mut(&partition).filter(|left| **left > 0) {
                *left -= 1;
                continue;
            }
            if appended.is_multiple_of(TRANSACTION) {
                self.next_transaction(topic, &mut open, appended > 0)?;
            }
            let value =
                encoded(&values, &value, &mut value_bytes).map_err(|error| error.while_encoding("the value"))?;
            let batch = open.entry(partition).or_default();
            batch.push(timestamp, key, value, &none);
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

/// The bytes of `value`, written to `out`; `None` for a null.
fn encoded<'a, T>(serde: &impl Serde<T>, value: &T, out: &'a mut Vec<u8>) -> Result<Option<&'a [u8]>, SerdeError> {
    out.clear();
    let payload = serde.encode(value, out)?;
    Ok((payload == Payload::Bytes).then_some(out.as_slice()))
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

#[cfg(test)]
mod tests {
    use headwater_core::{
        SystemClock,
        serde::{Json, Text},
    };
    use headwater_log::{EmbeddedConfig, EmbeddedLog, TopicSpec};

    use super::*;

    fn log(dir: &tempfile::TempDir) -> std::sync::Arc<EmbeddedLog> {
        let log = EmbeddedLog::open(dir.path(), EmbeddedConfig::default(), std::sync::Arc::new(SystemClock)).unwrap();
        log.create_topics(&[TopicSpec { name: "t".to_owned(), partitions: 3, config: BTreeMap::new() }]).unwrap();
        log
    }

    /// Feeds the first `n` numbers under seven keys.
    fn feed(log: &EmbeddedLog, n: i64, interrupted: bool) -> Result<u64> {
        let interrupted = AtomicBool::new(interrupted);
        let numbers = (0..n).map(|number| (format!("k{}", number % 7), number, number));
        Feed::open(log, "app", &interrupted)?.append("t", Text, Json, numbers)
    }

    fn values(log: &EmbeddedLog) -> Vec<Vec<i64>> {
        let partitions = reading::partitions_of(log, "t").unwrap();
        let mut values = vec![Vec::new(); partitions.len()];
        reading::read_to_end(log, &partitions, |partition, batch| {
            for record in batch {
                let number: i64 = Json.decode(record?.value).unwrap();
                values[usize::try_from(partition.partition).unwrap()].push(number);
            }
            Ok::<(), Error>(())
        })
        .unwrap();
        values
    }

    #[test]
    fn a_second_feed_appends_only_what_is_missing() {
        let (dir, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (log, whole) = (log(&dir), log(&whole));
        // More than two transactions, and an end in the middle of a third.
        assert_eq!(feed(&log, 45_001, false).unwrap(), 45_001);
        assert_eq!(feed(&log, 45_001, false).unwrap(), 0);
        assert_eq!(feed(&log, 90_002, false).unwrap(), 45_001);
        assert_eq!(feed(&whole, 90_002, false).unwrap(), 90_002);
        assert_eq!(values(&log), values(&whole));
    }

    #[test]
    fn records_of_strangers_are_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(&dir);
        feed(&log, 50, false).unwrap();
        assert_eq!(feed(&log, 49, false).unwrap_err().code(), "HW0707");
    }

    #[test]
    fn an_interrupted_feed_stops_between_transactions() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(&dir);
        assert_eq!(feed(&log, 50, true).unwrap_err().code(), "HW0705");
        assert_eq!(values(&log), vec![Vec::<i64>::new(); 3]);
    }
}
