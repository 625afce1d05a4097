//! A sink for tests.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use headwater_core::{
    CommitPosition, Descriptor, Error, ErrorKind, LineageRange, Offset, Result, Sink, SinkCommitter, SinkContext,
    SinkRecord, SinkSpec, SinkWriter,
};

/// A sink that keeps its rows in memory. Clones share the rows: give one to the topology and look into the other.
///
/// It keeps the promise of every [`Sink`]: a row is seen once, and only when the transaction of its input has committed.
pub struct MemorySink<K, V> {
    name: String,
    shared: Arc<Mutex<Shared<K, V>>>,
}

struct Shared<K, V> {
    /// Prepared rows by the number in their descriptor.
    staged: BTreeMap<u64, Vec<(K, V)>>,
    next: u64,
    /// Committed rows by target.
    targets: BTreeMap<String, Target<K, V>>,
}

struct Target<K, V> {
    rows: Vec<(K, V)>,
    position: CommitPosition,
}

impl<K, V> MemorySink<K, V> {
    /// An empty sink; `name` is its target in the plan.
    pub fn new(name: &str) -> Self {
        let shared = Shared { staged: BTreeMap::new(), next: 0, targets: BTreeMap::new() };
        Self { name: name.to_owned(), shared: Arc::new(Mutex::new(shared)) }
    }

    fn lock(&self) -> MutexGuard<'_, Shared<K, V>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone, V: Clone> MemorySink<K, V> {
    /// The committed rows of version 1, in the order of their commits.
    pub fn rows(&self) -> Vec<(K, V)> {
        self.rows_of(&self.name)
    }

    /// The committed rows of `target`: the sink's name, from version 2 on followed by `__v<N>`.
    pub fn rows_of(&self, target: &str) -> Vec<(K, V)> {
        self.lock().targets.get(target).map(|target| target.rows.clone()).unwrap_or_default()
    }
}

impl<K, V> Clone for MemorySink<K, V> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), shared: self.shared.clone() }
    }
}

impl<K, V> std::fmt::Debug for MemorySink<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemorySink({})", self.name)
    }
}

impl<K: Clone + Send + 'static, V: Clone + Send + 'static> Sink<K, V> for MemorySink<K, V> {
    fn spec(&self) -> SinkSpec {
        SinkSpec { kind: "memory".to_owned(), target: self.name.clone() }
    }

    fn open(&self, context: &SinkContext) -> Result<()> {
        let target = Target { rows: Vec::new(), position: None };
        self.lock().targets.entry(context.versioned(&self.name)).or_insert(target);
        Ok(())
    }

    fn writer(&self, _: &SinkContext) -> Result<Box<dyn SinkWriter<K, V>>> {
        Ok(Box::new(Writer { sink: self.clone(), rows: Vec::new(), prepared: None }))
    }

    fn committer(&self, context: &SinkContext) -> Result<Box<dyn SinkCommitter>> {
        Ok(Box::new(Committer { target: context.versioned(&self.name), sink: self.clone() }))
    }
}

struct Writer<K, V> {
    sink: MemorySink<K, V>,
    rows: Vec<(K, V)>,
    /// What the last `prepare` staged, until its transaction has committed.
    prepared: Option<u64>,
}

impl<K: Clone, V: Clone> SinkWriter<K, V> for Writer<K, V> {
    fn write(&mut self, record: SinkRecord<'_, K, V>) -> Result<()> {
        self.rows.push((record.key.clone(), record.value.clone()));
        Ok(())
    }

    fn prepare(&mut self, _: &[LineageRange]) -> Result<Option<Descriptor>> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        let mut shared = self.sink.lock();
        let number = shared.next;
        shared.next += 1;
        shared.staged.insert(number, std::mem::take(&mut self.rows));
        self.prepared = Some(number);
        Ok(Some(Descriptor(number.to_be_bytes().as_slice().into())))
    }

    fn abort(&mut self) {
        self.rows.clear();
        if let Some(number) = self.prepared.take() {
            self.sink.lock().staged.remove(&number);
        }
    }

    fn committed(&mut self) {
        self.prepared = None;
    }
}

struct Committer<K, V> {
    target: String,
    sink: MemorySink<K, V>,
}

impl<K: Clone + Send, V: Clone + Send> SinkCommitter for Committer<K, V> {
    fn recover(&mut self) -> Result<CommitPosition> {
        Ok(self.sink.lock().targets.get(&self.target).and_then(|target| target.position))
    }

    fn commit(&mut self, descriptors: &[(Offset, Descriptor)]) -> Result<()> {
        let mut shared = self.sink.lock();
        let Shared { staged, targets, .. } = &mut *shared;
        let Some(target) = targets.get_mut(&self.target) else { return Err(gone(&self.target)) };
        for (offset, descriptor) in descriptors {
            if target.position.is_some_and(|position| *offset < position) {
                continue;
            }
            let number = descriptor.0.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
            let rows = number.and_then(|number| staged.remove(&number)).ok_or_else(|| gone(&self.target))?;
            target.rows.extend(rows);
            target.position = Some(offset + 1);
        }
        Ok(())
    }
}

fn gone(target: &str) -> Error {
    Error::new(ErrorKind::Sink, "HW0122", format!("the memory sink {target} does not hold what was committed to it"))
        .help("its rows end with the process; use it in tests only")
}
