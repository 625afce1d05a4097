//! A store of bytes in the order of their keys, for steps that read many rows of one prefix.

use std::{cell::RefCell, collections::BTreeMap, ops::ControlFlow, rc::Rc};

use headwater_core::{Result, StoreReader};

use crate::task::{CommitStep, StoreChangeVisitor};

/// The committed rows, and over them those changed since the last commit.
pub(crate) struct OrderedRows {
    name: String,
    base: Rc<dyn StoreReader>,
    changed: RefCell<BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
}

impl OrderedRows {
    pub(crate) fn new(name: &str, base: Rc<dyn StoreReader>) -> Self {
        Self { name: name.to_owned(), base, changed: RefCell::default() }
    }

    /// Sets the row of `key`; `None` deletes it.
    pub(crate) fn put(&self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.changed.borrow_mut().insert(key, value);
    }

    /// Up to `limit` rows whose keys are at or above `from` and below `to`, in their order.
    pub(crate) fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let changed = self.changed.borrow();
        let mut over = changed.range(from.to_vec()..to.to_vec()).peekable();
        let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut take = |key: &[u8], value: Option<&[u8]>| {
            if let Some(value) = value {
                found.push((key.to_vec(), value.to_vec()));
            }
            found.len() < limit
        };
        let mut full = false;
        self.base.range(from, Some(to), &mut |key, value| {
            while let Some((changed, row)) = over.next_if(|(changed, _)| changed.as_slice() < key) {
                if !take(changed, row.as_deref()) {
                    full = true;
                    return ControlFlow::Break(());
                }
            }
            let row = match over.next_if(|(changed, _)| changed.as_slice() == key) {
                Some((_, row)) => row.as_deref(),
                None => Some(value),
            };
            full = !take(key, row);
            if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        while !full && let Some((changed, row)) = over.next() {
            full = !take(changed, row.as_deref());
        }
        Ok(found)
    }
}

impl CommitStep for OrderedRows {
    fn changes(&self, visit: &mut StoreChangeVisitor<'_>) -> Result<()> {
        self.changed.borrow().iter().try_for_each(|(key, value)| visit(&self.name, key, value.as_deref()))
    }

    fn committed(&self) {
        self.changed.borrow_mut().clear();
    }

    fn dirty_rows(&self) -> usize {
        self.changed.borrow().len()
    }
}

#[cfg(test)]
mod tests {
    use headwater_core::MemoryStore;

    use super::*;

    #[test]
    fn a_range_shows_what_was_changed_over_what_was_committed() {
        let mut base = MemoryStore::new();
        for key in ["a", "b", "d", "f"] {
            base.write(key.as_bytes(), Some(b"old"));
        }
        let rows = OrderedRows::new("rows", Rc::new(base));
        for (key, value) in [("b", None), ("c", Some("new")), ("d", Some("new")), ("e", None), ("g", Some("new"))] {
            rows.put(key.into(), value.map(Into::into));
        }
        let range = |from: &str, to: &str, limit| {
            let found = rows.range(from.as_bytes(), to.as_bytes(), limit).unwrap();
            let text = |(key, value)| String::from_utf8(key).unwrap() + "=" + &String::from_utf8(value).unwrap();
            found.into_iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(range("a", "z", 9), ["a=old", "c=new", "d=new", "f=old", "g=new"]);
        assert_eq!(range("a", "z", 2), ["a=old", "c=new"]);
        assert_eq!(range("b", "f", 9), ["c=new", "d=new"]);
    }
}
