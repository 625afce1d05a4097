//! A task's stores in one RocksDB: a column family per store, one for positions, and the default one for the format.

mod cursor;
mod open;
mod options;
mod positions;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use headwater_core::{Offset, RangeVisitor, Result, StoreCursor, TopicPartition};
use rocksdb::{ColumnFamily, DB, FlushOptions, ReadOptions, WriteBatch, WriteOptions, checkpoint::Checkpoint};

use crate::{StoreChanges, backend::Backend, errors};
use cursor::RocksCursor;
use positions::POSITIONS;

/// An open database. Closing it (the last drop) flushes what is in memory.
pub(crate) struct Rocks {
    /// Shared with those who walk through it.
    db: Arc<DB>,
    dir: PathBuf,
    stores: Vec<String>,
    /// The families' names, one for each of `stores`.
    families: Vec<String>,
}

impl fmt::Debug for Rocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rocks").field("dir", &self.dir).field("stores", &self.stores).finish()
    }
}

impl Rocks {
    fn family(&self, name: &str) -> Result<&ColumnFamily> {
        self.db.cf_handle(name).ok_or_else(|| errors::damaged(&self.dir, &format!("it has no family {name:?}")))
    }

    fn store_family(&self, store: usize) -> Result<&ColumnFamily> {
        let name = self.families.get(store);
        self.family(name.ok_or_else(|| errors::no_such_store(&format!("#{store}"), &self.stores))?)
    }

    fn write(&self, batch: WriteBatch) -> Result<()> {
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        self.db.write_opt(batch, &options).map_err(|error| errors::rocks("write to", &self.dir, error))
    }

    fn all_families(&self) -> Result<Vec<&ColumnFamily>> {
        let named = self.families.iter().map(String::as_str);
        named.chain([POSITIONS, open::META]).map(|name| self.family(name)).collect()
    }
}

/// RocksDB then stops at the bound instead of reading deleted rows behind it.
fn bounded(to: Option<&[u8]>) -> ReadOptions {
    let mut options = ReadOptions::default();
    if let Some(to) = to {
        options.set_iterate_upper_bound(to);
    }
    options
}

impl Backend for Rocks {
    fn stores(&self) -> &[String] {
        &self.stores
    }

    fn get(&self, store: usize, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let family = self.store_family(store)?;
        self.db.get_cf(family, key).map_err(|error| errors::rocks("read", &self.dir, error))
    }

    fn range(&self, store: usize, from: &[u8], to: Option<&[u8]>, visit: &mut RangeVisitor<'_>) -> Result<()> {
        if to.is_some_and(|to| from >= to) {
            return Ok(());
        }
        let mut rows = self.db.raw_iterator_cf_opt(self.store_family(store)?, bounded(to));
        rows.seek(from);
        while let Some((key, value)) = rows.item() {
            if visit(key, value).is_break() {
                return Ok(());
            }
            rows.next();
        }
        rows.status().map_err(|error| errors::rocks("read", &self.dir, error))
    }

    fn cursor(&self, store: usize, from: &[u8], to: Option<&[u8]>) -> Result<Box<dyn StoreCursor>> {
        let family = self.store_family(store)?;
        Ok(Box::new(RocksCursor::open(self.db.clone(), &self.dir, family, from, bounded(to))))
    }

    fn apply(&self, changes: &StoreChanges) -> Result<()> {
        let families: Vec<_> = changes
            .store_names()
            .iter()
            .map(|name| self.stores.iter().position(|known| known == name))
            .map(|store| store.map(|store| self.store_family(store)).transpose())
            .collect::<Result<_>>()?;
        let mut batch = WriteBatch::with_capacity_bytes(changes.size_in_bytes() + 16 * changes.len());
        // In order of their keys: RocksDB then finds each one's place from that of the one before.
        for (store, row) in changes.sorted_rows() {
            let family = families.get(store).copied().flatten();
            let family = family.ok_or_else(|| errors::no_such_store(row.store, &self.stores))?;
            match row.value {
                Some(value) => batch.put_cf(family, row.key, value),
                None => batch.delete_cf(family, row.key),
            }
        }
        let positions = self.family(POSITIONS)?;
        for (partition, offset) in changes.positions() {
            batch.put_cf(positions, positions::key(partition), positions::value(offset));
        }
        self.write(batch)
    }

    fn positions(&self) -> Result<BTreeMap<TopicPartition, Offset>> {
        let mut positions = BTreeMap::new();
        let mut rows = self.db.raw_iterator_cf(self.family(POSITIONS)?);
        rows.seek_to_first();
        while let Some((key, value)) = rows.item() {
            let (partition, offset) = positions::read(key, value)
                .ok_or_else(|| errors::damaged(&self.dir, "a position in it has an unknown form"))?;
            positions.insert(partition, offset);
            rows.next();
        }
        rows.status().map_err(|error| errors::rocks("read", &self.dir, error))?;
        Ok(positions)
    }

    fn flush(&self, wait: bool) -> Result<()> {
        let mut options = FlushOptions::default();
        options.set_wait(wait);
        // All families in one call: with `atomic_flush` they reach the disk together.
        let families = self.all_families()?;
        let families: Vec<_> = families.iter().collect();
        self.db.flush_cfs_opt(&families, &options).map_err(|error| errors::rocks("flush", &self.dir, error))
    }

    fn delete_all(&self) -> Result<()> {
        let mut batch = WriteBatch::default();
        for family in self.families.iter().map(String::as_str).chain([POSITIONS]) {
            let family = self.family(family)?;
            let mut rows = self.db.raw_iterator_cf(family);
            rows.seek_to_last();
            if let Some(last) = rows.key() {
                batch.delete_range_cf(family, &[][..], last);
                batch.delete_cf(family, last);
            }
            rows.status().map_err(|error| errors::rocks("read", &self.dir, error))?;
        }
        self.write(batch)?;
        self.flush(true)
    }

    fn checkpoint(&self, dir: &Path) -> Result<()> {
        let checkpoint = Checkpoint::new(&self.db).map_err(|error| errors::rocks("copy", &self.dir, error))?;
        // 0: without a write-ahead log, any other value would leave out what is still in memory.
        checkpoint.create_checkpoint_with_log_size(dir, 0).map_err(|error| errors::rocks("copy", &self.dir, error))
    }
}
