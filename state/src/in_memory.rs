//! Stores in memory, for the test driver: the same behaviour, no files.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use headwater_core::{
    Error, ErrorKind, MemoryCursor, MemoryStore, Offset, RangeVisitor, Result, StoreCursor, StoreReader, TopicPartition,
};

use crate::{StoreChanges, backend::Backend, errors};

#[derive(Debug)]
pub(crate) struct InMemory {
    names: Vec<String>,
    content: RwLock<Content>,
}

#[derive(Debug, Default)]
struct Content {
    /// A change of a store that somebody is walking through copies it first.
    stores: Vec<Arc<MemoryStore>>,
    positions: BTreeMap<TopicPartition, Offset>,
}

impl InMemory {
    pub(crate) fn new(names: Vec<String>) -> Self {
        let content = Content { stores: empty(names.len()), positions: BTreeMap::new() };
        Self { names, content: RwLock::new(content) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Content> {
        // Writers change the content in steps that cannot panic, so a poisoned lock still guards whole changes.
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows of a store as they are now.
    fn rows(&self, store: usize) -> Result<Arc<MemoryStore>> {
        self.read().stores.get(store).cloned().ok_or_else(|| self.missing(store))
    }

    fn missing(&self, store: usize) -> Error {
        errors::no_such_store(&format!("#{store}"), &self.names)
    }
}

fn empty(stores: usize) -> Vec<Arc<MemoryStore>> {
    std::iter::repeat_with(Arc::default).take(stores).collect()
}

impl Backend for InMemory {
    fn stores(&self) -> &[String] {
        &self.names
    }

    fn get(&self, store: usize, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.read().stores.get(store).ok_or_else(|| self.missing(store))?.get(key)
    }

    fn range(&self, store: usize, from: &[u8], to: Option<&[u8]>, visit: &mut RangeVisitor<'_>) -> Result<()> {
        // Visitors run without the lock, so that they may read again.
        self.rows(store)?.range(from, to, visit)
    }

    fn cursor(&self, store: usize, from: &[u8], to: Option<&[u8]>) -> Result<Box<dyn StoreCursor>> {
        Ok(Box::new(MemoryCursor::new(self.rows(store)?, from, to)))
    }

    fn apply(&self, changes: &StoreChanges) -> Result<()> {
        let mut content = self.write();
        let indexes: Vec<_> =
            changes.store_names().iter().map(|name| self.names.iter().position(|known| known == name)).collect();
        if let Some(unknown) = changes.rows().find(|row| !self.names.iter().any(|known| known == row.store)) {
            return Err(errors::no_such_store(unknown.store, &self.names));
        }
        for (index, row) in changes.indexed_rows() {
            let store = indexes.get(index).copied().flatten();
            if let Some(store) = store.and_then(|store| content.stores.get_mut(store)) {
                Arc::make_mut(store).write(row.key, row.value);
            }
        }
        for (partition, offset) in changes.positions() {
            content.positions.insert(partition.clone(), offset);
        }
        Ok(())
    }

    fn positions(&self) -> Result<BTreeMap<TopicPartition, Offset>> {
        Ok(self.read().positions.clone())
    }

    fn flush(&self, _: bool) -> Result<()> {
        Ok(())
    }

    fn delete_all(&self) -> Result<()> {
        let mut content = self.write();
        content.positions.clear();
        content.stores = empty(self.names.len());
        Ok(())
    }

    fn checkpoint(&self, _: &Path) -> Result<()> {
        Err(Error::new(ErrorKind::State, "HW0406", "a store in memory has no files to take a snapshot of")
            .help("take snapshots of a running program's state directory"))
    }
}
