//! What one commit changes: rows and positions, gathered without an allocation per row.

use headwater_core::{Offset, TopicPartition};

/// Rows and positions that [`TaskStore::apply`](crate::TaskStore::apply) changes together.
///
/// Later changes of the same row win. [`clear`](Self::clear) keeps the memory for the next commit.
///
/// ```
/// use headwater_state::StoreChanges;
///
/// let mut changes = StoreChanges::new();
/// changes.put("counts", b"EWR", b"7");
/// changes.delete("counts", b"JFK");
/// assert_eq!(changes.len(), 2);
/// ```
#[derive(Debug, Clone, Default)]
pub struct StoreChanges {
    stores: Vec<String>,
    rows: Vec<Place>,
    bytes: Vec<u8>,
    positions: Vec<(TopicPartition, Offset)>,
}

/// Where a row's key and value lie in the arena; the key begins where the row before it ends.
#[derive(Debug, Clone, Copy)]
struct Place {
    store: usize,
    key_end: usize,
    value_end: Option<usize>,
}

/// One changed row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// The store's name.
    pub store: &'a str,
    /// The row's key.
    pub key: &'a [u8],
    /// Its new value, or `None` to delete it.
    pub value: Option<&'a [u8]>,
}

impl StoreChanges {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a row.
    pub fn put(&mut self, store: &str, key: &[u8], value: &[u8]) {
        self.row(store, key, Some(value));
    }

    /// Deletes a row; one that is not there is no error.
    pub fn delete(&mut self, store: &str, key: &[u8]) {
        self.row(store, key, None);
    }

    /// Sets a row, or deletes it if `value` is `None`.
    pub fn row(&mut self, store: &str, key: &[u8], value: Option<&[u8]>) {
        let store = self.store_index(store);
        self.bytes.extend_from_slice(key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(value.unwrap_or_default());
        self.rows.push(Place { store, key_end, value_end: value.map(|_| self.bytes.len()) });
    }

    /// Sets the position of a partition: the offset of the next record to read.
    pub fn position(&mut self, partition: TopicPartition, offset: Offset) {
        self.positions.push((partition, offset));
    }

    /// How many rows and positions change.
    pub fn len(&self) -> usize {
        self.rows.len() + self.positions.len()
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of all keys and values.
    pub fn size_in_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets all changes and keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.bytes.clear();
        self.positions.clear();
    }

    /// The changed rows in the order they were given.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let mut start = 0;
        self.rows.iter().map(move |place| {
            let key = self.bytes.get(start..place.key_end).unwrap_or_default();
            let value = place.value_end.map(|end| self.bytes.get(place.key_end..end).unwrap_or_default());
            start = place.value_end.unwrap_or(place.key_end);
            Row { store: self.stores.get(place.store).map_or("", String::as_str), key, value }
        })
    }

    /// The changed positions in the order they were given.
    pub fn positions(&self) -> impl Iterator<Item = (&TopicPartition, Offset)> {
        self.positions.iter().map(|(partition, offset)| (partition, *offset))
    }

    /// The stores' names by the index that [`Self::indexed_rows`] gives; some may have no row any more.
    pub(crate) fn store_names(&self) -> &[String] {
        &self.stores
    }

    /// As [`Self::rows`], with the store's index.
    pub(crate) fn indexed_rows(&self) -> impl Iterator<Item = (usize, Row<'_>)> {
        self.rows.iter().map(|place| place.store).zip(self.rows())
    }

    /// The rows by store's index and key, of each row only the last change.
    pub(crate) fn sorted_rows(&self) -> Vec<(usize, Row<'_>)> {
        let mut rows: Vec<_> = self.indexed_rows().collect();
        rows.sort_by(|(a_store, a), (b_store, b)| (a_store, a.key).cmp(&(b_store, b.key)));
        rows.dedup_by(|later, earlier| {
            let same = (later.0, later.1.key) == (earlier.0, earlier.1.key);
            if same {
                *earlier = *later;
            }
            same
        });
        rows
    }

    fn store_index(&mut self, store: &str) -> usize {
        // A task has few stores, and a commit writes them one after the other: the last one is the likely one.
        let last = self.rows.last().map(|place| place.store);
        if let Some(last) = last
            && self.stores.get(last).is_some_and(|name| name == store)
        {
            return last;
        }
        self.stores.iter().position(|name| name == store).unwrap_or_else(|| {
            self.stores.push(store.to_owned());
            self.stores.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_in_order_also_after_clear() {
        let mut changes = StoreChanges::new();
        for round in 0..2 {
            changes.put("a", b"k", b"");
            changes.delete("b", b"");
            changes.put("a", b"", b"v");
            changes.position(TopicPartition::new("t", 1), round);
            let rows: Vec<_> = changes.rows().collect();
            assert_eq!(
                rows,
                [
                    Row { store: "a", key: b"k", value: Some(b"") },
                    Row { store: "b", key: b"", value: None },
                    Row { store: "a", key: b"", value: Some(b"v") },
                ]
            );
            assert_eq!(changes.positions().collect::<Vec<_>>(), [(&TopicPartition::new("t", 1), round)]);
            assert_eq!((changes.len(), changes.size_in_bytes()), (4, 2));
            changes.clear();
            assert!(changes.is_empty());
            assert_eq!(changes.rows().count(), 0);
        }
    }

    #[test]
    fn sorted_rows_are_the_last_changes_by_store_and_key() {
        let mut changes = StoreChanges::new();
        changes.put("z", b"b", b"1");
        changes.put("a", b"k", b"2");
        changes.put("z", b"a", b"3");
        changes.delete("z", b"b");
        changes.put("a", b"k", b"4");
        let rows: Vec<_> = changes.sorted_rows().into_iter().map(|(_, row)| (row.store, row.key, row.value)).collect();
        let row = |store, key, value: Option<&'static str>| (store, str::as_bytes(key), value.map(str::as_bytes));
        assert_eq!(rows, [row("z", "a", Some("3")), row("z", "b", None), row("a", "k", Some("4"))]);
    }
}
