//! Records as processors see them.

use headwater_core::{Headers, Timestamp};

static NO_HEADERS: Headers = Headers::new();

/// A record that a [`Processor`](crate::Processor) gets or forwards.
///
/// ```
/// use headwater::prelude::*;
///
/// let record = Record::new("k", 7, 1_000).with_value("seven");
/// assert_eq!((record.key, record.value, record.timestamp), ("k", "seven", 1_000));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a, K, V> {
    /// The key.
    pub key: K,
    /// The value.
    pub value: V,
    /// The event time in milliseconds since 1970; at least 0 when it is forwarded.
    pub timestamp: Timestamp,
    /// The headers, borrowed from the batch the record came in.
    pub headers: &'a Headers,
}

impl<K, V> Record<'static, K, V> {
    /// A record without headers: what a timer forwards.
    pub fn new(key: K, value: V, timestamp: Timestamp) -> Self {
        Self { key, value, timestamp, headers: &NO_HEADERS }
    }
}

impl<'a, K, V> Record<'a, K, V> {
    /// The same record under another key.
    pub fn with_key<K2>(self, key: K2) -> Record<'a, K2, V> {
        Record { key, value: self.value, timestamp: self.timestamp, headers: self.headers }
    }

    /// The same record with another value.
    pub fn with_value<V2>(self, value: V2) -> Record<'a, K, V2> {
        Record { key: self.key, value, timestamp: self.timestamp, headers: self.headers }
    }

    /// The same record at another time.
    #[must_use]
    pub fn with_timestamp(self, timestamp: Timestamp) -> Self {
        Self { timestamp, ..self }
    }

    /// The same record with other headers.
    pub fn with_headers<'b>(self, headers: &'b Headers) -> Record<'b, K, V> {
        Record { key: self.key, value: self.value, timestamp: self.timestamp, headers }
    }
}

/// A record whose key cannot be changed: what a [`FixedKeyProcessor`](crate::FixedKeyProcessor) gets and forwards. It
/// can be made of another such record only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedKeyRecord<'a, K, V> {
    pub(super) key: K,
    /// The value.
    pub value: V,
    /// The event time in milliseconds since 1970; at least 0 when it is forwarded.
    pub timestamp: Timestamp,
    /// The headers, borrowed from the batch the record came in.
    pub headers: &'a Headers,
}

impl<'a, K, V> FixedKeyRecord<'a, K, V> {
    /// The key.
    pub fn key(&self) -> &K {
        &self.key
    }

    /// The same record with another value.
    pub fn with_value<V2>(self, value: V2) -> FixedKeyRecord<'a, K, V2> {
        FixedKeyRecord { key: self.key, value, timestamp: self.timestamp, headers: self.headers }
    }

    /// The same record at another time.
    #[must_use]
    pub fn with_timestamp(self, timestamp: Timestamp) -> Self {
        Self { timestamp, ..self }
    }

    /// The same record with other headers.
    pub fn with_headers<'b>(self, headers: &'b Headers) -> FixedKeyRecord<'b, K, V> {
        FixedKeyRecord { key: self.key, value: self.value, timestamp: self.timestamp, headers }
    }
}
