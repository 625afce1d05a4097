use std::sync::Arc;

use headwater_core::{Headers, Offset, Timestamp};

/// A record as it arrives, for [`Consumed::timestamp_by`](crate::Consumed::timestamp_by).
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a, K, V> {
    /// The key.
    pub key: &'a K,
    /// The value.
    pub value: &'a V,
    /// The headers.
    pub headers: &'a Headers,
    /// The timestamp that the record has in its topic; negative if none.
    pub timestamp: Timestamp,
    /// The greatest event time taken from the record's partition before it; `None` for the first record.
    pub partition_time: Option<Timestamp>,
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: Offset,
}

/// What happens to a record whose event time is negative, that is, unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NegativeTime {
    /// It is dropped and counted (`negative-timestamp:<topic>`). Default.
    #[default]
    Drop,
    /// The program stops with an error that names the record (`HW0248`); nothing is skipped.
    Fail,
    /// It gets the greatest time taken from its partition before it; without one the program stops (`HW0248`).
    PartitionTime,
}

/// Reads the event time from a record's key and value.
pub(crate) type FromContent<K, V> = Arc<dyn Fn(&K, &V) -> Timestamp + Send + Sync>;
/// Works the event time out from all that is known of a record.
pub(crate) type FromArrival<K, V> = Arc<dyn Fn(Arrival<'_, K, V>) -> Timestamp + Send + Sync>;

/// Where a record's event time comes from.
pub(crate) enum EventTime<K, V> {
    /// Its timestamp in the topic.
    Recorded,
    /// The run's clock when it is read.
    WallClock,
    Content(FromContent<K, V>),
    Arrival(FromArrival<K, V>),
}

impl<K, V> EventTime<K, V> {
    /// Whether the record need not be decoded for it.
    pub(crate) fn is_recorded(&self) -> bool {
        matches!(self, Self::Recorded)
    }
}
