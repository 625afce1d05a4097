//! What is around a task of a [`Pipeline`](crate::pipeline::Pipeline): the state crate's stores, topics in memory, and a
//! clock that stands until it is moved.

use std::{cell::RefCell, ops::ControlFlow, path::Path, rc::Rc, sync::Arc};

use headwater::{
    dsl::{GlobalReader, ProcessorTask, TaskEnv, ThreadWriters, TopicWriter},
    state::{StoreChanges, StoreMemory, TaskStore},
};
use headwater_core::{Clock, Error, ErrorKind, ManualClock, Result, SinkContext, StoreReader};

use crate::memory_topics::MemoryTopics;

/// Where the committed rows are.
#[derive(Debug, Clone, Copy)]
pub enum State<'a> {
    /// In memory.
    InMemory,
    /// In RocksDB, in this directory.
    OnDisk(&'a Path),
}

/// The surroundings of one task.
pub struct PipelineEnv {
    stores: TaskStore,
    changes: RefCell<StoreChanges>,
    writers: ThreadWriters,
    /// What the task has written.
    pub topics: MemoryTopics,
    clock: Arc<ManualClock>,
}

impl PipelineEnv {
    /// Surroundings of sub-topology `part` with these stores, which are empty or not yet there.
    ///
    /// # Errors
    /// If the stores cannot be opened.
    pub fn new(part: u32, stores: &[String], state: State<'_>, clock: Arc<ManualClock>) -> Result<Self> {
        let stores = match state {
            State::InMemory => TaskStore::in_memory(stores),
            State::OnDisk(dir) => TaskStore::open(&dir.join(part.to_string()), stores, &StoreMemory::default())?,
        };
        let (changes, writers, topics) = <(_, _, _)>::default();
        Ok(Self { stores, changes, writers, topics, clock })
    }

    /// Applies the changed rows of a commit.
    ///
    /// # Errors
    /// If a row cannot be encoded or the stores cannot be written.
    pub fn apply(&self, task: &ProcessorTask) -> Result<()> {
        let mut changes = self.changes.borrow_mut();
        changes.clear();
        task.changes(&mut |store, key, value| {
            changes.row(store, key, value);
            Ok(())
        })?;
        self.stores.apply(&changes)?;
        self.stores.flush_if_due(self.clock.now_ms()).map(drop)
    }

    /// The committed rows of a store; none if the task has no such store.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn rows(&self, store: &str) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut rows = Vec::new();
        if self.stores.stores().iter().any(|name| name == store) {
            self.stores.reader(store)?.range(&[], None, &mut |key, value| {
                rows.push((key.to_vec(), value.to_vec()));
                ControlFlow::Continue(())
            })?;
        }
        Ok(rows)
    }
}

impl TaskEnv for PipelineEnv {
    fn topic(&self, topic: &str) -> Result<Rc<dyn TopicWriter>> {
        Ok(self.topics.writer(topic))
    }

    fn store(&self, store: &str) -> Result<Rc<dyn StoreReader>> {
        Ok(Rc::new(self.stores.reader(store)?))
    }

    fn global(&self, store: &str) -> Result<Arc<dyn GlobalReader>> {
        let message = format!("a measured topology asks for the global table {store}");
        Err(Error::new(ErrorKind::Internal, "HW0100", message))
    }

    fn upstream_tasks(&self, _: &str) -> usize {
        1
    }

    fn writers(&self) -> &ThreadWriters {
        &self.writers
    }

    fn sink_context(&self, sink: &str) -> SinkContext {
        let (app, sink) = ("bench".to_owned(), sink.to_owned());
        SinkContext { app, version: 1, sink, lake_dir: std::env::temp_dir(), thread: 0 }
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn run_id(&self) -> u64 {
        1
    }
}
