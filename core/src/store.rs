//! What an operator may read of its store: bytes under ordered keys. Writing is the task's: it applies the write
//! buffer in one batch after the transaction has committed.

use std::{
    collections::BTreeMap,
    ops::{Bound, ControlFlow},
    sync::Arc,
};

use smallvec::SmallVec;

use crate::Result;

/// Called with each key and value of a range, in key order, until it breaks.
pub type RangeVisitor<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// The committed content of one store, keys ordered bytewise.
pub trait StoreReader {
    /// The value under `key`.
    ///
    /// # Errors
    /// Of kind `State` if the store cannot be read.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Visits every row with `from <= key` and, if `to` is given, `key < to`.
    ///
    /// # Errors
    /// Of kind `State` if the store cannot be read.
    fn range(&self, from: &[u8], to: Option<&[u8]>, visit: &mut RangeVisitor<'_>) -> Result<()>;
}

/// A row's key and value.
pub type StoredRow = (Vec<u8>, Vec<u8>);

/// Walks through rows of one store, all of one version: what is committed meanwhile is not seen.
pub trait StoreCursor: Send {
    /// The first row at or after `from` is the next one. May go back.
    fn seek(&mut self, from: &[u8]);

    /// The next row in key order, below the bound that the cursor was made with; `None` if there is no other.
    ///
    /// # Errors
    /// Of kind `State` if the store cannot be read.
    fn next(&mut self) -> Result<Option<StoredRow>>;
}

/// A store in memory: the reference for the real one, and what the test driver uses.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(BTreeMap<Key, Value>);

/// Keys lie in the tree itself unless they are long: a search compares many.
type Key = SmallVec<[u8; 40]>;
type Value = SmallVec<[u8; 24]>;

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a row, or deletes it if `value` is `None`.
    pub fn write(&mut self, key: &[u8], value: Option<&[u8]>) {
        match value {
            Some(value) => {
                self.0.insert(Key::from_slice(key), Value::from_slice(value));
            }
            None => {
                self.0.remove(key);
            }
        }
    }
}

/// Walks through one version of a [`MemoryStore`]; holds all of it in memory.
#[derive(Debug)]
pub struct MemoryCursor {
    rows: Arc<MemoryStore>,
    /// Where the next row is looked for.
    from: Bound<Key>,
    to: Option<Vec<u8>>,
}

impl MemoryCursor {
    /// Over the rows at or after `from` and, if `to` is given, before `to`.
    pub fn new(rows: Arc<MemoryStore>, from: &[u8], to: Option<&[u8]>) -> Self {
        Self { rows, from: Bound::Included(Key::from_slice(from)), to: to.map(<[u8]>::to_vec) }
    }
}

impl StoreCursor for MemoryCursor {
    fn seek(&mut self, from: &[u8]) {
        self.from = Bound::Included(Key::from_slice(from));
    }

    fn next(&mut self) -> Result<Option<StoredRow>> {
        let mut rows = self.rows.0.range((self.from.clone(), Bound::Unbounded));
        let found = rows.next().filter(|(key, _)| self.to.as_ref().is_none_or(|to| key.as_slice() < to.as_slice()));
        let found = found.map(|(key, value)| {
            self.from = Bound::Excluded(key.clone());
            (key.to_vec(), value.to_vec())
        });
        Ok(found)
    }
}

impl StoreReader for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(key).map(|value| value.to_vec()))
    }

    fn range(&self, from: &[u8], to: Option<&[u8]>, visit: &mut RangeVisitor<'_>) -> Result<()> {
        for (key, value) in self.0.range::<[u8], _>((Bound::Included(from), Bound::Unbounded)) {
            if to.is_some_and(|to| key.as_slice() >= to) || visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl<S: StoreReader + ?Sized> StoreReader for std::rc::Rc<S> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        (**self).get(key)
    }

    fn range(&self, from: &[u8], to: Option<&[u8]>, visit: &mut RangeVisitor<'_>) -> Result<()> {
        (**self).range(from, to, visit)
    }
}
