//! What a task's operators may ask of their surroundings.

use std::{rc::Rc, sync::Arc};

use headwater_core::{Clock, Headers, Result, SinkContext, StoreReader, Timestamp};

use crate::sinking::ThreadWriters;

/// Called with store name, key and new value (`None` deletes) of each changed row.
pub type StoreChangeVisitor<'a> = dyn FnMut(&str, &[u8], Option<&[u8]>) -> Result<()> + 'a;

/// Writes records of one topic into the running transaction.
pub trait TopicWriter {
    /// How many partitions the topic has.
    fn partitions(&self) -> i32;

    /// Writes one record.
    ///
    /// # Errors
    /// If a buffer is full for good or the partition does not exist.
    fn send(
        &self,
        partition: i32,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &Headers,
    ) -> Result<()>;
}

/// Reads a global table's rows, which other threads keep up to date.
pub trait GlobalReader: Send + Sync {
    /// The row under `key`.
    ///
    /// # Errors
    /// Of kind `State` if the store cannot be read.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Rises whenever a row may have changed, so that decoded rows can be kept until then.
    fn version(&self) -> u64;
}

/// A task's surroundings: the runtime's, or the test driver's.
pub trait TaskEnv {
    /// A writer for `topic`.
    ///
    /// # Errors
    /// If there is no such topic.
    fn topic(&self, topic: &str) -> Result<Rc<dyn TopicWriter>>;

    /// The committed rows of the task's store.
    ///
    /// # Errors
    /// If the store cannot be opened.
    fn store(&self, store: &str) -> Result<Rc<dyn StoreReader>>;

    /// A global table's rows.
    ///
    /// # Errors
    /// If there is no such global table.
    fn global(&self, store: &str) -> Result<Arc<dyn GlobalReader>>;

    /// How many tasks write to the repartition `topic`.
    fn upstream_tasks(&self, topic: &str) -> usize;

    /// The sink writers of this thread, shared by its tasks.
    fn writers(&self) -> &ThreadWriters;

    /// What a sink named `sink` is opened with.
    fn sink_context(&self, sink: &str) -> SinkContext;

    /// The run's clock.
    fn clock(&self) -> Arc<dyn Clock>;

    /// Whether the run is bounded: then a task that minds the order of its records takes them in that of its senders' time.
    /// Default: no.
    fn is_bounded(&self) -> bool {
        false
    }

    /// A number that marks this run, so that an end of input of an earlier bounded run is not taken for one of this.
    fn run_id(&self) -> u64;
}
