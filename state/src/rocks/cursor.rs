//! Walking through one version of a family, for as long as somebody likes.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use headwater_core::{Result, StoreCursor, StoredRow};
use rocksdb::{ColumnFamily, DB, DBRawIterator, ReadOptions};
use self_cell::self_cell;

use crate::errors;

self_cell!(
    /// An iterator with the database that it is of: RocksDB's own borrow it. It sees the version of its making.
    struct OwnedIterator {
        owner: Arc<DB>,
        #[covariant]
        dependent: DBRawIterator,
    }
);

pub(super) struct RocksCursor {
    rows: OwnedIterator,
    dir: PathBuf,
    /// Whether the iterator stands at a row that was handed out.
    taken: bool,
}

impl RocksCursor {
    pub(super) fn open(db: Arc<DB>, dir: &Path, family: &ColumnFamily, from: &[u8], options: ReadOptions) -> Self {
        let rows = OwnedIterator::new(db, |db| db.raw_iterator_cf_opt(family, options));
        let mut cursor = Self { rows, dir: dir.to_owned(), taken: false };
        cursor.seek(from);
        cursor
    }
}

impl StoreCursor for RocksCursor {
    fn seek(&mut self, from: &[u8]) {
        self.rows.with_dependent_mut(|_, rows| rows.seek(from));
        self.taken = false;
    }

    fn next(&mut self) -> Result<Option<StoredRow>> {
        let taken = std::mem::replace(&mut self.taken, true);
        let found = self.rows.with_dependent_mut(|_, rows| {
            if taken {
                rows.next();
            }
            match rows.item() {
                Some((key, value)) => Ok(Some((key.to_vec(), value.to_vec()))),
                None => rows.status().map(|()| None),
            }
        });
        found.map_err(|error| errors::rocks("read", &self.dir, error))
    }
}
