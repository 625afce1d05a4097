//! Reading a store row by row, as processors do.

use std::{hash::Hash, ops::ControlFlow};

use headwater_core::{Error, ErrorKind, Headers, Result, Timestamp};

use super::{KvStore, handle::null_key};
use crate::{bounds::Data, wire::Meta};

/// Rows that one range may return: they are all in memory.
const ROWS_AT_MOST: usize = 1_000_000;

/// A row as it was when it was read.
#[derive(Debug)]
pub(crate) struct Scanned<K, V> {
    pub(crate) key: K,
    pub(crate) value: V,
}

impl<K: Data + Hash + Eq, V: Data> KvStore<K, V> {
    /// Sets or deletes the row of `key`.
    pub(crate) fn put(&self, key: K, value: Option<V>, timestamp: Timestamp) -> Result<()> {
        let known = self.replace(key, Meta { timestamp, headers: &Headers::new() }, value)?;
        if known { Ok(()) } else { Err(null_key(&self.name)) }
    }

    /// The rows whose encoded keys lie at or above `from` and below `to`, in key order: those committed with the changes
    /// since then over them. At most `limit` of them; without a limit, more than a million are an error.
    pub(crate) fn scan(&self, from: &[u8], to: Option<&[u8]>, limit: Option<usize>) -> Result<Vec<Scanned<K, V>>> {
        let limit_or_one_too_many = limit.unwrap_or(ROWS_AT_MOST + 1);
        let changed = self.changed_within(from, to)?;
        let buffer = self.buffer.borrow();
        let mut changed = changed.into_iter().peekable();
        let mut rows = Vec::new();
        let take_changed = |at: usize, rows: &mut Vec<Scanned<K, V>>| {
            let Some(row) = buffer.row(at) else { return };
            if let Some(value) = row.value.clone() {
                rows.push(Scanned { key: row.key.clone(), value });
            }
        };
        let mut failure = None;
        self.base.range(from, to, &mut |key, stored| {
            while let Some((_, at)) = changed.next_if(|(changed, _)| changed.as_slice() < key) {
                take_changed(at, &mut rows);
            }
            match changed.next_if(|(changed, _)| changed.as_slice() == key) {
                Some((_, at)) => take_changed(at, &mut rows),
                None => match self.decode_stored(key, stored) {
                    Ok(row) => rows.push(row),
                    Err(error) => failure = Some(error),
                },
            }
            if failure.is_some() || rows.len() >= limit_or_one_too_many {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        if let Some(error) = failure {
            return Err(error);
        }
        for (_, at) in changed {
            take_changed(at, &mut rows);
        }
        rows.truncate(limit_or_one_too_many);
        if limit.is_none() {
            check_count(&self.name, rows.len())?;
        }
        Ok(rows)
    }

    /// The keys and places of the rows in memory that differ from those committed, in key order.
    fn changed_within(&self, from: &[u8], to: Option<&[u8]>) -> Result<Vec<(Vec<u8>, usize)>> {
        let buffer = self.buffer.borrow();
        let mut found = Vec::new();
        for (at, row) in buffer.changed() {
            let mut key = Vec::new();
            self.serdes.encode_key(&self.name, &row.key, &mut key)?;
            if key.as_slice() >= from && to.is_none_or(|to| key.as_slice() < to) {
                found.push((key, at));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    fn decode_stored(&self, key: &[u8], stored: &[u8]) -> Result<Scanned<K, V>> {
        let (key, (_, value)) = (self.serdes.decode_key(&self.name, key)?, self.serdes.decode_row(&self.name, stored)?);
        Ok(Scanned { key, value })
    }
}

/// Whether a range may return so many rows.
pub(super) fn check_count(store: &str, rows: usize) -> Result<()> {
    if rows <= ROWS_AT_MOST {
        return Ok(());
    }
    let what = format!("a range of store {store} has more than {ROWS_AT_MOST} rows");
    Err(Error::new(ErrorKind::User, "HW0245", what)
        .help("read it in parts: first(range, limit), then on from the last key; or shorter spans of time"))
}
