use std::{cell::RefCell, rc::Rc, sync::Arc};

use headwater_core::{Error, ErrorKind, Payload, Serde, partition_for_key};

use super::KStream;
use crate::{
    bounds::Data,
    plan::NodeKind,
    task::{TaskContext, TopicWriter},
    vocab::Produced,
    wire::{Flow, Meta, Push},
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Writes the stream to `topic`, in the transaction that also commits its input. The topic must exist or be one that
    /// the program declares. A key goes to the partition Java's producer would choose.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).to("out", (Text, Json));
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 123).unwrap();
    /// let records = driver.output::<String, i64>("out", Json).read(&mut driver).unwrap();
    /// assert_eq!((records[0].key.as_str(), records[0].value, records[0].timestamp), ("k", 7, 123));
    /// ```
    #[track_caller]
    pub fn to(&self, topic: &str, produced: impl Into<Produced<K, V>>) {
        let produced = produced.into();
        let name = produced.name.clone().unwrap_or_else(|| format!("to-{topic}"));
        let kind = NodeKind::To {
            topic: topic.to_owned(),
            key: produced.keys.format().to_owned(),
            value: produced.values.format().to_owned(),
        };
        self.graph.add(Some(&name), "to", kind, vec![self.id], |wiring, id| {
            wiring.target::<K, V>(id, move |builder, id| {
                let node = builder.node(id)?;
                let NodeKind::To { topic, .. } = &node.kind else {
                    return Err(Error::new(ErrorKind::Internal, "HW0100", "a `to` stands under another step"));
                };
                Ok(Rc::new(To {
                    node: node.name.clone(),
                    keys: produced.keys.clone(),
                    values: produced.values.clone(),
                    topic: builder.env.topic(topic)?,
                    context: builder.context.clone(),
                    scratch: RefCell::default(),
                }))
            });
        });
    }
}

struct To<K, V> {
    node: String,
    keys: Arc<dyn Serde<K>>,
    values: Arc<dyn Serde<V>>,
    topic: Rc<dyn TopicWriter>,
    context: Rc<TaskContext>,
    scratch: RefCell<(Vec<u8>, Vec<u8>)>,
}

impl<K: Data, V: Data> Push<K, V> for To<K, V> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let mut scratch = self.scratch.borrow_mut();
        let (key_bytes, value_bytes) = &mut *scratch;
        key_bytes.clear();
        value_bytes.clear();
        let encoding = |what: &str| {
            let what = what.to_owned();
            move |error: headwater_core::SerdeError| error.while_encoding(&what).at_node(&self.node)
        };
        let key = self.keys.encode(&key, key_bytes).map_err(encoding("the key"))?;
        let value = self.values.encode(&value, value_bytes).map_err(encoding("the value"))?;
        let key = (key == Payload::Bytes).then_some(key_bytes.as_slice());
        let value = (value == Payload::Bytes).then_some(value_bytes.as_slice());
        let partitions = self.topic.partitions();
        // A record without key stays on its task's number: the same in every replay.
        let partition = match key {
            Some(key) => partition_for_key(key, partitions),
            None => self.context.id.partition.rem_euclid(partitions.max(1)),
        };
        self.topic.send(partition, meta.timestamp, key, value, meta.headers)
    }
}
