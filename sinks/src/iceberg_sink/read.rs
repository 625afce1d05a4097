//! Reading a table back, to compare two versions of a program.

use futures::TryStreamExt;
use headwater_core::{Result, Table};
use iceberg::{Runtime, TableIdent, table::Table as IcebergTable};

use crate::{cells, engine::Engine, fault, storage};

/// Every row of the table's branch `main`, columns in the order of its schema.
pub(super) async fn table(engine: &mut Engine) -> Result<Table> {
    let base = engine.load().await?;
    let target = engine.target().to_owned();
    let failed = |error| fault::lake(&format!("read {target}"), error);
    let columns = base.metadata.current_schema().as_struct().fields();
    let columns: Vec<String> = columns.iter().map(|field| field.name.clone()).collect();
    let mut rows = Vec::new();
    // A table without a snapshot has nothing to scan.
    if base.metadata.current_snapshot().is_some() {
        let table = IcebergTable::builder()
            .file_io(storage::data_io())
            .identifier(TableIdent::from_strs(target.split('.')).map_err(failed)?)
            .metadata_location(base.location)
            .metadata(base.metadata)
            .runtime(Runtime::try_current().map_err(failed)?)
            .build()
            .map_err(failed)?;
        let scan = table.scan().build().map_err(failed)?;
        let mut batches = scan.to_arrow().await.map_err(failed)?;
        while let Some(batch) = batches.try_next().await.map_err(failed)? {
            cells::append_rows(&batch, &mut rows);
        }
    }
    Ok(Table { name: target, columns, rows })
}
