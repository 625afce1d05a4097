//! What a task writes to topics, until its commit.

use std::{cell::RefCell, rc::Rc};

use headwater_core::{Headers, RecordRef, Result, Timestamp};
use headwater_dsl::TopicWriter;

use super::memory_topic::{MemoryTopics, Records};

#[derive(Default)]
struct Sent {
    /// The topic and partition of each record.
    to: Vec<(usize, i32)>,
    records: Records,
}

/// What a task has written since its last commit. Clones are handles of the same records.
#[derive(Clone, Default)]
pub(super) struct Outbox(Rc<RefCell<Sent>>);

impl Outbox {
    /// A writer to the topic of this number.
    pub(super) fn writer(&self, topic: usize, partitions: i32) -> Rc<dyn TopicWriter> {
        Rc::new(Writer { topic, partitions, outbox: self.clone() })
    }

    /// Moves everything to the topics.
    pub(super) fn deliver(&self, topics: &mut MemoryTopics) {
        let Sent { to, records } = &mut *self.0.borrow_mut();
        for ((topic, partition), place) in to.drain(..).zip(0..) {
            if let Some(record) = records.get(place) {
                topics.append(topic, partition, record);
            }
        }
        records.clear();
    }
}

struct Writer {
    topic: usize,
    partitions: i32,
    outbox: Outbox,
}

impl TopicWriter for Writer {
    fn partitions(&self) -> i32 {
        self.partitions
    }

    fn send(
        &self,
        partition: i32,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &Headers,
    ) -> Result<()> {
        let mut sent = self.outbox.0.borrow_mut();
        sent.to.push((self.topic, partition));
        sent.records.push(RecordRef { offset: 0, timestamp, key, value, headers: headers.clone() });
        Ok(())
    }
}
