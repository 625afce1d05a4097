//! Stores in memory, for the test driver: the same behaviour, no files.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::Path,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use headwater_core::{Error, ErrorKind, MemoryStore, Offset, RangeVisitor, Result, StoreReader, TopicPartition};

use crate::{StoreChanges, backend::Backend, errors};

/// How many rows a range copies out at a time. Visitors run without the lock, so that they may read again.
const RANGE_CHUNK: usize = 64;

#[derive(Debug)]
pub(crate) struct InMemory {
    names: Vec<String>,
    content: RwLock<Content>,
}

#[derive(Debug, Default)]
struct Content {
    stores: Vec<MemoryStore>,
    positions: BTreeMap<TopicPartition, Offset>,
}

impl InMemory {
    pub(crate) fn new(names: Vec<String>) -> Self {
        let content = Content { stores: vec![MemoryStore::new(); names.len()], positions: BTreeMap::new() };
        Self { names, content: RwLock::new(content) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Content> {
        // Writers change the content in steps that cannot panic, so a poisoned lock still guards whole changes.
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn missing(&self, store: usize) -> Error {
        errors::no_such_store(&format!("#{store}"), &self.names)
    }
}

impl Backend for InMemory {
    fn stores(&self) -> &[String] {
        &self.names
    }

    fn get(&self, store: usize, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.read().stores.get(store).ok_or_else(|| self.missing(store))?.get(key)
    }

    fn range(&self, store: usize, from: &[u8], to: Option<&[u8]>, visit: &mut RangeVisitor<'_>) -> Result<()> {
        let mut from = from.to_vec();
        loop {
            let mut rows: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
            self.read().stores.get(store).ok_or_else(|| self.missing(store))?.range(&from, to, &mut |key, value| {
                rows.push((key.to_vec(), value.to_vec()));
                if rows.len() < RANGE_CHUNK { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            for (key, value) in &rows {
                if visit(key, value).is_break() {
                    return Ok(());
                }
            }
            match rows.pop() {
                Some((last, _)) if rows.len() + 1 == RANGE_CHUNK => {
                    // The smallest key after `last`.
                    from = last;
                    from.push(0);
                }
                _ => return Ok(()),
            }
        }
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
                store.write(row.key, row.value);
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
        content.stores.fill(MemoryStore::new());
        Ok(())
    }

    fn checkpoint(&self, _: &Path) -> Result<()> {
        Err(Error::new(ErrorKind::State, "HW0406", "a store in memory has no files to take a snapshot of")
            .help("take snapshots of a running program's state directory"))
    }
}
