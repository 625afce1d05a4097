//! Rows that have left what a step works with and stay for a while to be looked up. They lie beside the others, out of the
//! step's way: what it makes of a record must not depend on how long its user wants to read old rows.

use std::{cell::RefCell, collections::BTreeMap, ops::ControlFlow};

use headwater_core::{Result, StoreReader, Timestamp};

use crate::{
    store::layout::{
        KEPT_ROWS, TIME_ENTRY, TimedKey, before_kept, decode_time_entry, encode_time_entry, encode_timed_key, kept,
        time_entry_bound,
    },
    task::StoreChangeVisitor,
};

/// A store's kept rows: in the committed store, and what has changed since the last commit.
#[derive(Default)]
pub(super) struct Kept(RefCell<BTreeMap<Vec<u8>, Option<Vec<u8>>>>);

impl Kept {
    /// Keeps a row.
    pub(super) fn keep(&self, key: TimedKey<&[u8]>, row: Vec<u8>) {
        let mut changed = self.0.borrow_mut();
        changed.insert(kept(encode_timed_key(key)), Some(row));
        changed.insert(kept(encode_time_entry(key)), Some(TIME_ENTRY.to_vec()));
    }

    /// Forgets the rows up to `time`, that time included, as far as they are committed.
    pub(super) fn forget_until(&self, base: &dyn StoreReader, time: Timestamp) -> Result<()> {
        let Some(end) = time.checked_add(1) else { return Ok(()) };
        let mut changed = self.0.borrow_mut();
        base.range(KEPT_ROWS.1, Some(&kept(time_entry_bound(end))), &mut |entry, _| {
            let before = before_kept(entry.to_vec());
            if let Some(key) = decode_time_entry(&before) {
                changed.insert(kept(encode_timed_key(key)), None);
            }
            changed.insert(entry.to_vec(), None);
            ControlFlow::Continue(())
        })
    }

    /// The kept row of `key`.
    pub(super) fn get(&self, base: &dyn StoreReader, key: TimedKey<&[u8]>) -> Result<Option<Vec<u8>>> {
        let key = kept(encode_timed_key(key));
        match self.0.borrow().get(&key) {
            Some(changed) => Ok(changed.clone()),
            None => base.get(&key),
        }
    }

    pub(super) fn changes(&self, store: &str, visit: &mut StoreChangeVisitor<'_>) -> Result<()> {
        self.0.borrow().iter().try_for_each(|(key, row)| visit(store, key, row.as_deref()))
    }

    pub(super) fn committed(&self) {
        self.0.borrow_mut().clear();
    }

    pub(super) fn dirty_rows(&self) -> usize {
        self.0.borrow().len()
    }
}
