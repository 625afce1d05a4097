//! Global tables: filled from their topic in full before anything runs, and kept up to date by one thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use headwater_core::{Result, StoreReader, TopicPartition};
use headwater_dsl::GlobalReader;
use headwater_log::{Consumer, ConsumerConfig, Isolation, Log, Polled};
use headwater_state::{StateDirectory, StoreChanges, StoreHandle, StoreMemory, TaskStore};

/// One global table of this process.
pub(crate) struct GlobalStore {
    name: String,
    topic: String,
    store: TaskStore,
    rows: StoreHandle,
    version: AtomicU64,
    null_keys: AtomicI64,
}

impl GlobalStore {
    /// Opens the table and reads its topic to the end.
    pub(crate) fn bootstrap(
        log: &dyn Log,
        directory: &StateDirectory,
        memory: &StoreMemory,
        name: &str,
        topic: &str,
        partitions: i32,
    ) -> Result<Arc<Self>> {
        let store = TaskStore::open(&directory.global_dir(name)?, &[name.to_owned()], memory)?;
        let rows = store.reader(name)?;
        let this = Self {
            name: name.to_owned(),
            topic: topic.to_owned(),
            store,
            rows,
            version: AtomicU64::new(0),
            null_keys: AtomicI64::new(0),
        };
        let all: Vec<_> = (0..partitions).map(|partition| TopicPartition::new(topic, partition)).collect();
        let ends = log.end_offsets(&all, Isolation::ReadUncommitted)?;
        let mut consumer = this.consumer(log, &all)?;
        while all.iter().any(|at| consumer.position(at) < ends.get(at).copied()) {
            this.read(&mut *consumer)?;
        }
        consumer.close(Duration::from_secs(1));
        this.store.flush()?;
        Ok(Arc::new(this))
    }

    /// Reads on until the run stops.
    pub(crate) fn follow(&self, log: &dyn Log, partitions: i32, is_ending: &dyn Fn() -> bool) -> Result<()> {
        let all: Vec<_> =
            (0..partitions).map(|partition| TopicPartition::new(self.topic.as_str(), partition)).collect();
        let mut consumer = self.consumer(log, &all)?;
        while !is_ending() {
            self.read(&mut *consumer)?;
        }
        consumer.close(Duration::from_secs(1));
        self.store.flush()
    }

    /// How many records without a key this process has read, and left out.
    pub(crate) fn null_keys(&self) -> i64 {
        self.null_keys.load(Ordering::Relaxed)
    }

    fn consumer(&self, log: &dyn Log, partitions: &[TopicPartition]) -> Result<Box<dyn Consumer>> {
        let starts = log.start_offsets(partitions)?;
        let known = self.store.positions()?;
        let from: Vec<_> = starts
            .into_iter()
            .map(|(at, start)| {
                let position = known.get(&at).copied().unwrap_or(start).max(start);
                (at, position)
            })
            .collect();
        let mut consumer = log.consumer(&ConsumerConfig::default())?;
        consumer.assign(&from)?;
        Ok(consumer)
    }

    fn read(&self, consumer: &mut dyn Consumer) -> Result<()> {
        let Polled::Records(batches) = consumer.poll(Duration::from_millis(100))? else { return Ok(()) };
        let mut changes = StoreChanges::new();
        for (partition, batch) in batches {
            for record in &batch {
                let record = record?;
                match record.key {
                    Some(key) => changes.row(&self.name, key, record.value),
                    None => drop(self.null_keys.fetch_add(1, Ordering::Relaxed)),
                }
            }
            changes.position(partition, batch.next_offset());
        }
        self.store.apply(&changes)?;
        self.version.fetch_add(1, Ordering::Release);
        Ok(())
    }
}

impl GlobalReader for GlobalStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.rows.get(key)
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}
