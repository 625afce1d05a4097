//! Iterators over the rows of all tasks of a store.

use headwater_core::{Result, StoreCursor, StoredRow};

use super::Rows;

/// The rows of one task, in the order of their keys. What stands as a row's key is what the tasks are merged by.
pub(super) type Walk = Box<dyn FnMut() -> Result<Option<StoredRow>> + Send>;

/// The rows of a cursor as they are.
pub(super) fn plainly(mut cursor: Box<dyn StoreCursor>) -> Walk {
    Box::new(move || cursor.next())
}

/// The rows of several tasks, merged by key.
pub(super) struct Merged(Vec<Head>);

/// A task's next row.
struct Head {
    walk: Walk,
    next: Option<StoredRow>,
}

impl Merged {
    pub(super) fn new(walks: Vec<Walk>) -> Result<Self> {
        let heads = walks.into_iter().map(|mut walk| {
            let next = walk()?;
            Ok(Head { walk, next })
        });
        Ok(Self(heads.collect::<Result<_>>()?))
    }

    pub(super) fn next(&mut self) -> Result<Option<StoredRow>> {
        // Few tasks share a process, so a scan finds the least as fast as a heap would.
        let heads = self.0.iter().enumerate().filter_map(|(at, head)| Some((head.next.as_ref()?.0.as_slice(), at)));
        let least = heads.min().map(|(_, at)| at);
        let Some(head) = least.and_then(|at| self.0.get_mut(at)) else { return Ok(None) };
        let after = (head.walk)()?;
        Ok(std::mem::replace(&mut head.next, after))
    }
}

/// What a row is to the reader; `None` if it is not among those asked for.
type Decode<T> = Box<dyn FnMut(&StoredRow) -> Result<Option<T>> + Send>;

/// Rows of a store, read one by one as they are asked for: at most one row per task is in memory. All rows of a task are
/// those of one commit, that of the moment the iterator was made.
///
/// It holds on to that version (RocksDB keeps its files and buffers; a store in memory is copied by the next commit), so
/// drop it when done. If a task leaves the process meanwhile, the next row is an error of kind `Unavailable` (`HW0651`).
/// After an error there are no more rows.
pub struct StoreRows<T> {
    rows: Rows,
    merged: Merged,
    decode: Decode<T>,
    ended: bool,
}

impl<T> StoreRows<T> {
    pub(super) fn new(
        rows: &Rows,
        walks: Vec<Walk>,
        decode: impl FnMut(&StoredRow) -> Result<Option<T>> + Send + 'static,
    ) -> Result<Self> {
        Ok(Self { rows: rows.clone(), merged: Merged::new(walks)?, decode: Box::new(decode), ended: false })
    }

    fn advance(&mut self) -> Result<Option<T>> {
        while let Some(row) = self.merged.next()? {
            if let Some(item) = (self.decode)(&row)? {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }
}

impl<T> Iterator for StoreRows<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        if self.ended {
            return None;
        }
        let next = self.advance().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

impl<T> std::fmt::Debug for StoreRows<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreRows").field("rows", &self.rows).field("ended", &self.ended).finish_non_exhaustive()
    }
}
