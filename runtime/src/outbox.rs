//! Records waiting for their thread's next transaction, by topic and partition.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
};

use headwater_core::{BatchBuilder, Error, ErrorKind, Headers, RecordBatch, Result, Timestamp, TopicPartition};
use headwater_dsl::TopicWriter;

/// A run of records is cut here, so that a reader gets them in pieces of bounded size.
const BATCH_BYTES: usize = 512 << 10;

/// Everything a thread will write in its next transaction.
#[derive(Default)]
pub(crate) struct Outbox {
    topics: RefCell<BTreeMap<String, Rc<OutTopic>>>,
    bytes: Rc<Cell<usize>>,
}

struct OutTopic {
    name: Arc<str>,
    partitions: Vec<RefCell<Out>>,
    bytes: Rc<Cell<usize>>,
}

#[derive(Default)]
struct Out {
    full: Vec<RecordBatch>,
    open: BatchBuilder,
}

impl Outbox {
    /// The writer of `topic`, which has `partitions` partitions.
    pub(crate) fn topic(&self, topic: &str, partitions: i32) -> Rc<dyn TopicWriter> {
        self.out(topic, partitions)
    }

    fn out(&self, topic: &str, partitions: i32) -> Rc<OutTopic> {
        let make = || {
            let partitions = (0..partitions).map(|_| RefCell::default()).collect();
            Rc::new(OutTopic { name: topic.into(), partitions, bytes: self.bytes.clone() })
        };
        self.topics.borrow_mut().entry(topic.to_owned()).or_insert_with(make).clone()
    }

    /// How many bytes wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// Takes all waiting records out, partition by partition.
    pub(crate) fn take(&self) -> Vec<(TopicPartition, RecordBatch)> {
        self.bytes.set(0);
        let mut batches = Vec::new();
        for topic in self.topics.borrow().values() {
            for (partition, out) in (0_i32..).zip(&topic.partitions) {
                let mut out = out.borrow_mut();
                let last = out.open.take();
                for batch in std::mem::take(&mut out.full).into_iter().chain(last) {
                    batches.push((TopicPartition::new(topic.name.clone(), partition), batch));
                }
            }
        }
        batches
    }
}

impl TopicWriter for OutTopic {
    fn partitions(&self) -> i32 {
        self.partitions.len() as i32
    }

    fn send(
        &self,
        partition: i32,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &Headers,
    ) -> Result<()> {
        let place = usize::try_from(partition).ok().and_then(|at| self.partitions.get(at));
        let mut out = place.ok_or_else(|| no_such_partition(&self.name, partition))?.borrow_mut();
        let before = out.open.byte_len();
        out.open.push(timestamp, key, value, headers);
        self.bytes.set(self.bytes.get() + out.open.byte_len() - before);
        if out.open.byte_len() >= BATCH_BYTES {
            let full = out.open.take();
            out.full.extend(full);
        }
        Ok(())
    }
}

fn no_such_partition(topic: &str, partition: i32) -> Error {
    Error::new(ErrorKind::Internal, "HW0600", format!("a record was meant for {topic}-{partition}, which is not there"))
}
