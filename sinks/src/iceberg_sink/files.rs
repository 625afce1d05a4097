//! The data files of one writer: rows are kept by day in memory up to a bound, and written a day at a time.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use headwater_core::{LineageRange, Result};
use iceberg::{
    spec::{DataFile, DataFileFormat, Literal, PartitionKey, Struct, TableMetadata, TableMetadataRef},
    writer::{
        IcebergWriter, IcebergWriterBuilder,
        base_writer::data_file_writer::{DataFileWriter, DataFileWriterBuilder},
        file_writer::{
            ParquetWriterBuilder,
            location_generator::{DefaultFileNameGenerator, DefaultLocationGenerator, LocationGenerator},
            rolling_writer::RollingFileWriterBuilder,
        },
    },
};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::describe::describe;
use crate::{
    PartitionBy,
    descriptor::{EventTime, TableDescriptor},
    durable, fault, parquet_format,
    partition::{Day, split_by_day},
    rows, storage,
};

/// Rows kept in memory by one writer. Past this the largest day goes to its file.
const MAX_BUFFERED_BYTES: usize = 64 * 1024 * 1024;

/// Files that are open, each with a row group in the making. Past this all are closed.
const MAX_OPEN_FILES: usize = 32;

type FileWriter = DataFileWriter<ParquetWriterBuilder, RecordedLocations, DefaultFileNameGenerator>;

/// The files of the transaction in the making, and of the last one while its outcome is open.
pub(super) struct TableFiles {
    runtime: Runtime,
    target: String,
    table: TableMetadataRef,
    schema: SchemaRef,
    /// The index of the column whose day partitions the table.
    day_column: Option<usize>,
    thread: usize,
    roll_bytes: u64,
    attempt: Attempt,
    /// What the last `finish` described, until its transaction is known to have committed.
    undecided: Vec<PathBuf>,
}

/// One transaction's worth.
struct Attempt {
    id: Uuid,
    locations: RecordedLocations,
    names: DefaultFileNameGenerator,
    days: BTreeMap<Day, Buffered>,
    buffered: usize,
    open: BTreeMap<Day, FileWriter>,
    closed: Vec<(Day, DataFile)>,
}

#[derive(Default)]
struct Buffered {
    batches: Vec<RecordBatch>,
    bytes: usize,
}

/// Remembers every file begun, so that an abort can delete them whatever state they are in.
#[derive(Debug, Clone)]
struct RecordedLocations {
    inner: DefaultLocationGenerator,
    begun: Arc<Mutex<Vec<String>>>,
}

impl LocationGenerator for RecordedLocations {
    fn generate_location(&self, partition_key: Option<&PartitionKey>, file_name: &str) -> String {
        let location = self.inner.generate_location(partition_key, file_name);
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(location.clone());
        location
    }
}

impl Attempt {
    fn new(table: &TableMetadata, thread: usize) -> iceberg::Result<Self> {
        let id = Uuid::now_v7();
        Ok(Self {
            id,
            locations: RecordedLocations { inner: DefaultLocationGenerator::new(table)?, begun: Arc::default() },
            names: DefaultFileNameGenerator::new(format!("t{thread}-{id}"), None, DataFileFormat::Parquet),
            days: BTreeMap::new(),
            buffered: 0,
            open: BTreeMap::new(),
            closed: Vec::new(),
        })
    }

    fn begun(&self) -> Vec<PathBuf> {
        let begun = self.locations.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.iter().map(|location| storage::local_path(location)).collect()
    }
}

impl TableFiles {
    pub(super) fn new(
        runtime: Runtime,
        target: &str,
        table: &TableMetadataRef,
        partition: Option<&PartitionBy>,
        thread: usize,
        roll_bytes: u64,
    ) -> Result<Self> {
        let failed = |error| fault::lake(&format!("prepare writing to {target}"), error);
        let schema = iceberg::arrow::schema_to_arrow_schema(table.current_schema()).map_err(failed)?;
        let day_column = match partition {
            Some(partition) => {
                let name = &partition.source(target, table.current_schema())?.name;
                schema.index_of(name).map(Some).map_err(|error| fault::lake("find the partition column", error))?
            }
            None => None,
        };
        Ok(Self {
            runtime,
            target: target.to_owned(),
            attempt: Attempt::new(table, thread).map_err(failed)?,
            table: Arc::clone(table),
            schema: Arc::new(schema),
            day_column,
            thread,
            roll_bytes,
            undecided: Vec::new(),
        })
    }

    pub(super) fn target(&self) -> &str {
        &self.target
    }

    pub(super) fn arrow_schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Takes rows, and writes out the largest days while too much is in memory.
    pub(super) fn add(&mut self, batch: RecordBatch) -> Result<()> {
        let parts = match self.day_column {
            Some(column) => split_by_day(&batch, column)?,
            None => vec![(None, batch)],
        };
        for (day, part) in parts {
            let bytes = rows::byte_size(&part);
            let buffered = self.attempt.days.entry(day).or_default();
            buffered.batches.push(part);
            buffered.bytes += bytes;
            self.attempt.buffered += bytes;
        }
        while self.attempt.buffered > MAX_BUFFERED_BYTES {
            let largest = self.attempt.days.iter().max_by_key(|(_, buffered)| buffered.bytes);
            let Some(day) = largest.map(|(day, _)| *day) else { break };
            self.write_out(day)?;
            if self.attempt.open.len() > MAX_OPEN_FILES {
                self.close_all()?;
            }
        }
        Ok(())
    }

    /// Closes all files, makes them durable and describes them; `None` if there were no rows.
    pub(super) fn finish(
        &mut self,
        lineage: &[LineageRange],
        event_time: Option<EventTime>,
    ) -> Result<Option<TableDescriptor>> {
        let days: Vec<Day> = self.attempt.days.keys().copied().collect();
        for day in days {
            // One day at a time, so that a backlog of a year does not hold a year of open files.
            self.write_out(day)?;
            self.close(day)?;
        }
        self.close_all()?;
        let failed = |error| fault::lake(&format!("prepare writing to {}", self.target), error);
        let next = Attempt::new(&self.table, self.thread).map_err(failed)?;
        let attempt = std::mem::replace(&mut self.attempt, next);
        self.undecided.extend(attempt.begun());
        if attempt.closed.is_empty() {
            return Ok(None);
        }
        let paths: Vec<PathBuf> =
            attempt.closed.iter().map(|(_, file)| storage::local_path(file.file_path())).collect();
        durable::sync_all(&paths)?;
        describe(&self.target, &self.table, attempt.id, &attempt.closed, lineage, event_time).map(Some)
    }

    /// Deletes what the transaction in the making wrote, and what the last one did if it was not committed.
    pub(super) fn abort(&mut self) {
        let mut paths = std::mem::take(&mut self.undecided);
        paths.extend(self.attempt.begun());
        match Attempt::new(&self.table, self.thread) {
            Ok(next) => self.attempt = next,
            Err(error) => tracing::error!(%error, table = self.target, "could not begin a new attempt"),
        }
        durable::delete_quietly(paths);
    }

    pub(super) fn committed(&mut self) {
        self.undecided.clear();
    }

    /// Writes the buffered rows of `day` to its file, which stays open.
    fn write_out(&mut self, day: Day) -> Result<()> {
        let Some(buffered) = self.attempt.days.remove(&day) else { return Ok(()) };
        self.attempt.buffered = self.attempt.buffered.saturating_sub(buffered.bytes);
        let mut writer = match self.attempt.open.remove(&day) {
            Some(writer) => writer,
            None => self.begin(day)?,
        };
        let failed = |error| fault::lake(&format!("write a data file of {}", self.target), error);
        let batch = concat_batches(&self.schema, &buffered.batches)
            .map_err(|error| fault::lake("put rows of a day together", error))?;
        // The writer looks at its file's size before each batch, so batches are kept small against it.
        for start in (0..batch.num_rows()).step_by(rows::ROWS_PER_BATCH) {
            let part = batch.slice(start, rows::ROWS_PER_BATCH.min(batch.num_rows() - start));
            self.runtime.block_on(writer.write(part)).map_err(failed)?;
        }
        self.attempt.open.insert(day, writer);
        Ok(())
    }

    fn begin(&self, day: Day) -> Result<FileWriter> {
        let table = &self.table;
        let key = self.day_column.map(|_| {
            let value = Struct::from_iter([day.map(Literal::date)]);
            let spec = table.default_partition_spec().as_ref().clone();
            PartitionKey::new(spec, table.current_schema().clone(), value)
        });
        let parquet = ParquetWriterBuilder::new(parquet_format::properties(), table.current_schema().clone());
        let roll = usize::try_from(self.roll_bytes).unwrap_or(usize::MAX);
        let names = self.attempt.names.clone();
        let rolling =
            RollingFileWriterBuilder::new(parquet, roll, storage::data_io(), self.attempt.locations.clone(), names);
        let begun = self.runtime.block_on(DataFileWriterBuilder::new(rolling).build(key));
        begun.map_err(|error| fault::lake(&format!("begin a data file of {}", self.target), error))
    }

    fn close(&mut self, day: Day) -> Result<()> {
        let Some(mut writer) = self.attempt.open.remove(&day) else { return Ok(()) };
        let files = self
            .runtime
            .block_on(writer.close())
            .map_err(|error| fault::lake(&format!("close a data file of {}", self.target), error))?;
        self.attempt.closed.extend(files.into_iter().map(|file| (day, file)));
        Ok(())
    }

    fn close_all(&mut self) -> Result<()> {
        while let Some(day) = self.attempt.open.first_key_value().map(|(day, _)| *day) {
            self.close(day)?;
        }
        Ok(())
    }
}

impl Drop for TableFiles {
    fn drop(&mut self) {
        // Files of the transaction in the making are described nowhere. The undecided ones may be.
        durable::delete_quietly(self.attempt.begun());
    }
}
