//! Surroundings of a task with its stores in memory, or where they are said to be, and nothing else around it.

use std::{cell::RefCell, ops::ControlFlow, rc::Rc, sync::Arc};

use headwater::{
    dsl::{GlobalReader, Plan, ProcessorTask, TaskEnv, ThreadWriters, TopicWriter},
    state::{StoreChanges, TaskStore},
};
use headwater_core::{Clock, Error, ErrorKind, Result, SinkContext, StoreReader, SystemClock};

/// The surroundings.
pub struct MemoryEnv {
    stores: TaskStore,
    changes: RefCell<StoreChanges>,
    writers: ThreadWriters,
}

impl MemoryEnv {
    /// Surroundings with the stores of `plan` in memory, empty.
    pub fn new(plan: &Plan) -> Self {
        Self::over(TaskStore::in_memory(&plan.stores.keys().cloned().collect::<Vec<_>>()))
    }

    /// Surroundings with these stores.
    pub fn over(stores: TaskStore) -> Self {
        Self { stores, changes: RefCell::default(), writers: ThreadWriters::default() }
    }

    /// Applies the changes of a commit at once, as the runtime does.
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
        self.stores.apply(&changes)
    }

    /// The committed rows of a store.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn values(&self, store: &str) -> Result<Vec<Vec<u8>>> {
        let mut values = Vec::new();
        self.stores.reader(store)?.range(&[], None, &mut |_, value| {
            values.push(value.to_vec());
            ControlFlow::Continue(())
        })?;
        Ok(values)
    }
}

impl TaskEnv for MemoryEnv {
    fn topic(&self, topic: &str) -> Result<Rc<dyn TopicWriter>> {
        Err(missing("topic", topic))
    }

    fn store(&self, store: &str) -> Result<Rc<dyn StoreReader>> {
        Ok(Rc::new(self.stores.reader(store)?))
    }

    fn global(&self, store: &str) -> Result<Arc<dyn GlobalReader>> {
        Err(missing("global table", store))
    }

    fn upstream_tasks(&self, _: &str) -> usize {
        1
    }

    fn writers(&self) -> &ThreadWriters {
        &self.writers
    }

    fn sink_context(&self, sink: &str) -> SinkContext {
        SinkContext {
            app: "chain".to_owned(),
            version: 1,
            sink: sink.to_owned(),
            lake_dir: std::env::temp_dir(),
            thread: 0,
        }
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    fn run_id(&self) -> u64 {
        1
    }
}

fn missing(what: &str, name: &str) -> Error {
    Error::new(ErrorKind::Internal, "HW0100", format!("the chain asks for the {what} {name}"))
}
