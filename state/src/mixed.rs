//! Some of a task's stores on disk, the others in memory: as one thing to those who read and write them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use headwater_core::{Offset, RangeVisitor, Result, StoreCursor, TopicPartition};

use crate::{StoreChanges, backend::Backend, in_memory::InMemory};

/// The stores on disk come first.
#[derive(Debug)]
pub(crate) struct Mixed<D> {
    disk: D,
    memory: InMemory,
    names: Vec<String>,
    /// The changelogs of the stores in memory: their positions are as volatile as the rows.
    volatile: BTreeSet<String>,
}

impl<D: Backend> Mixed<D> {
    /// `in_memory` names the stores in memory, each with its changelog if it has one.
    pub(crate) fn new(disk: D, in_memory: &BTreeMap<String, Option<String>>) -> Self {
        // A store that was on disk once may still be found there; the one in memory is the one that counts.
        let on_disk = disk.stores().iter().cloned();
        let names = on_disk.chain(in_memory.keys().cloned()).collect();
        let volatile = in_memory.values().flatten().cloned().collect();
        Self { disk, memory: InMemory::new(in_memory.keys().cloned().collect()), names, volatile }
    }

    /// Whether the changes of `store` go to memory.
    fn is_in_memory(&self, store: &str) -> bool {
        self.memory.stores().iter().any(|name| name == store)
    }
}

impl<D: Backend> Backend for Mixed<D> {
    fn stores(&self) -> &[String] {
        &self.names
    }

    fn place(&self, store: &str) -> Option<usize> {
        self.names.iter().rposition(|name| name == store)
    }

    fn get(&self, store: usize, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match store.checked_sub(self.disk.stores().len()) {
            Some(store) => self.memory.get(store, key),
            None => self.disk.get(store, key),
        }
    }

    fn range(&self, store: usize, from: &[u8], to: Option<&[u8]>, visit: &mut RangeVisitor<'_>) -> Result<()> {
        match store.checked_sub(self.disk.stores().len()) {
            Some(store) => self.memory.range(store, from, to, visit),
            None => self.disk.range(store, from, to, visit),
        }
    }

    fn cursor(&self, store: usize, from: &[u8], to: Option<&[u8]>) -> Result<Box<dyn StoreCursor>> {
        match store.checked_sub(self.disk.stores().len()) {
            Some(store) => self.memory.cursor(store, from, to),
            None => self.disk.cursor(store, from, to),
        }
    }

    fn apply(&self, changes: &StoreChanges) -> Result<()> {
        let (mut to_disk, mut to_memory) = (StoreChanges::new(), StoreChanges::new());
        for row in changes.rows() {
            let to = if self.is_in_memory(row.store) { &mut to_memory } else { &mut to_disk };
            to.row(row.store, row.key, row.value);
        }
        for (partition, offset) in changes.positions() {
            let to = if self.volatile.contains(&*partition.topic) { &mut to_memory } else { &mut to_disk };
            to.position(partition.clone(), offset);
        }
        // The disk first: only it can fail.
        self.disk.apply(&to_disk)?;
        self.memory.apply(&to_memory)
    }

    fn positions(&self) -> Result<BTreeMap<TopicPartition, Offset>> {
        let mut positions = self.disk.positions()?;
        positions.retain(|partition, _| !self.volatile.contains(&*partition.topic));
        positions.extend(self.memory.positions()?);
        Ok(positions)
    }

    fn flush(&self, wait: bool) -> Result<()> {
        self.disk.flush(wait)
    }

    fn delete_all(&self) -> Result<()> {
        self.disk.delete_all()?;
        self.memory.delete_all()
    }

    fn checkpoint(&self, dir: &Path) -> Result<()> {
        self.disk.checkpoint(dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_positions_go_where_their_store_is() {
        let disk = InMemory::new(vec!["disk".to_owned(), "moved".to_owned()]);
        let volatile = |name: &str| (name.to_owned(), Some(format!("{name}-changelog")));
        let mixed = Mixed::new(disk, &BTreeMap::from([volatile("memory"), volatile("moved"), ("bare".into(), None)]));
        let mut changes = StoreChanges::new();
        for store in ["disk", "memory", "moved", "bare"] {
            changes.put(store, b"k", store.as_bytes());
            changes.position(TopicPartition::new(format!("{store}-changelog"), 0), 7);
        }
        mixed.apply(&changes).unwrap();
        for store in ["disk", "memory", "moved", "bare"] {
            let place = mixed.place(store).unwrap();
            assert_eq!(mixed.get(place, b"k").unwrap().as_deref(), Some(store.as_bytes()));
        }
        assert_eq!(mixed.positions().unwrap().len(), 4);
        assert_eq!(mixed.disk.get(1, b"k").unwrap(), None, "the store moved to memory");
        let on_disk: Vec<_> = mixed.disk.positions().unwrap().into_keys().map(|at| at.topic.to_string()).collect();
        assert_eq!(on_disk, ["bare-changelog", "disk-changelog"]);
        mixed.delete_all().unwrap();
        assert_eq!(mixed.get(mixed.place("memory").unwrap(), b"k").unwrap(), None);
        assert!(mixed.positions().unwrap().is_empty());
    }
}
