//! A run of records of one partition in one block of bytes: what logs store, what consumers hand out, what
//! producers take. Records are read in place; nothing is copied until it enters state.
//!
//! Format 1: `version u8 = 1 | count u32 | last offset delta u32 | base timestamp i64 | max timestamp i64` (little
//! endian), then per record `offset delta varint | timestamp delta zigzag | key length + 1 | key | value length + 1 |
//! value | headers`, where a length field of 0 is a null.

use bytes::Bytes;

use crate::{Error, ErrorKind, Headers, Offset, Result, Timestamp, varint::*};

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 25;

/// One record, borrowed from its batch.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordRef<'a> {
    /// The record's offset in its partition.
    pub offset: Offset,
    /// Event time in milliseconds; negative if the producer gave none.
    pub timestamp: Timestamp,
    /// The key's bytes, `None` for a null key.
    pub key: Option<&'a [u8]>,
    /// The value's bytes, `None` for a null value (a tombstone).
    pub value: Option<&'a [u8]>,
    /// The record's headers.
    pub headers: Headers,
}

/// Collects records into the bytes of a batch.
#[derive(Debug, Clone, Default)]
pub struct BatchBuilder {
    bytes: Vec<u8>,
    count: u32,
    last_offset_delta: u32,
    base_timestamp: Timestamp,
    max_timestamp: Timestamp,
}

impl BatchBuilder {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a record at the next offset.
    pub fn push(&mut self, timestamp: Timestamp, key: Option<&[u8]>, value: Option<&[u8]>, headers: &Headers) {
        let delta = if self.count == 0 { 0 } else { self.last_offset_delta + 1 };
        self.push_at(delta, timestamp, key, value, headers);
    }

    /// Appends a record `offset_delta` after the batch's base offset. Deltas must rise; a log with gaps
    /// (transaction markers, compaction) uses this.
    pub fn push_at(
        &mut self,
        offset_delta: u32,
        timestamp: Timestamp,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &Headers,
    ) {
        debug_assert!(self.count == 0 || offset_delta > self.last_offset_delta, "offsets rise");
        if self.bytes.is_empty() {
            self.bytes.resize(HEADER_BYTES, 0);
            self.base_timestamp = timestamp;
            self.max_timestamp = timestamp;
        }
        self.count += 1;
        self.last_offset_delta = offset_delta;
        self.max_timestamp = self.max_timestamp.max(timestamp);
        put_varint(&mut self.bytes, u64::from(offset_delta));
        put_zigzag(&mut self.bytes, timestamp.wrapping_sub(self.base_timestamp));
        for part in [key, value] {
            match part {
                None => put_varint(&mut self.bytes, 0),
                Some(part) => {
                    put_varint(&mut self.bytes, part.len() as u64 + 1);
                    self.bytes.extend_from_slice(part);
                }
            }
        }
        headers.encode(&mut self.bytes);
    }

    /// How many records it holds.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many bytes the batch takes so far.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes the batch out, leaving the builder empty; `None` if it held no record. The base offset is 0 until a
    /// log assigns one.
    pub fn take(&mut self) -> Option<RecordBatch> {
        if self.is_empty() {
            return None;
        }
        let mut this = std::mem::take(self);
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.push(VERSION);
        header.extend_from_slice(&this.count.to_le_bytes());
        header.extend_from_slice(&this.last_offset_delta.to_le_bytes());
        header.extend_from_slice(&this.base_timestamp.to_le_bytes());
        header.extend_from_slice(&this.max_timestamp.to_le_bytes());
        for (slot, byte) in this.bytes.iter_mut().zip(header) {
            *slot = byte;
        }
        Some(RecordBatch {
            base_offset: 0,
            count: this.count,
            last_offset_delta: this.last_offset_delta,
            base_timestamp: this.base_timestamp,
            max_timestamp: this.max_timestamp,
            bytes: Bytes::from(this.bytes),
        })
    }
}

/// A run of records of one partition, in offset order. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RecordBatch {
    base_offset: Offset,
    count: u32,
    last_offset_delta: u32,
    base_timestamp: Timestamp,
    max_timestamp: Timestamp,
    bytes: Bytes,
}

impl RecordBatch {
    /// Reads the header of a stored batch.
    ///
    /// # Errors
    /// `HW0201` if the bytes are not a batch of a known version.
    pub fn parse(base_offset: Offset, bytes: Bytes) -> Result<Self> {
        let header = Header::read(&bytes).ok_or_else(|| malformed("its header is not that of a batch"))?;
        Ok(Self {
            base_offset,
            count: header.count,
            last_offset_delta: header.last_offset_delta,
            base_timestamp: header.base_timestamp,
            max_timestamp: header.max_timestamp,
            bytes,
        })
    }

    /// The same records, counted from `base_offset`.
    #[must_use]
    pub fn at(mut self, base_offset: Offset) -> Self {
        self.base_offset = base_offset;
        self
    }

    /// The first record's offset if no record before it was removed.
    pub fn base_offset(&self) -> Offset {
        self.base_offset
    }

    /// One past the last record's offset.
    pub fn next_offset(&self) -> Offset {
        self.base_offset + Offset::from(self.last_offset_delta) + 1
    }

    /// How many records it holds; at least one.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Never: a batch holds at least one record.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The greatest timestamp in it.
    pub fn max_timestamp(&self) -> Timestamp {
        self.max_timestamp
    }

    /// The stored form.
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Where the first record starts, for [`RecordBatch::read_at`].
    pub fn start(&self) -> usize {
        HEADER_BYTES
    }

    /// The record at byte `position` and the position after it; `None` at the end.
    ///
    /// # Errors
    /// `HW0201` if the bytes there are not a record.
    #[inline]
    pub fn read_at(&self, position: usize) -> Result<Option<(RecordRef<'_>, usize)>> {
        let mut input = self.bytes.get(position..).unwrap_or_default();
        if input.is_empty() {
            return Ok(None);
        }
        let record = self.read_record(&mut input).ok_or_else(|| malformed("a record in it is cut short"))?;
        Ok(Some((record, self.bytes.len() - input.len())))
    }

    /// The records in order.
    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter { batch: self, position: HEADER_BYTES }
    }

    #[inline]
    fn read_record<'a>(&self, input: &mut &'a [u8]) -> Option<RecordRef<'a>> {
        let offset_delta = get_varint(input)?;
        let timestamp = self.base_timestamp.wrapping_add(get_zigzag(input)?);
        let key = read_part(input)?;
        let value = read_part(input)?;
        let headers = Headers::decode(input)?;
        let offset = self.base_offset.checked_add_unsigned(offset_delta)?;
        Some(RecordRef { offset, timestamp, key, value, headers })
    }
}

impl<'a> IntoIterator for &'a RecordBatch {
    type Item = Result<RecordRef<'a>>;
    type IntoIter = RecordIter<'a>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterates over the records of a batch.
#[derive(Debug, Clone)]
pub struct RecordIter<'a> {
    batch: &'a RecordBatch,
    position: usize,
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<RecordRef<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.batch.read_at(self.position) {
            Ok(Some((record, next))) => {
                self.position = next;
                Some(Ok(record))
            }
            Ok(None) => None,
            Err(error) => {
                self.position = usize::MAX;
                Some(Err(error))
            }
        }
    }
}

struct Header {
    count: u32,
    last_offset_delta: u32,
    base_timestamp: Timestamp,
    max_timestamp: Timestamp,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (&version, rest) = bytes.split_first()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (last_offset_delta, rest) = rest.split_first_chunk()?;
        let (base_timestamp, rest) = rest.split_first_chunk()?;
        let (max_timestamp, _) = rest.split_first_chunk()?;
        (version == VERSION).then(|| Self {
            count: u32::from_le_bytes(*count),
            last_offset_delta: u32::from_le_bytes(*last_offset_delta),
            base_timestamp: i64::from_le_bytes(*base_timestamp),
            max_timestamp: i64::from_le_bytes(*max_timestamp),
        })
    }
}

#[inline]
fn read_part<'a>(input: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match get_varint(input)? {
        0 => Some(None),
        n => {
            let (part, rest) = input.split_at_checked(usize::try_from(n - 1).ok()?)?;
            *input = rest;
            Some(Some(part))
        }
    }
}

#[cold]
fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::State, "HW0201", format!("a stored record batch is damaged: {what}"))
        .help("the log's files were changed or the disk is failing; restore them from a copy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_went_in() {
        let mut headers = Headers::new();
        headers.push("h", None);
        headers.push("h", Some(Bytes::from_static(&[0, 255])));
        let mut builder = BatchBuilder::new();
        builder.push(100, Some(b"k"), None, &headers);
        builder.push(50, None, Some(b""), &Headers::new());
        builder.push_at(9, i64::MAX, Some(b""), Some(b"v"), &Headers::new());
        let batch = builder.take().unwrap().at(1_000);
        assert!(builder.is_empty() && builder.take().is_none());
        let batch = RecordBatch::parse(1_000, batch.as_bytes().clone()).unwrap();
        let records: Vec<_> = batch.iter().map(Result::unwrap).collect();
        assert_eq!(batch.next_offset(), 1_010);
        assert_eq!(batch.max_timestamp(), i64::MAX);
        assert_eq!(records[0], RecordRef { offset: 1_000, timestamp: 100, key: Some(b"k"), value: None, headers });
        assert_eq!(records[1].key, None);
        assert_eq!(records[1].value, Some(b"".as_slice()));
        assert_eq!((records[2].offset, records[2].timestamp), (1_009, i64::MAX));
    }

    #[test]
    fn damage_is_reported_not_read_past() {
        let mut builder = BatchBuilder::new();
        builder.push(1, Some(b"key"), Some(b"value"), &Headers::new());
        let bytes = builder.take().unwrap().as_bytes().clone();
        for cut in 0..bytes.len() {
            let read =
                RecordBatch::parse(0, bytes.slice(..cut)).map(|b| b.iter().all(|r| r.is_ok()) && b.iter().count() == 1);
            assert!(!read.unwrap_or(false), "cut at {cut}");
        }
    }
}
