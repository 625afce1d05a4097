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
    fn new(value: i64) -> Self {
        Self(Rc::new(Cell::new(value)))
    }

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
pub struct Memo(RefCell<Vec<Number>>);

/// A number, in the order of the hashes.
#[derive(Debug)]
struct Number {
    hash: u32,
    /// Its name; `None` as long as no step of this topology has asked for it.
    name: Option<String>,
    slot: Slot,
}

impl Memo {
    /// A memo that starts from what was committed: numbers by the hash of their name.
    pub fn new(committed: BTreeMap<u32, i64>) -> Self {
        let number = |(hash, value)| Number { hash, name: None, slot: Slot::new(value) };
        Self(RefCell::new(committed.into_iter().map(number).collect()))
    }

    /// The slot called `name`: its committed number, or `default`.
    pub(crate) fn slot(&self, name: &str, default: i64) -> Result<Slot> {
        let mut numbers = self.0.borrow_mut();
        let hash = headwater_core::murmur2(name.as_bytes());
        let at = numbers.partition_point(|number| number.hash < hash);
        let Some(number) = numbers.get_mut(at).filter(|number| number.hash == hash) else {
            let slot = Slot::new(default);
            numbers.insert(at, Number { hash, name: Some(name.to_owned()), slot: slot.clone() });
            return Ok(slot);
        };
        let owner = number.name.get_or_insert_with(|| name.to_owned());
        if owner == name {
            return Ok(number.slot.clone());
        }
        Err(Error::new(ErrorKind::Topology, "HW0113", format!("the names {owner:?} and {name:?} have equal hashes"))
            .help("rename one of the two steps"))
    }

    /// Puts all numbers, by the hash of their name, in place of what is in `values`, to be committed. Numbers that no step
    /// of this topology uses are kept.
    pub fn copy_to(&self, values: &mut Vec<(u32, i64)>) {
        values.clear();
        values.extend(self.0.borrow().iter().map(|number| (number.hash, number.slot.get())));
    }

    /// The numbers with names, for reports. Counters are `what:where`, such as `rule:flight-rules/tailnum-known`; times
    /// are `what/where`.
    pub fn named(&self) -> BTreeMap<String, i64> {
        let numbers = self.0.borrow();
        numbers.iter().filter_map(|number| Some((number.name.clone()?, number.slot.get()))).collect()
    }
}
