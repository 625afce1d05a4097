//! A task's stores and positions as one thing.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use headwater_core::{Offset, RangeVisitor, Result, StoreCursor, StoreReader, Timestamp, TopicPartition};

use crate::{
    FlushPolicy, StoreChanges, StoreDigest, StoreMemory, backend::Backend, errors, flush::Unflushed,
    in_memory::InMemory, mixed::Mixed, rocks::Rocks,
};

/// All stores of one task, and the positions up to which they hold their inputs' effects. Cheap to clone: clones are
/// handles of the same stores, usable from any thread.
///
/// ```
/// use headwater_core::{StoreReader, TopicPartition};
/// use headwater_state::{StoreChanges, TaskStore};
///
/// let store = TaskStore::in_memory(&["counts".to_owned()]);
/// let mut changes = StoreChanges::new();
/// changes.put("counts", b"EWR", b"7");
/// changes.position(TopicPartition::new("flights", 0), 42);
/// store.apply(&changes)?;
/// assert_eq!(store.reader("counts")?.get(b"EWR")?.as_deref(), Some(&b"7"[..]));
/// assert_eq!(store.positions()?[&TopicPartition::new("flights", 0)], 42);
/// # Ok::<(), headwater_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TaskStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    backend: Box<dyn Backend>,
    unflushed: Unflushed,
    /// Held by every change and by a checkpoint, so that a checkpoint's positions are those of its rows.
    changing: Mutex<()>,
}

impl TaskStore {
    /// Opens the stores in `dir`, creating what is missing. Stores found there but not named in `stores` are opened
    /// too and kept.
    ///
    /// # Errors
    /// `HW0401` if another program has them open, `HW0402` if the disk is full or `dir` cannot be written, `HW0403` if
    /// a newer program wrote them, `HW0405` if they are damaged.
    pub fn open(dir: &Path, stores: &[String], memory: &StoreMemory) -> Result<Self> {
        Ok(Self::new(Box::new(Rocks::open(dir, stores, memory)?)))
    }

    /// As [`Self::open`], with some stores beside them that are kept in memory and gone with the last handle:
    /// `in_memory` has their names, each with its changelog topic if it has one. The positions of these topics are kept
    /// in memory too, so that the next start reads them from their beginning.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with_memory(
        dir: &Path,
        stores: &[String],
        in_memory: &BTreeMap<String, Option<String>>,
        memory: &StoreMemory,
    ) -> Result<Self> {
        if in_memory.is_empty() {
            return Self::open(dir, stores, memory);
        }
        Ok(Self::new(Box::new(Mixed::new(Rocks::open(dir, stores, memory)?, in_memory))))
    }

    /// Empty stores in memory, gone with the last handle.
    pub fn in_memory(stores: &[String]) -> Self {
        Self::new(Box::new(InMemory::new(stores.to_vec())))
    }

    fn new(backend: Box<dyn Backend>) -> Self {
        Self(Arc::new(Inner { backend, unflushed: Unflushed::default(), changing: Mutex::new(()) }))
    }

    /// The names of all stores, in order of their names where they come from files.
    pub fn stores(&self) -> &[String] {
        self.0.backend.stores()
    }

    /// A reader of one store.
    ///
    /// # Errors
    /// `HW0404` if there is no such store.
    pub fn reader(&self, store: &str) -> Result<StoreHandle> {
        let stores = self.stores();
        let index = self.0.backend.place(store).ok_or_else(|| errors::no_such_store(store, stores))?;
        Ok(StoreHandle { store: self.clone(), index })
    }

    /// Applies all of `changes` at once: a reader or a crash sees all of them or none.
    ///
    /// A crash may take the last applied changes with it, but only whole ones and from the end: what is found after it
    /// is the state after some earlier `apply`, at least the last flushed one.
    ///
    /// # Errors
    /// `HW0404` if a store does not exist, `HW0402` if the disk is full, `HW0405` if the files are damaged. Nothing is
    /// changed then.
    pub fn apply(&self, changes: &StoreChanges) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let _changing = self.change();
        self.0.backend.apply(changes)?;
        self.0.unflushed.add(changes.size_in_bytes() as u64);
        Ok(())
    }

    /// The position of every partition, as last applied.
    ///
    /// # Errors
    /// `HW0405` if they cannot be read.
    pub fn positions(&self) -> Result<BTreeMap<TopicPartition, Offset>> {
        self.0.backend.positions()
    }

    /// Brings everything applied so far to disk, all stores and positions together, and waits for it.
    ///
    /// # Errors
    /// `HW0402` if the disk is full.
    pub fn flush(&self) -> Result<()> {
        let _changing = self.change();
        self.0.backend.flush(true)?;
        self.0.unflushed.reset();
        Ok(())
    }

    /// Begins a flush in the background if the [`FlushPolicy`] says so, and says whether it did. Call it after commits.
    ///
    /// # Errors
    /// `HW0402` if the disk is full; a failure in the background is reported by a later `apply`.
    pub fn flush_if_due(&self, now_ms: Timestamp) -> Result<bool> {
        if !self.0.unflushed.due(now_ms) {
            return Ok(false);
        }
        let _changing = self.change();
        self.0.backend.flush(false)?;
        self.0.unflushed.reset();
        Ok(true)
    }

    /// Changes when [`Self::flush_if_due`] flushes. Default: after 60 s or 64 MiB.
    pub fn set_flush_policy(&self, policy: FlushPolicy) {
        self.0.unflushed.set_policy(policy);
    }

    /// Deletes all rows and positions, and makes that durable.
    ///
    /// # Errors
    /// `HW0402` or `HW0405` if the files cannot be written; call it again then.
    pub fn delete_all(&self) -> Result<()> {
        let _changing = self.change();
        self.0.backend.delete_all()?;
        self.0.unflushed.reset();
        Ok(())
    }

    /// The content of one store as a hash. Reads every row.
    ///
    /// # Errors
    /// `HW0404` if there is no such store, `HW0405` if a row cannot be read.
    pub fn digest(&self, store: &str) -> Result<StoreDigest> {
        StoreDigest::of(&self.reader(store)?)
    }

    /// Copies the files of everything applied so far into `dir`, which must not exist, and gives their positions.
    pub(crate) fn checkpoint(&self, dir: &Path) -> Result<BTreeMap<TopicPartition, Offset>> {
        let _changing = self.change();
        self.0.backend.checkpoint(dir)?;
        self.0.unflushed.reset();
        self.0.backend.positions()
    }

    fn change(&self) -> MutexGuard<'_, ()> {
        self.0.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads one store of a [`TaskStore`], and keeps it open. Cheap to clone, usable from any thread.
#[derive(Debug, Clone)]
pub struct StoreHandle {
    store: TaskStore,
    index: usize,
}

impl StoreHandle {
    /// Walks through the rows with `from <= key` and, if `to` is given, `key < to`, as they are now: what is applied
    /// meanwhile is not seen. Until it is dropped it keeps the store open, and the memory or the files of its version.
    ///
    /// # Errors
    /// `HW0405` if the store cannot be read.
    pub fn cursor(&self, from: &[u8], to: Option<&[u8]>) -> Result<Box<dyn StoreCursor>> {
        self.store.0.backend.cursor(self.index, from, to)
    }
}

impl StoreReader for StoreHandle {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.store.0.backend.get(self.index, key)
    }

    fn range(&self, from: &[u8], to: Option<&[u8]>, visit: &mut RangeVisitor<'_>) -> Result<()> {
        self.store.0.backend.range(self.index, from, to, visit)
    }
}
