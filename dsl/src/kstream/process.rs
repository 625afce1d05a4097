use std::{
    any::TypeId,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
};

use headwater_core::Result;

use super::KStream;
use crate::{
    bounds::{Data, Shared},
    plan::{NodeId, NodeKind},
    processor::{Declared, FixedKey, FixedKeyProcessor, Opening, Output, Ports, Process, Processor, Resources},
    task::Blame,
    wire::Target,
};

type Readers = Arc<Mutex<Vec<(&'static str, NodeId)>>>;

impl<K: Data, V: Data> KStream<K, V> {
    /// Hands each record to a [`Processor`]: your own code with stores, timers and several outputs. `make` returns a
    /// new one for each task, from the resources as opened in that task.
    ///
    /// Marks the key as changed: the next grouping gets a repartition topic. Where the key stays use
    /// [`KStream::process_values`].
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// /// Adds up what comes in an hour, and tells the sum when the hour is over.
    /// struct Hourly {
    ///     sums: KeyValueStore<String, i64>,
    /// }
    ///
    /// impl Processor<String, i64> for Hourly {
    ///     type KeyOut = String;
    ///     type ValueOut = i64;
    ///
    ///     fn init(&mut self, cx: &mut ProcessorContext<'_, String, i64>) -> UserResult<()> {
    ///         cx.schedule(hours(1), Punctuation::StreamTime)?;
    ///         Ok(())
    ///     }
    ///
    ///     fn process(
    ///         &mut self,
    ///         _: &mut ProcessorContext<'_, String, i64>,
    ///         record: Record<'_, String, i64>,
    ///     ) -> UserResult<()> {
    ///         let sum = self.sums.get(&record.key)?.unwrap_or_default();
    ///         self.sums.put(record.key, sum + record.value)?;
    ///         Ok(())
    ///     }
    ///
    ///     fn punctuate(
    ///         &mut self,
    ///         cx: &mut ProcessorContext<'_, String, i64>,
    ///         _: Timer,
    ///         now: Timestamp,
    ///     ) -> UserResult<()> {
    ///         for (key, sum) in self.sums.all()? {
    ///             self.sums.delete(&key)?;
    ///             cx.forward(Record::new(key, sum, now))?;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let app = StreamsBuilder::new("demo");
    /// let sums = app.store::<String, i64>("sums");
    /// app.stream::<String, i64>("in", Json).process("hourly", sums, |sums| Hourly { sums }).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for (n, time) in [(1, minutes(1)), (2, minutes(2)), (3, minutes(30)), (4, minutes(61))] {
    ///     input.pipe(&mut driver, "k".into(), n, time).unwrap();
    /// }
    /// let out = driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap();
    /// assert_eq!(out, [1, 9]); // the first tick is that of the first record
    /// ```
    #[track_caller]
    pub fn process<R: Resources, P: Processor<K, V>>(
        &self,
        name: &str,
        resources: R,
        make: impl Fn(R::Open) -> P + Shared,
    ) -> Processed<P::KeyOut, P::ValueOut> {
        self.processed(name, "process", true, resources, make)
    }

    /// As [`KStream::process`] for a [`FixedKeyProcessor`], which cannot change the key: partition and key stay, so that
    /// the next grouping or join needs no repartition topic.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// struct Stamp;
    ///
    /// impl FixedKeyProcessor<String, i64> for Stamp {
    ///     type ValueOut = String;
    ///
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut FixedKeyContext<'_, String, String>,
    ///         record: FixedKeyRecord<'_, String, i64>,
    ///     ) -> UserResult<()> {
    ///         let place = cx.record_metadata().ok_or("no record")?;
    ///         let text = format!("{} of {}@{}", record.value, place.topic, place.offset);
    ///         cx.forward(record.with_value(text))?;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let app = StreamsBuilder::new("demo");
    /// app.stream::<String, i64>("in", Json).process_values("stamp", (), |()| Stamp).to("out", Text);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// assert_eq!(driver.output::<String, String>("out", Text).read_values(&mut driver).unwrap(), ["7 of in@0"]);
    /// ```
    #[track_caller]
    pub fn process_values<R: Resources, P: FixedKeyProcessor<K, V>>(
        &self,
        name: &str,
        resources: R,
        make: impl Fn(R::Open) -> P + Shared,
    ) -> Processed<K, P::ValueOut> {
        self.processed(name, "process_values", false, resources, move |open| FixedKey(make(open)))
    }

    #[track_caller]
    fn processed<R: Resources, P: Processor<K, V>>(
        &self,
        name: &str,
        op: &str,
        changes_key: bool,
        resources: R,
        make: impl Fn(R::Open) -> P + Shared,
    ) -> Processed<P::KeyOut, P::ValueOut> {
        let mut declared = Declared::default();
        resources.declare(&mut declared);
        let outputs = declared.outputs.clone();
        let readers = Readers::default();
        let wired = readers.clone();
        let stores: Vec<&str> = declared.stores.iter().map(String::as_str).collect();
        let own = declared.reads_of(self.graph.token());
        let kind = NodeKind::stateful(op, &stores).changing_key(changes_key).reading(own);
        let strange_table = declared.reads.iter().any(|(_, builder)| *builder != self.graph.token());
        let globals = declared.globals;
        let id = self.graph.add(Some(name), op, kind, vec![self.id], |wiring, id| {
            wiring.target::<K, V>(id, move |builder, id| -> Result<Target<K, V>> {
                let readers = wired.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let is_side = |id: NodeId| readers.iter().any(|(_, reader)| *reader == id);
                let main: Vec<NodeId> = builder.plan.children(id).map(|c| c.id).filter(|id| !is_side(*id)).collect();
                let next = builder.target_among::<P::KeyOut, P::ValueOut>(&main)?;
                let (name, task) = (builder.node(id)?.name.clone(), builder.context.clone());
                let mut opening = Opening { builder, step: id, readers, ports: Ports::default() };
                let open = resources.open(&mut opening).map_err(|error| error.at_node(&name))?;
                let ports = opening.ports;
                let blame = Blame::new(id);
                let processor = make(open);
                blame.clear();
                Ok(Process::start(id, &name, &task, ports, next, processor))
            });
        });
        let strange_global = {
            let draft = self.graph.lock();
            globals.iter().any(|global| !draft.plan.global_stores.contains_key(global))
        };
        if strange_table || strange_global {
            let reason = "the processor reads a table of another builder".to_owned();
            self.graph.mistake(id, "HW0115", reason, "make both with the same StreamsBuilder");
        }
        for (place, (output, _)) in outputs.iter().enumerate() {
            if outputs.iter().take(place).any(|(earlier, _)| earlier == output) {
                self.graph.mistake(id, "HW0162", format!("two outputs are called {output}"), "rename one of them");
            }
        }
        Processed { stream: KStream::new(self.graph.clone(), id), name: name.to_owned(), outputs, readers }
    }
}

/// What a processor forwards: the main output, as the stream that this derefs to, and its side outputs.
pub struct Processed<K, V> {
    stream: KStream<K, V>,
    name: String,
    outputs: Vec<(&'static str, TypeId)>,
    readers: Readers,
}

impl<K: Data, V: Data> Processed<K, V> {
    /// The main output as a stream of its own.
    pub fn stream(&self) -> KStream<K, V> {
        self.stream.clone()
    }

    /// The records that the processor forwards to `output`, which must be among its resources. Their key counts as
    /// changed as the main output's does, and also after `process_values`.
    ///
    /// `build()` reports an output that was not declared (`HW0161`).
    #[track_caller]
    pub fn side<K2: Data, V2: Data>(&self, output: &Output<K2, V2>) -> KStream<K2, V2> {
        let graph = &self.stream.graph;
        let read_before = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, id)) = read_before.iter().find(|(name, _)| *name == output.name()) {
            return KStream::new(graph.clone(), *id);
        }
        drop(read_before);
        let kind = NodeKind::Stateless { op: "output".to_owned(), changes_key: true };
        let name = format!("{}-{}", self.name, output.name());
        let id = graph.add(Some(&name), "output", kind, vec![self.stream.id], |wiring, id| {
            wiring.pass_on::<K2, V2>(id);
        });
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push((output.name(), id));
        if !self.outputs.contains(&(output.name(), TypeId::of::<Output<K2, V2>>())) {
            let reason = format!("the output {} is read, but the processor does not declare it so", output.name());
            graph.mistake(id, "HW0161", reason, "name it, with the same types, among the resources of process(..)");
        }
        KStream::new(graph.clone(), id)
    }
}

impl<K, V> Deref for Processed<K, V> {
    type Target = KStream<K, V>;

    fn deref(&self) -> &KStream<K, V> {
        &self.stream
    }
}

impl<K, V> std::fmt::Debug for Processed<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Processed").field("stream", &self.stream).field("name", &self.name).finish()
    }
}
