//! Surroundings of a task with its stores and topics in memory, and a clock that stands until it is moved.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use headwater::dsl::{GlobalReader, TaskEnv, ThreadWriters, TopicWriter};
use headwater_core::{
    Clock, Error, ErrorKind, ManualClock, MemoryStore, RangeVisitor, Result, SinkContext, StoreReader,
};

use crate::memory_topics::MemoryTopics;

/// A store that its task reads and its commits write.
#[derive(Default)]
struct SharedStore(RefCell<MemoryStore>);

impl StoreReader for SharedStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.0.borrow().get(key)
    }

    fn range(&self, from: &[u8], to: Option<&[u8]>, visit: &mut RangeVisitor<'_>) -> Result<()> {
        self.0.borrow().range(from, to, visit)
    }
}

/// The surroundings.
#[derive(Default)]
pub struct MemoryEnv {
    stores: RefCell<BTreeMap<String, Rc<SharedStore>>>,
    writers: ThreadWriters,
    /// What the task has written.
    pub topics: MemoryTopics,
    /// The task's clock.
    pub clock: Arc<ManualClock>,
}

impl MemoryEnv {
    /// Surroundings with this clock.
    pub fn with_clock(clock: Arc<ManualClock>) -> Self {
        Self { clock, ..Self::default() }
    }

    fn shared(&self, store: &str) -> Rc<SharedStore> {
        let mut stores = self.stores.borrow_mut();
        if let Some(known) = stores.get(store) {
            return known.clone();
        }
        stores.entry(store.to_owned()).or_default().clone()
    }

    /// Applies a committed change.
    pub fn write(&self, store: &str, key: &[u8], value: Option<&[u8]>) {
        self.shared(store).0.borrow_mut().write(key, value);
    }

    /// The committed values of a store, by their keys.
    ///
    /// # Errors
    /// Never: it is in memory.
    pub fn rows(&self, store: &str) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut rows = Vec::new();
        self.shared(store).range(&[], None, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            std::ops::ControlFlow::Continue(())
        })?;
        Ok(rows)
    }
}

impl TaskEnv for MemoryEnv {
    fn topic(&self, topic: &str) -> Result<Rc<dyn TopicWriter>> {
        Ok(self.topics.writer(topic))
    }

    fn store(&self, store: &str) -> Result<Rc<dyn StoreReader>> {
        Ok(self.shared(store))
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
        SinkContext {
            app: "bench".to_owned(),
            version: 1,
            sink: sink.to_owned(),
            lake_dir: std::env::temp_dir(),
            thread: 0,
        }
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn run_id(&self) -> u64 {
        1
    }
}
