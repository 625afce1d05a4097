//! The descriptor of a transaction's files.

use std::collections::BTreeMap;

use headwater_core::{LineageRange, Result};
use iceberg::spec::{DataFile, TableMetadata, serialize_data_file_to_json};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    cells::day_text,
    descriptor::{DescribedFile, EventTime, PartitionCount, TableDescriptor, VERSION, watermark},
    fault,
    partition::Day,
};

/// Describes `files`, all written under the table's default partition spec and current schema.
pub(super) fn describe(
    target: &str,
    table: &TableMetadata,
    attempt: Uuid,
    files: &[(Day, DataFile)],
    lineage: &[LineageRange],
    event_time: Option<EventTime>,
) -> Result<TableDescriptor> {
    let described = files.iter().map(|(_, file)| described_file(target, table, file)).collect::<Result<_>>()?;
    let partitions = partitions(files);
    Ok(TableDescriptor {
        version: VERSION,
        table: target.to_owned(),
        table_uuid: table.uuid().to_string(),
        format_version: table.format_version() as u8,
        schema_id: table.current_schema_id(),
        attempt: attempt.to_string(),
        files: described,
        rows: partitions.iter().map(|partition| partition.rows).sum(),
        bytes: partitions.iter().map(|partition| partition.bytes).sum(),
        partitions,
        nulls: nulls(table, files),
        event_time,
        watermark: watermark(lineage),
        lineage: lineage.to_vec(),
    })
}

fn described_file(target: &str, table: &TableMetadata, file: &DataFile) -> Result<DescribedFile> {
    let failed = |error: &dyn std::fmt::Display| fault::descriptor(target, &error.to_string());
    let json = serialize_data_file_to_json(file.clone(), table.default_partition_type(), table.format_version())
        .map_err(|error| failed(&error))?;
    let data_file = RawValue::from_string(json).map_err(|error| failed(&error))?;
    Ok(DescribedFile { spec_id: table.default_partition_spec_id(), data_file })
}

fn partitions(files: &[(Day, DataFile)]) -> Vec<PartitionCount> {
    let mut counts: BTreeMap<Day, PartitionCount> = BTreeMap::new();
    for (day, file) in files {
        let count = counts.entry(*day).or_insert_with(|| PartitionCount {
            day: day.map(day_text),
            files: 0,
            rows: 0,
            bytes: 0,
        });
        count.files += 1;
        count.rows += file.record_count();
        count.bytes += file.file_size_in_bytes();
    }
    counts.into_values().collect()
}

fn nulls(table: &TableMetadata, files: &[(Day, DataFile)]) -> BTreeMap<String, u64> {
    let mut nulls = BTreeMap::new();
    for field in table.current_schema().as_struct().fields() {
        let count: u64 = files.iter().filter_map(|(_, file)| file.null_value_counts().get(&field.id)).sum();
        if count > 0 {
            nulls.insert(field.name.clone(), count);
        }
    }
    nulls
}
