//! Output topics: from typed records to bytes in a partition.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use headwater_core::{Payload, Result, Serde, partition_for_key};

use crate::{
    bounds::Data,
    placing::Placing,
    plan::NodeId,
    task::{TaskContext, TopicWriter},
    vocab::Produced,
    wire::{Flow, Meta, TaskBuilder},
};

/// Encodes a step's records and writes them.
pub(crate) struct RecordWriter<K, V> {
    node: String,
    keys: Arc<dyn Serde<K>>,
    values: Arc<dyn Serde<V>>,
    placing: Placing<K, V>,
    context: Rc<TaskContext>,
    scratch: RefCell<(Vec<u8>, Vec<u8>)>,
}

impl<K: Data, V: Data> RecordWriter<K, V> {
    /// The writer of step `id`.
    pub(crate) fn new(builder: &TaskBuilder<'_>, id: NodeId, produced: &Produced<K, V>) -> Result<Self> {
        Ok(Self {
            node: builder.node(id)?.name.clone(),
            keys: produced.keys.clone(),
            values: produced.values.clone(),
            placing: Placing::new(builder, id, produced.partitioner.clone())?,
            context: builder.context.clone(),
            scratch: RefCell::default(),
        })
    }

    /// Writes one record to `topic`.
    pub(crate) fn write(&self, topic: &dyn TopicWriter, meta: Meta<'_>, key: &K, value: &V) -> Flow {
        let partitions = topic.partitions();
        let placement = self.placing.choose(key, value, partitions)?;
        let mut scratch = self.scratch.borrow_mut();
        let (key_bytes, value_bytes) = &mut *scratch;
        key_bytes.clear();
        value_bytes.clear();
        let encoding = |what: &str| {
            let what = what.to_owned();
            move |error: headwater_core::SerdeError| error.while_encoding(&what).at_node(&self.node)
        };
        let key = self.keys.encode(key, key_bytes).map_err(encoding("the key"))?;
        let value = self.values.encode(value, value_bytes).map_err(encoding("the value"))?;
        let key = (key == Payload::Bytes).then_some(key_bytes.as_slice());
        let value = (value == Payload::Bytes).then_some(value_bytes.as_slice());
        // A record without key stays on its task's number: the same in every replay.
        let by_key = || match key {
            Some(key) => partition_for_key(key, partitions),
            None => self.context.id.partition.rem_euclid(partitions.max(1)),
        };
        self.placing
            .each(&placement, by_key, |partition| topic.send(partition, meta.timestamp, key, value, meta.headers))
    }
}
