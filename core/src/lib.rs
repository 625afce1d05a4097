//! The words every part of Headwater shares: records and their batches, headers, time, ids, serdes, errors,
//! and the two borders that other crates implement — byte stores and sinks.
//!
//! This crate does no IO and knows no runtime. It depends on serde, bytes and thiserror only.

mod batch;
mod clock;
mod error;
mod headers;
mod ids;
mod partition;
pub mod serde;
mod sink;
mod store;
mod varint;

pub use batch::{BatchBuilder, RecordBatch, RecordIter, RecordRef};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp, days, format_timestamp, hours, minutes, seconds};
pub use error::{Context, Error, ErrorKind, Result};
pub use headers::{Header, Headers};
pub use ids::{Offset, TaskId, TopicPartition, check_name};
pub use partition::{murmur2, partition_for_key};
pub use serde::{Payload, Serde, SerdeError};
pub use sink::{
    CommitPosition, Descriptor, LineageRange, Sink, SinkCommitter, SinkContext, SinkRecord, SinkSpec, SinkWriter,
    Table, TableRow,
};
pub use store::{MemoryCursor, MemoryStore, RangeVisitor, StoreCursor, StoreReader, StoredRow};
pub use varint::{get_varint, get_zigzag, put_varint, put_zigzag};
