//! An embedded log with records in it, and bounded runs over it: each run is a new version of its topology, which reads
//! the same topics from the beginning and has state, results and tables of its own.

use std::{path::Path, sync::Arc, time::Duration};

use headwater::{
    dsl::Topology,
    log::{ConsumerConfig, EmbeddedConfig, EmbeddedLog, Isolation, Log, Polled, ProducerConfig, TopicSpec},
    runtime::{Mode, Progress, Settings, run},
};
use headwater_core::{RecordBatch, SystemClock, TopicPartition};
use tempfile::TempDir;

use crate::Outcome;

/// The log and its directory, which goes with it.
pub struct FedLog {
    pub log: Arc<dyn Log>,
    dir: TempDir,
    version: u32,
}

impl FedLog {
    /// An empty log in a directory of its own.
    ///
    /// # Errors
    /// If the directory cannot be made.
    pub fn new() -> Outcome<Self> {
        let dir = TempDir::with_prefix("headwater-bench-")?;
        let log: Arc<dyn Log> = open(&Settings::in_dir(dir.path()).log_dir())?;
        Ok(Self { log, dir, version: 0 })
    }

    /// Makes `topic`, one partition per item of `partitions`, and fills it.
    ///
    /// # Errors
    /// What the log reports.
    pub fn feed(&self, topic: &str, partitions: &[Vec<RecordBatch>]) -> Outcome<()> {
        let count = i32::try_from(partitions.len())?;
        self.log.create_topics(&[TopicSpec {
            name: topic.to_owned(),
            partitions: count,
            config: std::collections::BTreeMap::new(),
        }])?;
        let mut producer = self.log.producer(&ProducerConfig::default())?;
        for (partition, batches) in (0..).zip(partitions) {
            let partition = TopicPartition::new(topic, partition);
            for batch in batches {
                producer.send(&partition, batch.clone())?;
            }
        }
        producer.flush()?;
        Ok(())
    }

    /// Runs the next version of `topology` over everything in the log, with one task thread. Returns the version.
    ///
    /// # Errors
    /// What the run reports, or if it did not process `records` records.
    pub fn run(&mut self, topology: &Topology, records: usize) -> Outcome<u32> {
        self.version += 1;
        let mut settings = Settings::in_dir(self.dir.path());
        settings.version = self.version;
        settings.create_output_topics = true;
        let report = run(topology, &self.log, &settings, Mode::Bounded, &Arc::new(Progress::default()))?;
        if report.processed != records as u64 {
            return Err(format!("{} of {records} records were processed", report.processed).into());
        }
        Ok(self.version)
    }

    /// How many records `topic` has.
    ///
    /// # Errors
    /// If there is no such topic.
    pub fn count(&self, topic: &str) -> Outcome<i64> {
        let topics = self.log.topics()?;
        let found = topics.iter().find(|info| info.name == topic).ok_or_else(|| format!("no topic {topic}"))?;
        let partitions: Vec<_> = (0..found.partitions).map(|number| TopicPartition::new(topic, number)).collect();
        Ok(self.log.end_offsets(&partitions, Isolation::ReadCommitted)?.values().sum())
    }
}

/// The embedded log in `dir`, with its default settings.
///
/// # Errors
/// What the log reports.
pub fn open(dir: &Path) -> Outcome<Arc<EmbeddedLog>> {
    Ok(EmbeddedLog::open(dir, EmbeddedConfig::default(), Arc::new(SystemClock))?)
}

/// Reads `records` records of partition 0 of `topic` and calls `visit` with each batch.
///
/// # Errors
/// What the log reports, or if the records do not come.
pub fn drain(
    log: &dyn Log,
    topic: &str,
    records: usize,
    mut visit: impl FnMut(&RecordBatch) -> Outcome<()>,
) -> Outcome<()> {
    let mut consumer = log.consumer(&ConsumerConfig::default())?;
    consumer.assign(&[(TopicPartition::new(topic, 0), 0)])?;
    let mut read = 0;
    while read < records {
        let Polled::Records(batches) = consumer.poll(Duration::from_secs(10))? else {
            return Err(format!("only {read} of {records} records of {topic} came").into());
        };
        for (_, batch) in batches {
            read += batch.len();
            visit(&batch)?;
        }
    }
    Ok(())
}
