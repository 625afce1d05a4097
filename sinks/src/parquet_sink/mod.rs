//! The Parquet sink: a directory of Parquet files, each row in it exactly once.
//!
//! Writers leave *staged* files, durable but under names no reader looks for. The committer gathers what committed
//! descriptors name until there is enough or it is old enough, and publishes it: see [`journal`].

mod committer;
mod journal;
mod merge;
mod read;
mod staged;
mod writer;

use std::{path::PathBuf, sync::Arc, time::Duration};

use headwater_core::{Result, Sink, SinkCommitter, SinkContext, SinkRecord, SinkSpec, SinkWriter, Table};
use serde::Serialize;

use crate::{
    Columns, fault,
    rows::{PutRows, RowBuffer},
};
use journal::Journal;

/// Appends rows to a directory of Parquet files, each exactly once.
///
/// The files lie in `<lake>/<target>/` and are complete when they appear there; what is in the making lies in the
/// subdirectory `_staged`. A file is begun anew when it is large or old enough ([`roll_bytes`](Self::roll_bytes),
/// [`roll_age_ms`](Self::roll_age_ms)), so rows become visible up to that age after their commit.
///
/// ```
/// use headwater_sinks::{ColumnType, Columns, ParquetSink, Sink};
///
/// let columns = Columns::new().required("word", ColumnType::String).required("count", ColumnType::Long);
/// #[derive(serde::Serialize)]
/// struct Row { word: String, count: i64 }
/// let sink = ParquetSink::<String, i64>::rows("word-counts", columns, |record| Row {
///     word: record.key.clone(),
///     count: *record.value,
/// })
/// .roll_age_ms(10_000);
/// assert_eq!(sink.spec().kind, "parquet");
/// ```
pub struct ParquetSink<K, V> {
    target: String,
    columns: Columns,
    roll: Roll,
    put: PutRows<K, V>,
}

/// When a file is full.
#[derive(Debug, Clone, Copy)]
struct Roll {
    bytes: u64,
    age: Duration,
}

impl<K, V> std::fmt::Debug for ParquetSink<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetSink")
            .field("target", &self.target)
            .field("columns", &self.columns)
            .field("roll", &self.roll)
            .finish_non_exhaustive()
    }
}

impl<K: 'static, V: 'static> ParquetSink<K, V> {
    /// A sink on the directory `target` that writes one row a record: what `row` makes of it, a struct whose fields
    /// carry the columns' names. Fields that are no column are left out.
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
        let roll = Roll { bytes: 128 * 1024 * 1024, age: Duration::from_secs(60) };
        Self { target: target.into(), columns, roll, put: Arc::new(put) }
    }

    /// As [`rows`](Self::rows) with the record's value as the row.
    pub fn values(target: impl Into<String>, columns: Columns) -> Self
    where
        V: Serialize,
    {
        Self::put_rows(target, columns, |record, rows| rows.put(record.value))
    }

    /// Publishes what has been committed when it reaches this many bytes, in files of about this size.
    /// Default: 128 MiB.
    #[must_use]
    pub fn roll_bytes(mut self, bytes: u64) -> Self {
        self.roll.bytes = bytes.max(1);
        self
    }

    /// Publishes what has been committed when the oldest of it has waited this many milliseconds; 0 publishes with
    /// every commit. Default: 60,000 (a minute).
    #[must_use]
    pub fn roll_age_ms(mut self, ms: u64) -> Self {
        self.roll.age = Duration::from_millis(ms);
        self
    }
}

impl<K: 'static, V: 'static> Sink<K, V> for ParquetSink<K, V> {
    fn spec(&self) -> SinkSpec {
        SinkSpec { kind: "parquet".to_owned(), target: self.target.clone() }
    }

    fn open(&self, context: &SinkContext) -> Result<()> {
        self.columns.check(&self.target)?;
        let place = Place::of(context, &self.target)?;
        Journal::open_or_create(&place, context, &self.columns)?;
        Ok(())
    }

    fn writer(&self, context: &SinkContext) -> Result<Box<dyn SinkWriter<K, V>>> {
        let place = Place::of(context, &self.target)?;
        let staged = staged::StagedFiles::new(place, &self.columns, context.thread, self.roll.bytes)?;
        Ok(Box::new(writer::Writer::new(Arc::clone(&self.put), &self.columns, staged)?))
    }

    fn committer(&self, context: &SinkContext) -> Result<Box<dyn SinkCommitter>> {
        let place = Place::of(context, &self.target)?;
        let journal = Journal::open(&place)?;
        Ok(Box::new(committer::Committer::new(place, journal, self.roll)))
    }

    fn read(&self, context: &SinkContext) -> Result<Option<Table>> {
        let place = Place::of(context, &self.target)?;
        read::directory(&place, &self.columns).map(Some)
    }
}

/// Where a sink's files lie.
#[derive(Debug, Clone)]
struct Place {
    /// The target with its version's suffix.
    target: String,
    directory: PathBuf,
}

impl Place {
    fn of(context: &SinkContext, target: &str) -> Result<Self> {
        headwater_core::check_name("directory", target)?;
        let lake =
            std::path::absolute(&context.lake_dir).map_err(|error| fault::storage("find", &context.lake_dir, error))?;
        let target = context.versioned(target);
        Ok(Self { directory: lake.join(&target), target })
    }

    /// Where files lie that no reader looks for.
    fn staged(&self) -> PathBuf {
        self.directory.join("_staged")
    }

    fn staged_file(&self, name: &str) -> PathBuf {
        self.staged().join(name)
    }

    fn published_file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}
