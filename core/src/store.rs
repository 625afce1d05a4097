//! What an operator may read of its store: bytes under ordered keys. Writing is the task's: it applies the write
//! buffer in one batch after the transaction has committed.

use std::{collections::BTreeMap, ops::ControlFlow};

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

/// A store in memory: the reference for the real one, and what the test driver uses.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(BTreeMap<Vec<u8>, Vec<u8>>);

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a row, or deletes it if `value` is `None`.
    pub fn write(&mut self, key: &[u8], value: Option<&[u8]>) {
        match value {
            Some(value) => {
                self.0.insert(key.to_vec(), value.to_vec());
            }
            None => {
                self.0.remove(key);
            }
        }
    }
}

impl StoreReader for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(key).cloned())
    }

    fn range(&self, from: &[u8], to: Option<&[u8]>, visit: &mut RangeVisitor<'_>) -> Result<()> {
        for (key, value) in self.0.range(from.to_vec()..) {
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
