#![doc = include_str!("lib.md")]

mod catalog;
mod cells;
mod columns;
mod descriptor;
mod durable;
mod engine;
mod failpoint;
mod fault;
mod iceberg_sink;
mod parquet_format;
mod parquet_sink;
mod partition;
mod rows;
mod storage;

#[doc(hidden)]
pub use failpoint::{Fault as FailpointFault, set_hook as set_failpoint_hook};

pub use columns::{ColumnType, Columns};
pub use headwater_core::{
    CommitPosition, Descriptor, LineageRange, Sink, SinkCommitter, SinkContext, SinkRecord, SinkSpec, SinkWriter,
    Table, TableRow,
};
pub use iceberg_sink::IcebergSink;
pub use parquet_sink::ParquetSink;
pub use partition::{PartitionBy, day};
pub use rows::RowBuffer;
