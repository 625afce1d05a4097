//! Looking into a driver's stores.

mod session;
mod versioned;
mod window;

use std::{ops::ControlFlow, rc::Rc, sync::Arc};

use headwater_core::{Error, Payload, Result, Serde, StoreReader, Timestamp};
use headwater_dsl::{Data, Materialized, StoreKind, TIMED_ROWS, decode_row};

pub use session::TestSessionStore;
pub use versioned::TestVersionedStore;
pub use window::TestWindowStore;

use super::{TopologyTestDriver, driver::unknown, env::SharedStore};

/// A row's key and value.
type StoredRow = (Vec<u8>, Vec<u8>);

/// The bytes of a store, of all tasks that have one of its name.
struct Rows<'a> {
    name: String,
    kind: StoreKind,
    parts: Vec<&'a Rc<SharedStore>>,
}

impl TopologyTestDriver {
    /// How many entries a store has, committed, in all tasks: one per row, and one per row in the index by time of a
    /// store that has one. For tests of what is forgotten.
    ///
    /// # Errors
    /// `HW0120` if the topology has no such store.
    pub fn store_entries(&self, store: &str) -> Result<usize> {
        Ok(self.store_bytes(store)?.len())
    }

    /// The committed entries of a store as they are stored, key and value in bytes, task by task in the order of the keys.
    /// For tests of what must be the same to the byte, whatever it ran on.
    ///
    /// # Errors
    /// `HW0120` if the topology has no such store.
    pub fn store_bytes(&self, store: &str) -> Result<Vec<StoredRow>> {
        Rows::new(self, store)?.range(&[], None)
    }
}

impl<'a> Rows<'a> {
    fn new(driver: &'a TopologyTestDriver, name: &str) -> Result<Self> {
        let plan = driver.around.topology.plan();
        let Some(kind) = plan.stores.get(name).map(|store| store.kind) else {
            let known: Vec<_> = plan.stores.keys().map(String::as_str).collect();
            return Err(unknown("store", name, "keeps", &known));
        };
        let parts = driver.tasks.iter().filter_map(|task| task.store(name)).collect();
        Ok(Self { name: name.to_owned(), kind, parts })
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        for part in &self.parts {
            if let Some(row) = part.get(key)? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Every row, task by task, in key order.
    fn all(&self) -> Result<Vec<StoredRow>> {
        let (from, to) = TIMED_ROWS;
        if self.is_timed() { self.range(from, Some(to)) } else { self.range(&[], None) }
    }

    /// Whether its rows lie by key and then by time.
    fn is_timed(&self) -> bool {
        matches!(self.kind, StoreKind::Session | StoreKind::Timed)
    }

    /// The rows with `from <= key < to`, task by task, in key order.
    fn range(&self, from: &[u8], to: Option<&[u8]>) -> Result<Vec<StoredRow>> {
        let mut rows = Vec::new();
        for part in &self.parts {
            part.range(from, to, &mut |key, value| {
                rows.push((key.to_vec(), value.to_vec()));
                ControlFlow::Continue(())
            })?;
        }
        Ok(rows)
    }

    fn decode<V: 'static>(&self, values: &dyn Serde<V>, row: &[u8]) -> Result<(Timestamp, V)> {
        let (timestamp, value) = decode_row(row).ok_or_else(|| self.damaged())?;
        Ok((timestamp, self.decode_value(values, value)?))
    }

    fn decode_value<V: 'static>(&self, values: &dyn Serde<V>, value: &[u8]) -> Result<V> {
        let what = format!("a value of store {}", self.name);
        values.decode(Some(value)).map_err(|error| error.while_decoding(&what))
    }

    fn decode_key<K: 'static>(&self, keys: &dyn Serde<K>, key: &[u8]) -> Result<K> {
        keys.decode(Some(key)).map_err(|error| error.while_decoding(&format!("a key of store {}", self.name)))
    }

    fn damaged(&self) -> Error {
        Error::new(headwater_core::ErrorKind::State, "HW0205", format!("a row of store {} cannot be read", self.name))
            .help(
                "read a windowed store with window_store, one of sessions with session_store, one with history with \
                 versioned_store, any other with store",
            )
    }
}

/// The rows of a store without windows; see [`TopologyTestDriver::store`].
pub struct TestStore<'a, K, V> {
    rows: Rows<'a>,
    keys: Arc<dyn Serde<K>>,
    values: Arc<dyn Serde<V>>,
}

impl<K, V> std::fmt::Debug for TestStore<'_, K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestStore").field("name", &self.rows.name).finish_non_exhaustive()
    }
}

impl<'a, K: Data, V: Data> TestStore<'a, K, V> {
    pub(super) fn new(driver: &'a TopologyTestDriver, store: &Materialized<K, V>) -> Result<Self> {
        let (keys, values) = store.serdes();
        Ok(Self { rows: Rows::new(driver, store.name())?, keys, values })
    }

    /// The value of `key`, if it has a row.
    ///
    /// # Errors
    /// If the row is not of this type.
    pub fn get(&self, key: &K) -> Result<Option<V>> {
        Ok(self.get_with_timestamp(key)?.map(|(value, _)| value))
    }

    /// The value of `key` and the time of the row.
    ///
    /// # Errors
    /// As [`TestStore::get`].
    pub fn get_with_timestamp(&self, key: &K) -> Result<Option<(V, Timestamp)>> {
        let Some(key) = encoded(&*self.keys, key)? else { return Ok(None) };
        let Some(row) = self.rows.get(&key)? else { return Ok(None) };
        let (timestamp, value) = self.rows.decode(&*self.values, &row)?;
        Ok(Some((value, timestamp)))
    }

    /// All rows: task by task, in the order of the keys' bytes.
    ///
    /// # Errors
    /// As [`TestStore::get`].
    pub fn all(&self) -> Result<Vec<(K, V)>> {
        self.typed(&self.rows.all()?)
    }

    /// The rows from `from` to `to`, both included: task by task, in the order of the keys' bytes.
    ///
    /// # Errors
    /// As [`TestStore::get`].
    pub fn range(&self, from: &K, to: &K) -> Result<Vec<(K, V)>> {
        let (Some(from), Some(to)) = (encoded(&*self.keys, from)?, encoded(&*self.keys, to)?) else {
            return Ok(Vec::new());
        };
        // The least key above `to`.
        let end = [to.as_slice(), &[0]].concat();
        self.typed(&self.rows.range(&from, Some(&end))?)
    }

    /// The rows whose keys' bytes begin with `prefix`: task by task, in the order of the keys' bytes.
    ///
    /// # Errors
    /// As [`TestStore::get`].
    pub fn prefix(&self, prefix: &[u8]) -> Result<Vec<(K, V)>> {
        let mut rows = self.rows.range(prefix, None)?;
        rows.retain(|(key, _)| key.starts_with(prefix));
        self.typed(&rows)
    }

    fn typed(&self, rows: &[StoredRow]) -> Result<Vec<(K, V)>> {
        let typed = rows
            .iter()
            .map(|(key, row)| Ok((self.rows.decode_key(&*self.keys, key)?, self.rows.decode(&*self.values, row)?.1)));
        typed.collect()
    }
}

/// A key's bytes; `None` for a null key, which has no row.
fn encoded<K: 'static>(keys: &dyn Serde<K>, key: &K) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let payload = keys.encode(key, &mut bytes).map_err(|error| error.while_encoding("the key"))?;
    Ok((payload == Payload::Bytes).then_some(bytes))
}
