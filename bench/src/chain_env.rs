//! Surroundings of a task with its stores in memory and nothing else around it.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use headwater::dsl::{GlobalReader, TaskEnv, ThreadWriters, TopicWriter};
use headwater_core::{
    Clock, Error, ErrorKind, MemoryStore, RangeVisitor, Result, SinkContext, StoreReader, SystemClock,
};

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
}

impl MemoryEnv {
    fn shared(&self, store: &str) -> Rc<SharedStore> {
        self.stores.borrow_mut().entry(store.to_owned()).or_default().clone()
    }

    /// Applies a committed change.
    pub fn write(&self, store: &str, key: &[u8], value: Option<&[u8]>) {
        self.shared(store).0.borrow_mut().write(key, value);
    }

    /// The committed rows of a store.
    ///
    /// # Errors
    /// Never: it is in memory.
    pub fn values(&self, store: &str) -> Result<Vec<Vec<u8>>> {
        let mut values = Vec::new();
        self.shared(store).range(&[], None, &mut |_, value| {
            values.push(value.to_vec());
            std::ops::ControlFlow::Continue(())
        })?;
        Ok(values)
    }
}

impl TaskEnv for MemoryEnv {
    fn topic(&self, topic: &str) -> Result<Rc<dyn TopicWriter>> {
        Err(missing("topic", topic))
    }

    fn store(&self, store: &str) -> Result<Rc<dyn StoreReader>> {
        Ok(self.shared(store))
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
