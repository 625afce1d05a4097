use std::{rc::Rc, sync::Arc};

use headwater_core::{Error, ErrorKind, Result};

use super::KStream;
use crate::{
    bounds::{Data, Shared},
    plan::{NodeId, NodeKind},
    task::{Blame, TopicWriter},
    vocab::Produced,
    wire::{Flow, Meta, Push, Target},
    writing::RecordWriter,
};

impl<K: Data, V: Data> KStream<K, V> {
    /// Writes each record to the one of `topics` that `choose` names, in the transaction that also commits its input. The
    /// topics are part of the plan, so they are checked before the first record is read, and a version of the pipeline
    /// has its own. A name that is not among them stops the program (`HW0249`).
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).to_each(
    ///     |_, n| if *n < 0 { "negative" } else { "positive" },
    ///     ["negative", "positive"],
    ///     Json,
    /// );
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for n in [1, -2, 3] {
    ///     input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    /// }
    /// assert_eq!(driver.output::<String, i64>("positive", Json).read_values(&mut driver).unwrap(), [1, 3]);
    /// assert_eq!(driver.output::<String, i64>("negative", Json).read_values(&mut driver).unwrap(), [-2]);
    /// ```
    #[track_caller]
    pub fn to_each<T: AsRef<str>, N: Into<String>>(
        &self,
        choose: impl Fn(&K, &V) -> T + Shared,
        topics: impl IntoIterator<Item = N>,
        produced: impl Into<Produced<K, V>>,
    ) {
        let (produced, choose) = (produced.into(), Arc::new(choose));
        let names: Vec<String> = topics.into_iter().map(Into::into).collect();
        let kind = NodeKind::ToEach {
            topics: names.clone(),
            key: produced.keys.format().to_owned(),
            value: produced.values.format().to_owned(),
        };
        let name = produced.name.clone();
        self.graph.add(name.as_deref(), "to_each", kind, vec![self.id], |wiring, id| {
            wiring.target::<K, V>(id, move |builder, id| -> Result<Target<K, V>> {
                let node = builder.node(id)?;
                let NodeKind::ToEach { topics, .. } = &node.kind else {
                    return Err(Error::new(ErrorKind::Internal, "HW0100", "a `to_each` stands under another step"));
                };
                // The plan of another version has other topics in the same places.
                let open = |(name, topic): (&String, &String)| Ok((name.clone(), builder.env.topic(topic)?));
                let topics = names.iter().zip(topics).map(open).collect::<Result<Vec<_>>>()?;
                let writer = RecordWriter::new(builder, id, &produced)?;
                Ok(Rc::new(ToEach { id, node: node.name.clone(), topics, choose: choose.clone(), writer }))
            });
        });
    }
}

struct ToEach<F, K, V> {
    id: NodeId,
    node: String,
    topics: Vec<(String, Rc<dyn TopicWriter>)>,
    choose: Arc<F>,
    writer: RecordWriter<K, V>,
}

impl<K: Data, V: Data, T: AsRef<str>, F: Fn(&K, &V) -> T> Push<K, V> for ToEach<F, K, V> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        let blame = Blame::new(self.id);
        let chosen = (self.choose)(&key, &value);
        blame.clear();
        let chosen = chosen.as_ref();
        let Some((_, topic)) = self.topics.iter().find(|(name, _)| name == chosen) else {
            let known: Vec<&str> = self.topics.iter().map(|(name, _)| name.as_str()).collect();
            let what = format!("a record is meant for the topic {chosen}, which is not among those of this step");
            return Err(Error::new(ErrorKind::User, "HW0249", what)
                .at_node(&self.node)
                .help(format!("add it to the topics of to_each(..), which are: {}", known.join(", "))));
        };
        self.writer.write(&**topic, meta, &key, &value)
    }
}
