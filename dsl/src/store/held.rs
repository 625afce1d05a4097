//! Changes held back, in the order in which they will be sent: by time, then by the key's bytes. All of them are in
//! memory; the changelog has those that changed since the last commit, so a restart finds them again.
//!
//! A row's key is the time's 8 bytes and the key's own. Its value is the head of every row (the time of the last
//! change), that change's headers, then the change: both values in the form of a grouped table's change.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    ops::ControlFlow,
    sync::Arc,
};

use headwater_core::{Headers, Result, StoreReader, Timestamp};

use super::{
    layout::{decode_row, decode_window_key, encode_row_head, encode_window_key},
    serdes::{StoreSerdes, cut_short, damaged},
};
use crate::{
    bounds::Data,
    kgrouped_table::ChangeSerde,
    task::{CommitStep, StoreChangeVisitor},
    wire::{Change, Meta},
};

/// What one row in memory costs beside its bytes, about: its place in two indexes.
const ROW_OVERHEAD: usize = 64;

/// A change that is held back: the last one of its row, with the value from before the first.
pub(crate) struct Held<K, V> {
    pub(crate) key: K,
    pub(crate) change: Change<V>,
    pub(crate) timestamp: Timestamp,
    pub(crate) headers: Headers,
    size: usize,
}

/// Where a change waits.
type Place = (Timestamp, Arc<[u8]>);

struct State<K, V> {
    rows: BTreeMap<Place, Held<K, V>>,
    /// The time at which each key waits; only ever looked up.
    times: HashMap<Arc<[u8]>, Timestamp>,
    /// Places changed since the last commit, and whether the committed store has them.
    touched: BTreeMap<Place, bool>,
    bytes: usize,
}

/// The changes held back by one step.
pub(crate) struct HeldStore<K, V> {
    name: String,
    serdes: StoreSerdes<K, Change<V>>,
    /// Whether sizes are asked for, so that each change must be encoded as it comes.
    sized: bool,
    state: RefCell<State<K, V>>,
}

impl<K: Data, V: Data> HeldStore<K, V> {
    /// The changes that `base` has. `sized` if [`HeldStore::bytes`] will be asked.
    pub(crate) fn open(name: &str, serdes: StoreSerdes<K, V>, base: &dyn StoreReader, sized: bool) -> Result<Self> {
        let state = State { rows: BTreeMap::new(), times: HashMap::new(), touched: BTreeMap::new(), bytes: 0 };
        let serdes = StoreSerdes { keys: serdes.keys, values: ChangeSerde::of(serdes.values) };
        let store = Self { name: name.to_owned(), serdes, sized, state: RefCell::new(state) };
        let mut stored = Vec::new();
        base.range(&[], None, &mut |key, value| {
            stored.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })?;
        for (key, value) in stored {
            let (time, key) = decode_window_key(&key).ok_or_else(|| damaged(name, &"it has no time"))?;
            let held = store.decode(key, &value)?;
            store.insert((time, key.into()), held);
        }
        Ok(store)
    }

    /// Holds a change back until `time`, or as long as the change of the same key that already waits. Returns false if
    /// the key is null.
    pub(crate) fn hold(&self, key: K, time: Timestamp, meta: Meta<'_>, change: Change<V>) -> Result<bool> {
        let Some(bytes) = self.serdes.key_bytes(&self.name, &key)? else { return Ok(false) };
        let waiting = self.state.borrow().times.get_key_value(bytes.as_slice()).map(|(key, time)| (*time, key.clone()));
        let known = waiting.is_some();
        let place = waiting.unwrap_or_else(|| (time, bytes.into()));
        let mut held = Held { key, change, timestamp: meta.timestamp, headers: meta.headers.clone(), size: 0 };
        if known {
            // The value from before the first change is the one that was sent last.
            let before = self.state.borrow_mut().rows.remove(&place);
            if let Some(before) = before {
                self.state.borrow_mut().bytes -= before.size;
                held.change.old = before.change.old;
            }
        }
        if self.sized {
            let mut encoded = Vec::new();
            self.encode(&held, &mut encoded)?;
            held.size = encoded.len() + place.1.len() + ROW_OVERHEAD;
        }
        self.state.borrow_mut().touched.entry(place.clone()).or_insert(known);
        self.insert(place, held);
        Ok(true)
    }

    fn insert(&self, place: Place, held: Held<K, V>) {
        let mut state = self.state.borrow_mut();
        state.bytes += held.size;
        state.times.insert(place.1.clone(), place.0);
        state.rows.insert(place, held);
    }

    /// When the first change is due.
    pub(crate) fn first_time(&self) -> Option<Timestamp> {
        self.state.borrow().rows.first_key_value().map(|(place, _)| place.0)
    }

    /// When the last change is due.
    pub(crate) fn last_time(&self) -> Option<Timestamp> {
        self.state.borrow().rows.last_key_value().map(|(place, _)| place.0)
    }

    /// Takes the first change out.
    pub(crate) fn take_first(&self) -> Option<Held<K, V>> {
        let mut state = self.state.borrow_mut();
        let (place, held) = state.rows.pop_first()?;
        state.bytes -= held.size;
        state.times.remove(&place.1);
        if state.touched.get(&place) == Some(&false) {
            state.touched.remove(&place);
        } else {
            state.touched.insert(place, true);
        }
        Some(held)
    }

    /// The value from before the change of `key` that waits, as downstream knows it; `None` if none waits.
    pub(crate) fn value_before(&self, key: &K) -> Result<Option<Option<V>>> {
        let Some(bytes) = self.serdes.key_bytes(&self.name, key)? else { return Ok(None) };
        let state = self.state.borrow();
        let place = state.times.get_key_value(bytes.as_slice()).map(|(key, time)| (*time, key.clone()));
        Ok(place.and_then(|place| state.rows.get(&place)).map(|held| held.change.old.clone()))
    }

    /// How many changes wait.
    pub(crate) fn len(&self) -> usize {
        self.state.borrow().rows.len()
    }

    /// How many bytes they take, about.
    pub(crate) fn bytes(&self) -> usize {
        self.state.borrow().bytes
    }

    fn encode(&self, held: &Held<K, V>, out: &mut Vec<u8>) -> Result<()> {
        encode_row_head(held.timestamp, out);
        held.headers.encode(out);
        self.serdes.encode_value(&self.name, &held.change, out).map(drop)
    }

    fn decode(&self, key: &[u8], row: &[u8]) -> Result<Held<K, V>> {
        let cut = || cut_short(&self.name);
        let (timestamp, mut rest) = decode_row(row).ok_or_else(cut)?;
        let headers = Headers::decode(&mut rest).ok_or_else(cut)?;
        let change = self.serdes.decode_value(&self.name, rest)?;
        let typed = self.serdes.decode_key(&self.name, key)?;
        let size = if self.sized { row.len() + key.len() + ROW_OVERHEAD } else { 0 };
        Ok(Held { key: typed, change, timestamp, headers, size })
    }
}

impl<K: Data, V: Data> CommitStep for HeldStore<K, V> {
    fn changes(&self, visit: &mut StoreChangeVisitor<'_>) -> Result<()> {
        let state = self.state.borrow();
        let mut row = Vec::new();
        for place in state.touched.keys() {
            let key = encode_window_key(place.0, &place.1);
            let Some(held) = state.rows.get(place) else {
                visit(&self.name, &key, None)?;
                continue;
            };
            row.clear();
            self.encode(held, &mut row)?;
            visit(&self.name, &key, Some(&row))?;
        }
        Ok(())
    }

    fn committed(&self) {
        self.state.borrow_mut().touched.clear();
    }

    fn dirty_rows(&self) -> usize {
        self.state.borrow().touched.len()
    }
}
