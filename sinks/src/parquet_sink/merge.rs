//! Staged files put together into one of the size that readers like.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use headwater_core::Result;
use parquet::arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder};

use crate::{durable, fault, parquet_format};

/// Rows decoded at a time.
const BATCH_ROWS: usize = 8_192;

/// Writes the rows of `parts`, in order, to `merged` and makes it durable. The name may be taken by an earlier attempt
/// that a crash interrupted; it is replaced.
pub(super) fn merge(parts: &[PathBuf], merged: &Path) -> Result<()> {
    let mut writer: Option<ArrowWriter<File>> = None;
    let write_failed = |error| fault::lake(&format!("write {}", merged.display()), error);
    for part in parts {
        let file = File::open(part).map_err(|error| fault::storage("read", part, error))?;
        let read_failed = |error| fault::lake(&format!("read {}", part.display()), error);
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(read_failed)?;
        if writer.is_none() {
            let out = File::create(merged).map_err(|error| fault::storage("create", merged, error))?;
            let schema = reader.schema().clone();
            writer = Some(ArrowWriter::try_new(out, schema, Some(parquet_format::properties())).map_err(write_failed)?);
        }
        let Some(writer) = &mut writer else { continue };
        for batch in reader.with_batch_size(BATCH_ROWS).build().map_err(read_failed)? {
            let batch = batch.map_err(|error| fault::lake(&format!("read {}", part.display()), error))?;
            writer.write(&batch).map_err(write_failed)?;
        }
    }
    if let Some(writer) = writer {
        writer.close().map_err(write_failed)?;
    }
    durable::sync_all(&[merged.to_owned()])
}
