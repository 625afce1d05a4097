//! The numbers a task must not forget: times of its partitions and upstreams, closed windows, counters. They are
//! committed with the input offsets (as the offset's metadata), so they always agree with them.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use headwater_core::{Error, ErrorKind, Result};

/// One number of the memo.
#[derive(Debug, Clone)]
pub(crate) struct Slot(Rc<Cell<i64>>);

impl Slot {
    #[inline]
    pub(crate) fn get(&self) -> i64 {
        self.0.get()
    }

    #[inline]
    pub(crate) fn set(&self, value: i64) {
        self.0.set(value);
    }

    /// Counts one more.
    #[inline]
    pub(crate) fn increment(&self) {
        self.0.set(self.0.get() + 1);
    }
}

/// The memo of one task: numbers by name. Names are kept as 32-bit hashes, so that it fits an offset's metadata.
#[derive(Debug, Default)]
pub struct Memo {
    committed: BTreeMap<u32, i64>,
    slots: RefCell<BTreeMap<u32, (String, Slot)>>,
}

impl Memo {
    /// A memo that starts from what was committed.
    pub fn new(committed: BTreeMap<u32, i64>) -> Self {
        Self { committed, slots: RefCell::default() }
    }

    /// The slot called `name`: its committed number, or `default`.
    pub(crate) fn slot(&self, name: &str, default: i64) -> Result<Slot> {
        let hash = headwater_core::murmur2(name.as_bytes());
        let mut slots = self.slots.borrow_mut();
        let (owner, slot) = slots.entry(hash).or_insert_with(|| {
            let value = self.committed.get(&hash).copied().unwrap_or(default);
            (name.to_owned(), Slot(Rc::new(Cell::new(value))))
        });
        if owner == name {
            return Ok(slot.clone());
        }
        Err(Error::new(ErrorKind::Topology, "HW0113", format!("the names {owner:?} and {name:?} have equal hashes"))
            .help("rename one of the two steps"))
    }

    /// All numbers by the hash of their name, to be committed. Numbers that no step of this topology uses are kept.
    pub fn values(&self) -> BTreeMap<u32, i64> {
        let mut values = self.committed.clone();
        values.extend(self.slots.borrow().iter().map(|(hash, (_, slot))| (*hash, slot.get())));
        values
    }

    /// The numbers with names, for reports. Counters are `what:where`, such as `rule:flight-rules/tailnum-known`; times
    /// are `what/where`.
    pub fn named(&self) -> BTreeMap<String, i64> {
        self.slots.borrow().values().map(|(name, slot)| (name.clone(), slot.get())).collect()
    }
}
