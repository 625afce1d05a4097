//! The Iceberg sink: a table of the lake, appended to exactly once.

mod committer;
mod describe;
mod files;
mod read;
mod writer;

use std::sync::Arc;

use headwater_core::{Result, Sink, SinkCommitter, SinkContext, SinkRecord, SinkSpec, SinkWriter, Table};
use serde::Serialize;

use crate::{
    Columns, PartitionBy,
    engine::{Engine, Owner},
    rows::{PutRows, RowBuffer},
};

/// How large a data file may grow before the next one is begun. Default: 128 MiB.
const DEFAULT_ROLL_BYTES: u64 = 128 * 1024 * 1024;

/// Appends rows to an Iceberg table, each exactly once.
///
/// The table (format version 2, Parquet with zstd) is registered in the SQLite catalog `catalog.db` of the lake
/// directory under the catalog name `lake`, where pyiceberg, Spark and others find it. It is created when missing;
/// an existing one must fit. Each commit of the program becomes one snapshot that records which input it holds.
///
/// The closure's record needs its types, so name key and value:
///
/// ```
/// use headwater_sinks::{ColumnType, Columns, IcebergSink, Sink, day};
/// use serde::Serialize;
///
/// struct Flight { origin: String, scheduled_ms: i64, dep_delay: Option<i32> }
///
/// #[derive(Serialize)]
/// struct Row { origin: String, time_hour: i64, dep_delay: Option<i32>, feed_offset: i64 }
///
/// let columns = Columns::new()
///     .required("origin", ColumnType::String)
///     .required("time_hour", ColumnType::Timestamptz)
///     .optional("dep_delay", ColumnType::Int)
///     .required("feed_offset", ColumnType::Long);
/// let sink = IcebergSink::<String, Flight>::rows("air.flights", columns, |record| Row {
///     origin: record.value.origin.clone(),
///     time_hour: record.value.scheduled_ms,
///     dep_delay: record.value.dep_delay,
///     feed_offset: record.offset,
/// })
/// .partition_by(day("time_hour"));
/// assert_eq!(Sink::spec(&sink).target, "air.flights");
/// ```
pub struct IcebergSink<K, V> {
    target: String,
    columns: Columns,
    partition: Option<PartitionBy>,
    roll_bytes: u64,
    put: PutRows<K, V>,
}

impl<K, V> std::fmt::Debug for IcebergSink<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IcebergSink")
            .field("target", &self.target)
            .field("columns", &self.columns)
            .field("partition", &self.partition)
            .field("roll_bytes", &self.roll_bytes)
            .finish_non_exhaustive()
    }
}

impl<K: 'static, V: 'static> IcebergSink<K, V> {
    /// A sink on table `target` (`namespace.table`) that writes one row a record: what `row` makes of it, a struct
    /// whose fields carry the columns' names. Fields that are no column are left out.
    pub fn rows<R: Serialize>(
        target: impl Into<String>,
        columns: Columns,
        row: impl Fn(&SinkRecord<'_, K, V>) -> R + Send + Sync + 'static,
    ) -> Self {
        Self::put_rows(target, columns, move |record, rows| rows.put(&row(record)))
    }

    /// As [`rows`](Self::rows), for rows that borrow from the record, and for none or several rows a record: `put`
    /// calls [`RowBuffer::put`] for each.
    pub fn put_rows(
        target: impl Into<String>,
        columns: Columns,
        put: impl Fn(&SinkRecord<'_, K, V>, &mut RowBuffer) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { target: target.into(), columns, partition: None, roll_bytes: DEFAULT_ROLL_BYTES, put: Arc::new(put) }
    }

    /// As [`rows`](Self::rows) with the record's value as the row.
    pub fn values(target: impl Into<String>, columns: Columns) -> Self
    where
        V: Serialize,
    {
        Self::put_rows(target, columns, |record, rows| rows.put(record.value))
    }

    /// Partitions the table, as in `partition_by(day("time_hour"))`. Default: not partitioned.
    #[must_use]
    pub fn partition_by(mut self, partition: PartitionBy) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Begins a new data file when the current one is larger than this many bytes. Default: 128 MiB.
    #[must_use]
    pub fn roll_bytes(mut self, bytes: u64) -> Self {
        self.roll_bytes = bytes.max(1);
        self
    }
}

impl<K: 'static, V: 'static> Sink<K, V> for IcebergSink<K, V> {
    fn spec(&self) -> SinkSpec {
        SinkSpec { kind: "iceberg".to_owned(), target: self.target.clone() }
    }

    fn open(&self, context: &SinkContext) -> Result<()> {
        self.columns.check(&self.target)?;
        let mut engine = Engine::open_or_create(context, &context.versioned(&self.target))?;
        runtime()?.block_on(engine.create_or_check(&self.columns, self.partition.as_ref()))?;
        Ok(())
    }

    fn writer(&self, context: &SinkContext) -> Result<Box<dyn SinkWriter<K, V>>> {
        let runtime = runtime()?;
        let mut engine = Engine::open(context, &context.versioned(&self.target))?;
        let base = runtime.block_on(engine.load())?;
        let files = files::TableFiles::new(
            runtime,
            engine.target(),
            &base.metadata,
            self.partition.as_ref(),
            context.thread,
            self.roll_bytes,
        )?;
        Ok(Box::new(writer::Writer::new(Arc::clone(&self.put), &self.columns, files)?))
    }

    fn committer(&self, context: &SinkContext) -> Result<Box<dyn SinkCommitter>> {
        let engine = Engine::open(context, &context.versioned(&self.target))?;
        let owner = Owner { app: context.app.clone(), sink: context.sink.clone() };
        Ok(Box::new(committer::Committer::new(runtime()?, engine, owner)))
    }

    fn read(&self, context: &SinkContext) -> Result<Option<Table>> {
        let mut engine = Engine::open(context, &context.versioned(&self.target))?;
        runtime()?.block_on(read::table(&mut engine)).map(Some)
    }
}

/// The `iceberg` crate is async; a sink's calls are not. Each writer and committer drives its own futures on the
/// thread that calls it: they only ever wait for local files.
fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| crate::fault::lake("start a runtime for the lake's files", error))
}
