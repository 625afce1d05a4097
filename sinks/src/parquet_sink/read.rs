//! Reading the published files back.

use std::{fs::File, path::PathBuf};

use headwater_core::{Result, Table};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::Place;
use crate::{Columns, cells, fault};

/// Every row of the directory's published files.
pub(super) fn directory(place: &Place, columns: &Columns) -> Result<Table> {
    let mut rows = Vec::new();
    for path in published(place)? {
        let failed = |error| fault::lake(&format!("read {}", path.display()), error);
        let file = File::open(&path).map_err(|error| fault::storage("read", &path, error))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)
            .and_then(ParquetRecordBatchReaderBuilder::build)
            .map_err(failed)?;
        for batch in reader {
            let batch = batch.map_err(|error| fault::lake(&format!("read {}", path.display()), error))?;
            cells::append_rows(&batch, &mut rows);
        }
    }
    Ok(Table { name: place.target.clone(), columns: columns.names().map(str::to_owned).collect(), rows })
}

fn published(place: &Place) -> Result<Vec<PathBuf>> {
    let directory = &place.directory;
    let failed = |error| fault::storage("list", directory, error);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
