use std::rc::Rc;

use headwater_core::{Error, ErrorKind};

use super::KStream;
use crate::{
    bounds::Data,
    plan::NodeKind,
    task::TopicWriter,
    vocab::Produced,
    wire::{Flow, Meta, Push},
    writing::RecordWriter,
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
                let topic = builder.env.topic(topic)?;
                Ok(Rc::new(To { topic, writer: RecordWriter::new(builder, id, &produced)? }))
            });
        });
    }
}

struct To<K, V> {
    topic: Rc<dyn TopicWriter>,
    writer: RecordWriter<K, V>,
}

impl<K: Data, V: Data> Push<K, V> for To<K, V> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        self.writer.write(&*self.topic, meta, &key, &value)
    }
}
