//! Reading a partition from its beginning to the end it has now.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use headwater_core::{Error, ErrorKind, RecordBatch, Result, TopicPartition};
use headwater_log::{Consumer, ConsumerConfig, Isolation, Log, Polled};

/// How long one poll may wait.
const POLL: Duration = Duration::from_millis(200);
/// How long an open transaction may hold back the records behind it. Kafka aborts one after a minute by default.
const PATIENCE: Duration = Duration::from_secs(75);

/// Visits every committed batch of `partitions`, one partition after the other, up to the ends as of now.
///
/// # Errors
/// `HW0706` if a transaction that stays open keeps the end from being reached.
pub(super) fn read_to_end<E: From<Error>>(
    log: &dyn Log,
    partitions: &[TopicPartition],
    mut visit: impl FnMut(&TopicPartition, &RecordBatch) -> Result<(), E>,
) -> Result<(), E> {
    let starts = log.start_offsets(partitions)?;
    // The committed end lags behind a commit for a moment, so that the real end is taken and read up to.
    let ends = log.end_offsets(partitions, Isolation::ReadUncommitted)?;
    let mut consumer = log.consumer(&ConsumerConfig::default())?;
    for partition in partitions {
        let start = starts.get(partition).copied().unwrap_or_default();
        let end = ends.get(partition).copied().unwrap_or_default();
        if start < end {
            consumer.assign(&[(partition.clone(), start)])?;
            read_partition(&mut *consumer, partition, end, &mut visit)?;
        }
    }
    consumer.close(Duration::from_secs(1));
    Ok(())
}

fn read_partition<E: From<Error>>(
    consumer: &mut dyn Consumer,
    partition: &TopicPartition,
    end: i64,
    visit: &mut impl FnMut(&TopicPartition, &RecordBatch) -> Result<(), E>,
) -> Result<(), E> {
    let mut moved = Instant::now();
    let mut position = consumer.position(partition);
    while position.is_none_or(|at| at < end) {
        match consumer.poll(POLL) {
            Ok(Polled::Records(batches)) => {
                for (from, batch) in batches.iter().filter(|(_, batch)| batch.base_offset() < end) {
                    visit(from, batch)?;
                }
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Unavailable && moved.elapsed() < PATIENCE => {}
            Err(error) => return Err(error.into()),
        }
        let now = consumer.position(partition);
        if now != position {
            (position, moved) = (now, Instant::now());
        } else if moved.elapsed() > PATIENCE {
            return Err(held_back(partition, position.unwrap_or_default(), end).into());
        }
    }
    Ok(())
}

fn held_back(partition: &TopicPartition, at: i64, end: i64) -> Error {
    let message = format!("{partition} could be read up to offset {at} only, and it ends at {end}");
    Error::new(ErrorKind::Unavailable, "HW0706", message)
        .at_record(partition, at)
        .help("a transaction that began there is still open: stop its producer, or wait until the log aborts it")
}

/// How many committed records each partition holds.
///
/// # Errors
/// As [`read_to_end`].
pub(super) fn count_records(log: &dyn Log, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, u64>> {
    let mut counts = BTreeMap::new();
    read_to_end(log, partitions, |partition, batch| {
        *counts.entry(partition.clone()).or_default() += batch.len() as u64;
        Ok::<(), Error>(())
    })?;
    Ok(counts)
}

/// The partitions of `topic`, which must exist.
///
/// # Errors
/// `HW0708` naming the topics that do exist.
pub(super) fn partitions_of(log: &dyn Log, topic: &str) -> Result<Vec<TopicPartition>> {
    let topics = log.topics()?;
    if let Some(found) = topics.iter().find(|found| found.name == topic) {
        return Ok((0..found.partitions).map(|partition| TopicPartition::new(topic, partition)).collect());
    }
    let names: Vec<_> = topics.iter().map(|found| found.name.as_str()).collect();
    let there = if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
    Err(Error::new(ErrorKind::Config, "HW0708", format!("there is no topic {topic} in {}", log.describe()))
        .help(format!("check the name; {there}")))
}
