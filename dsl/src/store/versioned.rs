//! A store with history: every version of a row with the time from which it holds.
//!
//! A row's key is `key's length varint | key | time` with the time's bits turned round, so that a key's versions are
//! together, the newest first, and the version that holds at a moment is the first of a range. A row's value is the head
//! of every row, `1` and the value or `0` for a deletion.

use std::{cell::RefCell, collections::BTreeMap, ops::ControlFlow, rc::Rc};

use headwater_core::{Payload, Result, StoreReader, Timestamp, put_varint};

use super::{
    emission::Emission,
    layout::{decode_row, encode_row_head, start_bound},
    serdes::{StoreSerdes, cut_short},
};
use crate::{
    bounds::Data,
    task::{CommitStep, Slot, StoreChangeVisitor, TaskContext},
    wire::{Change, Meta, TableView},
};

/// A version: the time from which it holds, and its value; `None` is a deletion.
type Version<V> = (Timestamp, Option<V>);

/// A row that waits for the commit.
enum Pending<V> {
    Set(Version<V>),
    /// It is so old that nobody may ask for it any more.
    Gone,
}

/// All versions of a table's rows that are not older than its history.
pub(crate) struct VersionedStore<K, V> {
    name: String,
    serdes: StoreSerdes<K, V>,
    base: Rc<dyn StoreReader>,
    history_ms: i64,
    /// The greatest time of any version.
    observed: Slot,
    /// What is older than the history: dropped.
    late: Slot,
    context: Rc<TaskContext>,
    pending: RefCell<BTreeMap<Vec<u8>, Pending<V>>>,
    emission: Option<Emission<K, V>>,
}

impl<K: Data, V: Data> VersionedStore<K, V> {
    pub(crate) fn new(
        name: &str,
        serdes: StoreSerdes<K, V>,
        base: Rc<dyn StoreReader>,
        history_ms: i64,
        context: Rc<TaskContext>,
        emission: Option<Emission<K, V>>,
    ) -> Result<Self> {
        let observed = context.memo.slot(&format!("versions/{name}"), Timestamp::MIN)?;
        let late = context.memo.slot(&format!("late:{name}"), 0)?;
        let pending = RefCell::default();
        Ok(Self { name: name.to_owned(), serdes, base, history_ms, observed, late, context, pending, emission })
    }

    /// The oldest moment that may be asked for.
    fn horizon(&self) -> Timestamp {
        self.observed.get().saturating_sub(self.history_ms)
    }

    /// Adds a version that holds from `meta`'s time, or replaces the one of just that time. One that is older than the
    /// history is dropped and counted. Returns false if the key is null.
    pub(crate) fn put(&self, key: K, meta: Meta<'_>, value: Option<V>) -> Result<bool> {
        let Some(prefix) = self.prefix(&key)? else { return Ok(false) };
        let from = meta.timestamp;
        if from < self.horizon() {
            self.late.increment();
            return Ok(true);
        }
        self.observed.set(self.observed.get().max(from));
        let latest = self.holding_at(&prefix, Timestamp::MAX)?;
        let sent = self.emission.as_ref().map(|emission| (emission, value.clone()));
        self.pending.borrow_mut().insert(encode_version_key(&prefix, from), Pending::Set((from, value)));
        self.prune(&prefix)?;
        let Some((emission, new)) = sent else { return Ok(true) };
        let of_the_past = latest.as_ref().is_some_and(|(newest, _)| *newest > from);
        let old = latest.and_then(|(_, value)| value).filter(|_| emission.with_old);
        let before = self.context.of_the_past.replace(of_the_past);
        let pushed = emission.to.push(meta, key, Change { new, old });
        self.context.of_the_past.set(before);
        pushed.map(|()| true)
    }

    /// Forgets what nobody may ask for any more: all versions but one of those from before the horizon, and that one too
    /// if it is a deletion.
    fn prune(&self, prefix: &[u8]) -> Result<()> {
        let mut old = self.versions_from(prefix, self.horizon())?.into_iter().peekable();
        if old.peek().is_some_and(|(_, value)| value.is_some()) {
            old.next();
        }
        let mut pending = self.pending.borrow_mut();
        for (from, _) in old {
            pending.insert(encode_version_key(prefix, from), Pending::Gone);
        }
        Ok(())
    }

    /// The version that holds at `at`.
    fn holding_at(&self, prefix: &[u8], at: Timestamp) -> Result<Option<Version<V>>> {
        let (from, to) = (encode_version_key(prefix, at), encode_version_key(prefix, Timestamp::MIN));
        let pending = self.pending.borrow();
        let mut waiting = pending.range(from.clone()..=to.clone()).filter_map(|(_, row)| match row {
            Pending::Set(version) => Some(version),
            Pending::Gone => None,
        });
        let waiting = waiting.next();
        let mut stored = None;
        self.visit_stored(&from, &to, |key, value| {
            if pending.contains_key(key) {
                return ControlFlow::Continue(());
            }
            stored = Some(value.to_vec());
            ControlFlow::Break(())
        })?;
        let stored = stored.map(|row| self.decode(&row)).transpose()?;
        Ok(match (waiting, stored) {
            (Some(waiting), Some(stored)) if stored.0 > waiting.0 => Some(stored),
            (Some(waiting), _) => Some(waiting.clone()),
            (None, stored) => stored,
        })
    }

    /// The version that holds at `at` and all older ones, the newest first.
    fn versions_from(&self, prefix: &[u8], at: Timestamp) -> Result<Vec<Version<V>>> {
        let (from, to) = (encode_version_key(prefix, at), encode_version_key(prefix, Timestamp::MIN));
        let mut versions = Vec::new();
        let pending = self.pending.borrow();
        let mut stored: Vec<Vec<u8>> = Vec::new();
        self.visit_stored(&from, &to, |key, value| {
            if !pending.contains_key(key) {
                stored.push(value.to_vec());
            }
            ControlFlow::Continue(())
        })?;
        for row in stored {
            versions.push(self.decode(&row)?);
        }
        versions.extend(pending.range(from..=to).filter_map(|(_, row)| match row {
            Pending::Set(version) => Some(version.clone()),
            Pending::Gone => None,
        }));
        versions.sort_by_key(|(from, _)| std::cmp::Reverse(*from));
        Ok(versions)
    }

    /// Visits the committed rows from `from` to `last`, both included.
    fn visit_stored(
        &self,
        from: &[u8],
        last: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        let end = [last, &[0]].concat();
        self.base.range(from, Some(&end), &mut visit)
    }

    /// What all versions of `key` begin with; `None` if the key is null.
    fn prefix(&self, key: &K) -> Result<Option<Vec<u8>>> {
        Ok(self.serdes.key_bytes(&self.name, key)?.map(|bytes| version_prefix(&bytes)))
    }

    fn decode(&self, row: &[u8]) -> Result<Version<V>> {
        let (from, value) = decode_version(row).ok_or_else(|| cut_short(&self.name))?;
        Ok((from, value.map(|value| self.serdes.decode_value(&self.name, value)).transpose()?))
    }
}

impl<K: Data, V: Data> TableView<K, V> for VersionedStore<K, V> {
    fn get(&self, key: &K) -> Result<Option<(V, Timestamp)>> {
        let Some(prefix) = self.prefix(key)? else { return Ok(None) };
        Ok(self.holding_at(&prefix, Timestamp::MAX)?.and_then(|(from, value)| Some((value?, from))))
    }

    fn get_as_of(&self, key: &K, at: Timestamp) -> Result<Option<(V, Timestamp)>> {
        let Some(prefix) = self.prefix(key)? else { return Ok(None) };
        let found = self.holding_at(&prefix, at)?;
        // Before the horizon only the latest version is known for sure: it holds since then.
        if at < self.horizon() {
            let latest = self.holding_at(&prefix, Timestamp::MAX)?.map(|(from, _)| from);
            if latest != found.as_ref().map(|(from, _)| *from) {
                return Ok(None);
            }
        }
        Ok(found.and_then(|(from, value)| Some((value?, from))))
    }
}

impl<K: Data, V: Data> CommitStep for VersionedStore<K, V> {
    fn changes(&self, visit: &mut StoreChangeVisitor<'_>) -> Result<()> {
        let mut row = Vec::new();
        for (key, pending) in self.pending.borrow().iter() {
            let Pending::Set((from, value)) = pending else {
                visit(&self.name, key, None)?;
                continue;
            };
            row.clear();
            encode_row_head(*from, &mut row);
            let at = row.len();
            row.push(0);
            if let Some(value) = value {
                let payload = self.serdes.encode_value(&self.name, value, &mut row)?;
                if let Some(flag) = row.get_mut(at) {
                    *flag = u8::from(payload == Payload::Bytes);
                }
            }
            visit(&self.name, key, Some(&row))?;
        }
        Ok(())
    }

    fn committed(&self) {
        self.pending.borrow_mut().clear();
    }

    fn dirty_rows(&self) -> usize {
        self.pending.borrow().len()
    }
}

/// What the keys of all versions of the row under `key` begin with.
pub fn version_prefix(key: &[u8]) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(key.len() + 10);
    put_varint(&mut prefix, key.len() as u64);
    prefix.extend_from_slice(key);
    prefix
}

/// The key of the version that holds from `from` on, of the row that `prefix` is of: the newest version comes first.
pub fn encode_version_key(prefix: &[u8], from: Timestamp) -> Vec<u8> {
    [prefix, &start_bound(!from)].concat()
}

/// The time from which a stored version holds, and its value in the store's format, `None` for a deletion; `None` if
/// the bytes are no version.
pub fn decode_version(row: &[u8]) -> Option<(Timestamp, Option<&[u8]>)> {
    let (from, rest) = decode_row(row)?;
    match rest.split_first()? {
        (0, []) => Some((from, None)),
        (1, value) => Some((from, Some(value))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_of_a_key_are_together_the_newest_first() {
        let at = |key: &str, from| encode_version_key(&version_prefix(key.as_bytes()), from);
        let keys = [at("b", i64::MAX), at("b", 7), at("b", -7), at("b", i64::MIN), at("aa", 5), at("aa", 4)];
        assert!(keys.is_sorted());
    }

    #[test]
    fn a_version_of_another_format_is_none() {
        let mut row = Vec::new();
        encode_row_head(5, &mut row);
        assert_eq!(decode_version(&row), None);
        row.push(0);
        assert_eq!(decode_version(&row), Some((5, None)));
        row.push(b'x');
        assert_eq!(decode_version(&row), None);
        row[9] = 1;
        assert_eq!(decode_version(&row), Some((5, Some(b"x".as_slice()))));
    }
}
