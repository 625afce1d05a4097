//! Sinks between their typed recipe and the runtime, which knows neither keys nor values.

use std::{any::Any, cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use headwater_core::{
    Descriptor, LineageRange, Result, Sink, SinkCommitter, SinkContext, SinkRecord, SinkSpec, SinkWriter, Table,
};

use crate::{
    bounds::Data,
    plan::NodeId,
    task::TaskContext,
    wire::{Flow, Meta, Push},
};

/// A sink without its types: everything but writing.
pub trait AnySink: Send + Sync {
    /// What the plan shows.
    fn spec(&self) -> SinkSpec;
    /// See [`Sink::open`].
    ///
    /// # Errors
    /// As there.
    fn open(&self, context: &SinkContext) -> Result<()>;
    /// See [`Sink::committer`].
    ///
    /// # Errors
    /// As there.
    fn committer(&self, context: &SinkContext) -> Result<Box<dyn SinkCommitter>>;
    /// See [`Sink::read`].
    ///
    /// # Errors
    /// As there.
    fn read(&self, context: &SinkContext) -> Result<Option<Table>>;
}

pub(crate) struct Erased<K, V>(pub(crate) Arc<dyn Sink<K, V>>);

impl<K: Data, V: Data> AnySink for Erased<K, V> {
    fn spec(&self) -> SinkSpec {
        self.0.spec()
    }
    fn open(&self, context: &SinkContext) -> Result<()> {
        self.0.open(context)
    }
    fn committer(&self, context: &SinkContext) -> Result<Box<dyn SinkCommitter>> {
        self.0.committer(context)
    }
    fn read(&self, context: &SinkContext) -> Result<Option<Table>> {
        self.0.read(context)
    }
}

/// A writer without its types: the two phases.
pub trait AnyWriter {
    /// See [`SinkWriter::prepare`].
    ///
    /// # Errors
    /// As there.
    fn prepare(&self, lineage: &[LineageRange]) -> Result<Option<Descriptor>>;
    /// See [`SinkWriter::abort`].
    fn abort(&self);
    /// See [`SinkWriter::committed`].
    fn committed(&self);
}

type SharedWriter<K, V> = Rc<RefCell<Box<dyn SinkWriter<K, V>>>>;

struct WriterOf<K, V>(SharedWriter<K, V>);

impl<K, V> AnyWriter for WriterOf<K, V> {
    fn prepare(&self, lineage: &[LineageRange]) -> Result<Option<Descriptor>> {
        self.0.borrow_mut().prepare(lineage)
    }
    fn abort(&self) {
        self.0.borrow_mut().abort();
    }
    fn committed(&self) {
        self.0.borrow_mut().committed();
    }
}

struct OpenWriter {
    sink: String,
    typed: Rc<dyn Any>,
    control: Rc<dyn AnyWriter>,
}

/// The sink writers of one task thread. They belong to the thread's transaction, so that a table's partition gets one
/// file per thread and commit, however many tasks the thread runs.
#[derive(Default)]
pub struct ThreadWriters(RefCell<BTreeMap<NodeId, OpenWriter>>);

impl std::fmt::Debug for ThreadWriters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ThreadWriters({})", self.0.borrow().len())
    }
}

impl ThreadWriters {
    /// The open writers by sink name.
    pub fn open(&self) -> Vec<(String, Rc<dyn AnyWriter>)> {
        self.0.borrow().values().map(|writer| (writer.sink.clone(), writer.control.clone())).collect()
    }

    /// Where task `task` pushes the records of sink `node`; the writer is opened on first use.
    pub(crate) fn target<K: Data, V: Data>(
        &self,
        node: NodeId,
        name: &str,
        sink: &Arc<dyn Sink<K, V>>,
        context: &SinkContext,
        task: Rc<TaskContext>,
    ) -> Result<Rc<dyn Push<K, V>>> {
        let mut writers = self.0.borrow_mut();
        let open = writers.get(&node).and_then(|w| w.typed.downcast_ref::<SharedWriter<K, V>>()).cloned();
        let writer = match open {
            Some(writer) => writer,
            None => {
                let writer: SharedWriter<K, V> = Rc::new(RefCell::new(sink.writer(context)?));
                let control = Rc::new(WriterOf(writer.clone()));
                writers.insert(node, OpenWriter { sink: name.to_owned(), typed: Rc::new(writer.clone()), control });
                writer
            }
        };
        Ok(Rc::new(SinkTarget { writer, task }))
    }
}

/// Pushes a task's records into its thread's writer.
struct SinkTarget<K, V> {
    writer: SharedWriter<K, V>,
    task: Rc<TaskContext>,
}

impl<K, V> Push<K, V> for SinkTarget<K, V> {
    fn push(&self, meta: Meta<'_>, key: K, value: V) -> Flow {
        self.writer.borrow_mut().write(SinkRecord {
            key: &key,
            value: &value,
            timestamp: meta.timestamp,
            headers: meta.headers,
            partition: self.task.partition.get(),
            offset: self.task.offset.get(),
        })
    }
}
