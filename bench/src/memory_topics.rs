//! Topics in memory, of one partition each: what a task's operators write, in batches as the runtime's outbox makes them.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use headwater::dsl::TopicWriter;
use headwater_core::{BatchBuilder, Headers, Offset, RecordBatch, Result, Timestamp};

/// A batch is cut here.
const BATCH_BYTES: usize = 64 << 10;

/// What has been written and not yet been taken, by topic.
#[derive(Default)]
pub struct MemoryTopics(RefCell<BTreeMap<String, Rc<MemoryTopic>>>);

#[derive(Default)]
struct MemoryTopic {
    full: RefCell<Vec<RecordBatch>>,
    open: RefCell<BatchBuilder>,
    next: Cell<Offset>,
}

impl MemoryTopics {
    /// The writer of `topic`.
    pub fn writer(&self, topic: &str) -> Rc<dyn TopicWriter> {
        self.0.borrow_mut().entry(topic.to_owned()).or_default().clone()
    }

    /// Takes all that has been written.
    pub fn take(&self) -> Vec<(String, RecordBatch)> {
        let mut batches = Vec::new();
        for (name, topic) in &*self.0.borrow() {
            topic.cut();
            batches.extend(topic.full.take().into_iter().map(|batch| (name.clone(), batch)));
        }
        batches
    }
}

impl MemoryTopic {
    fn cut(&self) {
        if let Some(batch) = self.open.borrow_mut().take() {
            let batch = batch.at(self.next.get());
            self.next.set(batch.next_offset());
            self.full.borrow_mut().push(batch);
        }
    }
}

impl TopicWriter for MemoryTopic {
    fn partitions(&self) -> i32 {
        1
    }

    fn send(
        &self,
        _: i32,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &Headers,
    ) -> Result<()> {
        let mut open = self.open.borrow_mut();
        open.push(timestamp, key, value, headers);
        let is_full = open.byte_len() >= BATCH_BYTES;
        drop(open);
        if is_full {
            self.cut();
        }
        Ok(())
    }
}
