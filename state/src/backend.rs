//! What RocksDB and memory have in common.

use std::{collections::BTreeMap, fmt, path::Path};

use headwater_core::{Offset, RangeVisitor, Result, StoreCursor, TopicPartition};

use crate::StoreChanges;

/// Where a task's bytes are. Stores are named by their index in [`Backend::stores`].
pub(crate) trait Backend: fmt::Debug + Send + Sync {
    /// The stores' names.
    fn stores(&self) -> &[String];
    /// The index of `store`.
    fn place(&self, store: &str) -> Option<usize> {
        self.stores().iter().position(|name| name == store)
    }
    fn get(&self, store: usize, key: &[u8]) -> Result<Option<Vec<u8>>>;
    fn range(&self, store: usize, from: &[u8], to: Option<&[u8]>, visit: &mut RangeVisitor<'_>) -> Result<()>;
    /// Walks through the rows as they are now; keeps the store open.
    fn cursor(&self, store: usize, from: &[u8], to: Option<&[u8]>) -> Result<Box<dyn StoreCursor>>;
    /// Writes all of `changes` or nothing.
    fn apply(&self, changes: &StoreChanges) -> Result<()>;
    fn positions(&self) -> Result<BTreeMap<TopicPartition, Offset>>;
    /// Brings everything applied so far to disk; without `wait` it only begins.
    fn flush(&self, wait: bool) -> Result<()>;
    /// Deletes all rows and positions.
    fn delete_all(&self) -> Result<()>;
    /// Writes a copy of all that was applied so far into `dir`, which must not exist.
    fn checkpoint(&self, dir: &Path) -> Result<()>;
}
