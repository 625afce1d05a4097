//! Making a table, or seeing that the one that is there fits.

use std::{collections::HashMap, sync::Arc};

use headwater_core::Result;
use iceberg::{
    MetadataLocation,
    spec::{FormatVersion, Schema, SortOrder, TableMetadata, TableMetadataBuilder, Transform, UnboundPartitionSpec},
};

use super::{Base, Engine};
use crate::{Columns, PartitionBy, fault};

/// How many old metadata files are kept for readers that have just looked up the pointer.
const KEPT_METADATA_FILES: u32 = 20;

impl Engine {
    /// Creates the table, or checks that the existing one takes rows of `columns` and is partitioned as asked.
    ///
    /// # Errors
    /// `HW0503` naming every difference; nothing was written.
    pub(crate) async fn create_or_check(&mut self, columns: &Columns, partition: Option<&PartitionBy>) -> Result<Base> {
        if let Some(base) = self.find().await? {
            self.check(&base.metadata, columns, partition)?;
            return Ok(base);
        }
        let failed = |error| fault::lake(&format!("create table {}", self.target), error);
        let schema = columns.schema().map_err(failed)?;
        if let Some(partition) = partition {
            partition.source(&self.target, &schema)?;
        }
        let metadata = new_table(schema, partition, &self.location).map_err(failed)?;
        let location = MetadataLocation::new_with_metadata(&self.location, &metadata);
        metadata.write_to(&self.io, &location).await.map_err(failed)?;
        let location = location.to_string();
        if self.catalog.insert(&self.table, &location)? {
            let base = Base { location, metadata: Arc::new(metadata) };
            self.newest = Some(base.clone());
            return Ok(base);
        }
        // Another process was faster; its table must fit.
        let _ = self.io.delete(&location).await;
        let base = self.load().await?;
        self.check(&base.metadata, columns, partition)?;
        Ok(base)
    }

    fn check(&self, table: &TableMetadata, columns: &Columns, partition: Option<&PartitionBy>) -> Result<()> {
        let schema = table.current_schema();
        let mut differences = columns.differences(schema);
        if table.format_version() != FormatVersion::V2 {
            differences.push(format!("it has format {} and the sink writes v2", table.format_version()));
        }
        let spec = table.default_partition_spec();
        match partition {
            Some(partition) if !partition.is(spec, schema) => {
                differences.push(format!("it is not partitioned by the day of {}", partition.column()));
            }
            None if !spec.is_unpartitioned() => differences.push("it is partitioned and the sink is not".to_owned()),
            _ => {}
        }
        if differences.is_empty() { Ok(()) } else { Err(fault::table_does_not_fit(&self.target, &differences)) }
    }
}

fn new_table(schema: Schema, partition: Option<&PartitionBy>, location: &str) -> iceberg::Result<TableMetadata> {
    let mut spec = UnboundPartitionSpec::builder().with_spec_id(0);
    if let Some(partition) = partition
        && let Some(source) = schema.field_by_name(partition.column())
    {
        spec = spec.add_partition_field(source.id, partition.field_name(&schema), Transform::Day)?;
    }
    let properties = HashMap::from([
        ("write.metadata.compression-codec".to_owned(), "gzip".to_owned()),
        ("write.metadata.previous-versions-max".to_owned(), KEPT_METADATA_FILES.to_string()),
        ("write.metadata.delete-after-commit.enabled".to_owned(), "true".to_owned()),
        ("write.parquet.compression-codec".to_owned(), "zstd".to_owned()),
    ]);
    let builder = TableMetadataBuilder::new(
        schema,
        spec.build(),
        SortOrder::unsorted_order(),
        location.to_owned(),
        FormatVersion::V2,
        properties,
    )?;
    Ok(builder.build()?.metadata)
}
