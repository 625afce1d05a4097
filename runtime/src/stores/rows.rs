//! The bytes of a store, in all its tasks.

use std::sync::Arc;

use headwater_core::{Error, ErrorKind, Result, StoreCursor, StoredRow, TaskId, partition_for_key};
use headwater_dsl::{StoreKind, TimedKey, before_kept, encode_timed_key, kept};

use super::{
    errors,
    iter::{Walk, plainly},
};

/// The stores of the tasks of one application.
pub(crate) trait Parts: Send + Sync {
    /// How many tasks `subtopology` has.
    fn tasks(&self, subtopology: u32) -> i32;

    /// Whether `task` is in this process, if only to be restored.
    fn has(&self, task: TaskId) -> bool;

    /// The committed row of `key` in `task`'s part of `store`.
    fn get(&self, task: TaskId, store: &str, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Walks through the committed rows from `from` to before `to` in `task`'s part of `store`.
    fn cursor(&self, task: TaskId, store: &str, from: &[u8], to: Option<&[u8]>) -> Result<Box<dyn StoreCursor>>;
}

/// A store's bytes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Rows {
    parts: Arc<dyn Parts>,
    name: Arc<str>,
    kind: StoreKind,
    subtopology: u32,
    /// Whether a key's own bytes say in which of them its row is.
    by_key: bool,
    local_only: bool,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("store", &self.name).finish_non_exhaustive()
    }
}

impl Rows {
    pub(super) fn new(parts: Arc<dyn Parts>, name: &str, kind: StoreKind, subtopology: u32, by_key: bool) -> Self {
        Self { parts, name: name.into(), kind, subtopology, by_key, local_only: false }
    }

    pub(super) fn of_local_tasks(self) -> Self {
        Self { local_only: true, ..self }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn kind(&self) -> StoreKind {
        self.kind
    }

    /// The tasks to ask: for `key`'s own bytes, or for all rows.
    fn tasks(&self, key: Option<&[u8]>) -> impl Iterator<Item = TaskId> {
        let tasks = self.parts.tasks(self.subtopology);
        let own = key.filter(|_| self.by_key && tasks > 0).map(|key| partition_for_key(key, tasks));
        let partitions = own.map_or(0..tasks, |own| own..own + 1);
        let all = partitions.map(|partition| TaskId { subtopology: self.subtopology, partition });
        all.filter(|task| !self.local_only || self.parts.has(*task))
    }

    /// The row under `stored`, which is the row of the key whose own bytes are `key`.
    pub(super) fn get(&self, key: &[u8], stored: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut unasked = None;
        for task in self.tasks(Some(key)) {
            match self.parts.get(task, &self.name, stored) {
                Ok(Some(row)) => return Ok(Some(row)),
                Ok(None) => {}
                // It may be in a task that can be asked.
                Err(error) if error.kind() == ErrorKind::Unavailable => unasked = Some(error),
                Err(error) => return Err(error),
            }
        }
        unasked.map_or(Ok(None), Err)
    }

    /// The row of a timed store at this place, also if it has closed and is kept.
    pub(super) fn get_timed(&self, place: TimedKey<&[u8]>) -> Result<Option<Vec<u8>>> {
        let stored = encode_timed_key(place);
        match self.get(place.key, &stored)? {
            Some(row) => Ok(Some(row)),
            None => self.get(place.key, &kept(stored)),
        }
    }

    /// The rows from `from` to before `to`, task by task; of one key, if `key` is given.
    pub(super) fn walks(&self, key: Option<&[u8]>, from: &[u8], to: Option<&[u8]>) -> Result<Vec<Walk>> {
        Ok(self.cursors(key, from, to)?.into_iter().map(plainly).collect())
    }

    pub(super) fn cursors(
        &self,
        key: Option<&[u8]>,
        from: &[u8],
        to: Option<&[u8]>,
    ) -> Result<Vec<Box<dyn StoreCursor>>> {
        self.tasks(key).map(|task| self.parts.cursor(task, &self.name, from, to)).collect()
    }

    /// The rows of a timed store from `from` to before `to`, task by task: those that its step works with, and those that
    /// have closed and are kept. Both bounds are keys of the former.
    pub(super) fn timed_walks(&self, key: Option<&[u8]>, from: &[u8], to: &[u8]) -> Result<Vec<Walk>> {
        let mut walks = self.walks(key, from, Some(to))?;
        for mut cursor in self.cursors(key, &kept(from.to_vec()), Some(&kept(to.to_vec())))? {
            walks.push(Box::new(move || Ok(cursor.next()?.map(|(key, row)| (before_kept(key), row)))));
        }
        Ok(walks)
    }

    /// Every entry as it is stored, rows and entries of indexes, task by task.
    pub(crate) fn entries(&self) -> Result<Vec<StoredRow>> {
        let mut entries = Vec::new();
        for mut walk in self.walks(None, &[], None)? {
            while let Some(entry) = walk()? {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    pub(super) fn damaged(&self) -> Error {
        errors::damaged(&self.name)
    }
}

/// The least bytes above all that begin with `prefix`; `None` if there are none.
pub(super) fn end_of_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let (mut end, _) = prefix.split_at_checked(last + 1).map(|(start, rest)| (start.to_vec(), rest))?;
    if let Some(byte) = end.last_mut() {
        *byte += 1;
    }
    Some(end)
}

/// The least bytes above `key`.
pub(super) fn just_above(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_nothing_begins_with_it_any_more() {
        assert_eq!(end_of_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(end_of_prefix(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(end_of_prefix(b"\xff"), None);
        assert_eq!(end_of_prefix(b""), None);
    }
}
