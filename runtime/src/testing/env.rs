//! The driver as the surroundings of its tasks.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use headwater_core::{
    Clock, Error, ErrorKind, ManualClock, MemoryCursor, MemoryStore, RangeVisitor, Result, SinkContext, StoreCursor,
    StoreReader, TaskId,
};
use headwater_dsl::{GlobalReader, TaskEnv, ThreadWriters, TopicWriter, Topology};

use super::outbox::Outbox;
use crate::stores::Parts;

/// A store that its task reads and its commits write. Clones are handles of the same rows.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedStore(Arc<RwLock<Arc<MemoryStore>>>);

impl SharedStore {
    /// Puts a row, or deletes it if `value` is `None`. An iterator that is under way does not see it.
    pub(super) fn write(&self, key: &[u8], value: Option<&[u8]>) {
        Arc::make_mut(&mut self.0.write().unwrap_or_else(PoisonError::into_inner)).write(key, value);
    }

    pub(super) fn clear(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }

    fn rows(&self) -> RwLockReadGuard<'_, Arc<MemoryStore>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoreReader for SharedStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.rows().get(key)
    }

    fn range(&self, from: &[u8], to: Option<&[u8]>, visit: &mut RangeVisitor<'_>) -> Result<()> {
        let rows = self.rows().clone();
        rows.range(from, to, visit)
    }
}

/// The stores of all tasks of a driver, by name.
pub(super) struct DrivenStores(pub(super) BTreeMap<TaskId, BTreeMap<String, SharedStore>>);

impl DrivenStores {
    fn store(&self, task: TaskId, store: &str) -> Result<&SharedStore> {
        self.0.get(&task).and_then(|stores| stores.get(store)).ok_or_else(|| missing("store", store).in_task(task))
    }
}

impl Parts for DrivenStores {
    fn tasks(&self, subtopology: u32) -> i32 {
        self.0.keys().filter(|task| task.subtopology == subtopology).count() as i32
    }

    fn has(&self, task: TaskId) -> bool {
        self.0.contains_key(&task)
    }

    fn get(&self, task: TaskId, store: &str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.store(task, store)?.get(key)
    }

    fn cursor(&self, task: TaskId, store: &str, from: &[u8], to: Option<&[u8]>) -> Result<Box<dyn StoreCursor>> {
        Ok(Box::new(MemoryCursor::new(self.store(task, store)?.rows().clone(), from, to)))
    }
}

/// A global table's rows.
#[derive(Debug, Default)]
pub(super) struct GlobalRows {
    rows: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
    version: AtomicU64,
    null_keys: AtomicI64,
}

impl GlobalRows {
    /// Puts a row, or deletes it if `value` is `None`. A record without a key is left out and counted.
    pub(super) fn put(&self, key: Option<&[u8]>, value: Option<&[u8]>) {
        let Some(key) = key else {
            self.null_keys.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        match value {
            Some(value) => rows.insert(key.to_vec(), value.to_vec()),
            None => rows.remove(key),
        };
        self.version.fetch_add(1, Ordering::Release);
    }

    /// How many records had no key.
    pub(super) fn null_keys(&self) -> i64 {
        self.null_keys.load(Ordering::Relaxed)
    }
}

impl GlobalReader for GlobalRows {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.rows.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

/// What all tasks of a driver share.
pub(super) struct Surroundings {
    pub(super) topology: Topology,
    /// The partition counts of all topics, read and written. A topic's place among them is its number.
    pub(super) counts: BTreeMap<String, i32>,
    pub(super) globals: BTreeMap<String, Arc<GlobalRows>>,
    pub(super) lake_dir: PathBuf,
    pub(super) bounded: bool,
    pub(super) run_id: u64,
    /// Stands still unless the test moves it.
    pub(super) clock: Arc<ManualClock>,
}

impl Surroundings {
    /// The number of a topic that the topology reads or writes.
    pub(super) fn topic(&self, name: &str) -> Option<usize> {
        self.counts.keys().position(|topic| topic == name)
    }

    pub(super) fn sink_context(&self, sink: &str, thread: usize) -> SinkContext {
        SinkContext {
            app: self.topology.plan().app.clone(),
            version: self.topology.version(),
            sink: sink.to_owned(),
            lake_dir: self.lake_dir.clone(),
            thread,
        }
    }
}

/// What one task's operators are built with.
pub(super) struct Env<'a> {
    pub(super) around: &'a Surroundings,
    pub(super) stores: &'a BTreeMap<String, SharedStore>,
    pub(super) outbox: &'a Outbox,
    pub(super) writers: &'a ThreadWriters,
    /// Each task of a driver is a thread of its own to the sinks.
    pub(super) thread: usize,
}

impl TaskEnv for Env<'_> {
    fn topic(&self, topic: &str) -> Result<Rc<dyn TopicWriter>> {
        let known = self.around.topic(topic).zip(self.around.counts.get(topic));
        let (number, partitions) = known.ok_or_else(|| missing("topic", topic))?;
        Ok(self.outbox.writer(number, *partitions))
    }

    fn store(&self, store: &str) -> Result<Rc<dyn StoreReader>> {
        let store = self.stores.get(store).ok_or_else(|| missing("store", store))?;
        Ok(Rc::new(store.clone()))
    }

    fn global(&self, store: &str) -> Result<Arc<dyn GlobalReader>> {
        let global = self.around.globals.get(store).ok_or_else(|| missing("global table", store))?;
        Ok(global.clone())
    }

    fn upstream_tasks(&self, topic: &str) -> usize {
        let plan = self.around.topology.plan();
        let tasks = plan.writer_of(topic).and_then(|part| plan.task_count(part, &self.around.counts));
        tasks.and_then(|tasks| usize::try_from(tasks).ok()).unwrap_or(1)
    }

    fn writers(&self) -> &ThreadWriters {
        self.writers
    }

    fn sink_context(&self, sink: &str) -> SinkContext {
        self.around.sink_context(sink, self.thread)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.around.clock.clone()
    }

    fn is_bounded(&self) -> bool {
        self.around.bounded
    }

    fn run_id(&self) -> u64 {
        self.around.run_id
    }
}

fn missing(what: &str, name: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        "HW0100",
        format!("a step asks for the {what} {name}, which the plan does not name"),
    )
}
