//! A thread as the surroundings of its tasks.

use std::{rc::Rc, sync::Arc};

use headwater_core::{Clock, Error, ErrorKind, Result, SinkContext, StoreReader};
use headwater_dsl::{GlobalReader, TaskEnv, ThreadWriters, TopicWriter};
use headwater_state::TaskStore;

use crate::{outbox::Outbox, shared::Shared};

/// What one task's operators are built with.
pub(crate) struct Env<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) outbox: &'a Outbox,
    pub(crate) writers: &'a ThreadWriters,
    pub(crate) store: Option<&'a TaskStore>,
    pub(crate) thread: usize,
}

impl TaskEnv for Env<'_> {
    fn topic(&self, topic: &str) -> Result<Rc<dyn TopicWriter>> {
        let partitions = self.shared.counts.get(topic).copied();
        let partitions = partitions.ok_or_else(|| missing("topic", topic))?;
        Ok(self.outbox.topic(topic, partitions))
    }

    fn store(&self, store: &str) -> Result<Rc<dyn StoreReader>> {
        let task = self.store.ok_or_else(|| missing("store", store))?;
        Ok(Rc::new(task.reader(store)?))
    }

    fn global(&self, store: &str) -> Result<Arc<dyn GlobalReader>> {
        let global = self.shared.globals.get(store).ok_or_else(|| missing("global table", store))?;
        Ok(global.clone())
    }

    fn upstream_tasks(&self, topic: &str) -> usize {
        self.shared.upstream_tasks(topic)
    }

    fn writers(&self) -> &ThreadWriters {
        self.writers
    }

    fn sink_context(&self, sink: &str) -> SinkContext {
        self.shared.settings.sink_context(self.shared.app(), sink, self.thread)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.shared.settings.clock.clone()
    }

    fn is_bounded(&self) -> bool {
        self.shared.bounds.is_some()
    }

    fn run_id(&self) -> u64 {
        self.shared.run_id
    }
}

fn missing(what: &str, name: &str) -> Error {
    Error::new(ErrorKind::Internal, "HW0600", format!("a step asks for the {what} {name}, which was not set up"))
}
