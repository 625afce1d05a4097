//! The staged files of one writer.

use std::{fs::File, path::PathBuf, sync::Arc};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use headwater_core::Result;
use parquet::arrow::ArrowWriter;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Place;
use crate::{Columns, durable, fault, parquet_format};

/// Encoded rows of an open row group kept in memory; past this it is written out.
const MAX_OPEN_ROW_GROUP_BYTES: usize = 64 * 1024 * 1024;

/// A complete file that is not published yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StagedFile {
    pub(super) name: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

pub(super) struct StagedFiles {
    place: Place,
    schema: SchemaRef,
    thread: usize,
    roll_bytes: u64,
    attempt: Uuid,
    open: Option<Open>,
    closed: Vec<StagedFile>,
    /// Every file begun in this transaction.
    begun: Vec<PathBuf>,
    /// The files of the last transaction, until it is known to have committed.
    undecided: Vec<PathBuf>,
}

struct Open {
    writer: ArrowWriter<File>,
    name: String,
    path: PathBuf,
    rows: u64,
}

impl StagedFiles {
    pub(super) fn new(place: Place, columns: &Columns, thread: usize, roll_bytes: u64) -> Result<Self> {
        let schema = arrow_schema(columns)?;
        Ok(Self {
            place,
            schema,
            thread,
            roll_bytes,
            attempt: Uuid::now_v7(),
            open: None,
            closed: Vec::new(),
            begun: Vec::new(),
            undecided: Vec::new(),
        })
    }

    pub(super) fn target(&self) -> &str {
        &self.place.target
    }

    pub(super) fn arrow_schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    pub(super) fn attempt(&self) -> Uuid {
        self.attempt
    }

    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        let failed = |error| fault::lake(&format!("write {}", open.path.display()), error);
        open.writer.write(batch).map_err(failed)?;
        if open.writer.in_progress_size() > MAX_OPEN_ROW_GROUP_BYTES {
            open.writer.flush().map_err(failed)?;
        }
        open.rows += batch.num_rows() as u64;
        let full = open.writer.bytes_written() + open.writer.in_progress_size();
        let full = u64::try_from(full).unwrap_or(u64::MAX) >= self.roll_bytes;
        self.open = Some(open);
        if full { self.close() } else { Ok(()) }
    }

    /// Completes the files of this transaction and makes them durable.
    pub(super) fn finish(&mut self) -> Result<Vec<StagedFile>> {
        self.close()?;
        let files = std::mem::take(&mut self.closed);
        let paths: Vec<PathBuf> = files.iter().map(|file| self.place.staged_file(&file.name)).collect();
        self.undecided.append(&mut self.begun);
        durable::sync_all(&paths)?;
        self.attempt = Uuid::now_v7();
        Ok(files)
    }

    pub(super) fn abort(&mut self) {
        self.open = None;
        self.closed.clear();
        self.attempt = Uuid::now_v7();
        durable::delete_quietly(self.begun.drain(..).chain(self.undecided.drain(..)));
    }

    pub(super) fn committed(&mut self) {
        self.undecided.clear();
    }

    fn begin(&mut self) -> Result<Open> {
        let name = format!("t{}-{}-{:05}.parquet.staged", self.thread, self.attempt, self.closed.len());
        let path = self.place.staged_file(&name);
        let file = File::create(&path).map_err(|error| fault::storage("create", &path, error))?;
        self.begun.push(path.clone());
        let writer = ArrowWriter::try_new(file, Arc::clone(&self.schema), Some(parquet_format::properties()))
            .map_err(|error| fault::lake(&format!("begin {}", path.display()), error))?;
        Ok(Open { writer, name, path, rows: 0 })
    }

    fn close(&mut self) -> Result<()> {
        let Some(Open { mut writer, name, path, rows }) = self.open.take() else { return Ok(()) };
        writer.finish().map_err(|error| fault::lake(&format!("complete {}", path.display()), error))?;
        self.closed.push(StagedFile { name, rows, bytes: writer.bytes_written() as u64 });
        Ok(())
    }
}

impl Drop for StagedFiles {
    fn drop(&mut self) {
        // Files of the transaction in the making are described nowhere. The undecided ones may be.
        durable::delete_quietly(&self.begun);
    }
}

/// The columns as Arrow sees them, numbered so that a later rename can be followed.
pub(super) fn arrow_schema(columns: &Columns) -> Result<SchemaRef> {
    let schema = columns.schema().and_then(|schema| iceberg::arrow::schema_to_arrow_schema(&schema));
    schema.map(Arc::new).map_err(|error| fault::lake("set up the columns", error))
}
