//! Looking into a driver's stores.

use std::{ops::ControlFlow, rc::Rc, sync::Arc};

use headwater_core::{Error, Payload, Result, Serde, StoreReader, Timestamp};
use headwater_dsl::{
    Data, Materialized, StoreKind, TIMED_ROWS, TimedKey, Windowed, decode_row, decode_timed_key, decode_window_key,
    encode_timed_key, encode_window_key,
};

use super::{TopologyTestDriver, driver::unknown, env::SharedStore};

/// A row's key and value.
pub(super) type StoredRow = (Vec<u8>, Vec<u8>);

/// The bytes of a store, of all tasks that have one of its name.
pub(super) struct Rows<'a> {
    pub(super) name: String,
    kind: StoreKind,
    parts: Vec<&'a Rc<SharedStore>>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(driver: &'a TopologyTestDriver, name: &str) -> Result<Self> {
        let plan = driver.around.topology.plan();
        let Some(kind) = plan.stores.get(name).map(|store| store.kind) else {
            let known: Vec<_> = plan.stores.keys().map(String::as_str).collect();
            return Err(unknown("store", name, "keeps", &known));
        };
        let parts = driver.tasks.iter().filter_map(|task| task.store(name)).collect();
        Ok(Self { name: name.to_owned(), kind, parts })
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        for part in &self.parts {
            if let Some(row) = part.get(key)? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Every row, task by task, in key order.
    pub(super) fn all(&self) -> Result<Vec<StoredRow>> {
        self.is_timed()
            .then_some(TIMED_ROWS)
            .map_or_else(|| self.range(&[], None), |(from, to)| self.range(from, Some(to)))
    }

    /// Whether its rows lie by key and then by time.
    pub(super) fn is_timed(&self) -> bool {
        matches!(self.kind, StoreKind::Session | StoreKind::Timed)
    }

    /// The rows with `from <= key < to`, task by task, in key order.
    pub(super) fn range(&self, from: &[u8], to: Option<&[u8]>) -> Result<Vec<StoredRow>> {
        let mut rows = Vec::new();
        for part in &self.parts {
            part.range(from, to, &mut |key, value| {
                rows.push((key.to_vec(), value.to_vec()));
                ControlFlow::Continue(())
            })?;
        }
        Ok(rows)
    }

    pub(super) fn decode<V: 'static>(&self, values: &dyn Serde<V>, row: &[u8]) -> Result<(Timestamp, V)> {
        let (timestamp, value) = decode_row(row).ok_or_else(|| self.damaged())?;
        let what = format!("a value of store {}", self.name);
        Ok((timestamp, values.decode(Some(value)).map_err(|error| error.while_decoding(&what))?))
    }

    pub(super) fn decode_key<K: 'static>(&self, keys: &dyn Serde<K>, key: &[u8]) -> Result<K> {
        keys.decode(Some(key)).map_err(|error| error.while_decoding(&format!("a key of store {}", self.name)))
    }

    pub(super) fn damaged(&self) -> Error {
        Error::new(headwater_core::ErrorKind::State, "HW0205", format!("a row of store {} cannot be read", self.name))
            .help("a windowed store is read with window_store, any other with store")
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
        let rows = self.rows.all()?;
        let typed = rows
            .iter()
            .map(|(key, row)| Ok((self.rows.decode_key(&*self.keys, key)?, self.rows.decode(&*self.values, row)?.1)));
        typed.collect()
    }
}

/// The rows of a windowed store; see [`TopologyTestDriver::window_store`].
pub struct TestWindowStore<'a, K, V> {
    rows: Rows<'a>,
    keys: Arc<dyn Serde<K>>,
    values: Arc<dyn Serde<V>>,
    size_ms: i64,
}

impl<K, V> std::fmt::Debug for TestWindowStore<'_, K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestWindowStore").field("name", &self.rows.name).finish_non_exhaustive()
    }
}

impl<'a, K: Data, V: Data> TestWindowStore<'a, K, V> {
    pub(super) fn new(driver: &'a TopologyTestDriver, store: &Materialized<K, V>) -> Result<Self> {
        let rows = Rows::new(driver, store.name())?;
        let length = driver.around.topology.plan().window_length_ms(store.name());
        let size_ms = length.ok_or_else(|| rows.damaged())?;
        let (keys, values) = store.serdes();
        Ok(Self { rows, keys, values, size_ms })
    }

    /// The value of `key` in the window that starts at `start`, if it has a row.
    ///
    /// # Errors
    /// If the row is not of this type.
    pub fn get(&self, key: &K, start: Timestamp) -> Result<Option<V>> {
        let Some(key) = encoded(&*self.keys, key)? else { return Ok(None) };
        let row = match self.rows.is_timed() {
            true => encode_timed_key(TimedKey { key: &key, time: start, sub: 0 }),
            false => encode_window_key(start, &key),
        };
        let Some(row) = self.rows.get(&row)? else { return Ok(None) };
        Ok(Some(self.rows.decode(&*self.values, &row)?.1))
    }

    /// All rows: task by task, in the order of (window start, key's bytes).
    ///
    /// # Errors
    /// As [`TestWindowStore::get`].
    pub fn all(&self) -> Result<Vec<(Windowed<K>, V)>> {
        self.fetch_all(Timestamp::MIN, Timestamp::MAX)
    }

    /// The values of `key` in the windows that start from `from` to `to`, both included, in the order of their starts.
    ///
    /// # Errors
    /// As [`TestWindowStore::get`].
    pub fn fetch(&self, key: &K, from: Timestamp, to: Timestamp) -> Result<Vec<(Timestamp, V)>> {
        let Some(key) = encoded(&*self.keys, key)? else { return Ok(Vec::new()) };
        let mut rows = self.starting(from, to)?;
        rows.retain(|row| row.key == key);
        Ok(self.typed(rows)?.into_iter().map(|(windowed, value)| (windowed.start, value)).collect())
    }

    /// The rows of all keys in the windows that start from `from` to `to`, both included: task by task, in the order of
    /// (window start, key's bytes).
    ///
    /// # Errors
    /// As [`TestWindowStore::get`].
    pub fn fetch_all(&self, from: Timestamp, to: Timestamp) -> Result<Vec<(Windowed<K>, V)>> {
        self.typed(self.starting(from, to)?)
    }

    fn starting(&self, from: Timestamp, to: Timestamp) -> Result<Vec<WindowRow>> {
        let mut rows = Vec::new();
        for (key, value) in self.rows.all()? {
            let (start, key) = match self.rows.is_timed() {
                true => decode_timed_key(&key).map(|row| (row.time, row.key)),
                false => decode_window_key(&key).map(|(start, key)| (start, key.to_vec())),
            }
            .ok_or_else(|| self.rows.damaged())?;
            rows.push(WindowRow { start, key, value });
        }
        rows.retain(|row| (from..=to).contains(&row.start));
        if self.rows.is_timed() {
            rows.sort_by(|a, b| (a.start, &a.key).cmp(&(b.start, &b.key)));
        }
        Ok(rows)
    }

    fn typed(&self, rows: Vec<WindowRow>) -> Result<Vec<(Windowed<K>, V)>> {
        let typed = rows.into_iter().map(|row| {
            let (start, end) = (row.start, row.start.saturating_add(self.size_ms));
            let key = self.rows.decode_key(&*self.keys, &row.key)?;
            Ok((Windowed { key, start, end }, self.rows.decode(&*self.values, &row.value)?.1))
        });
        typed.collect()
    }
}

/// A row of a windowed store, in bytes.
struct WindowRow {
    start: Timestamp,
    key: Vec<u8>,
    value: Vec<u8>,
}

/// A key's bytes; `None` for a null key, which has no row.
pub(super) fn encoded<K: 'static>(keys: &dyn Serde<K>, key: &K) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let payload = keys.encode(key, &mut bytes).map_err(|error| error.while_encoding("the key"))?;
    Ok((payload == Payload::Bytes).then_some(bytes))
}
