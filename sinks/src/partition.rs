//! Partitioning by day: each file of a table holds the rows of one day.

use std::collections::BTreeMap;

use arrow_array::{Array, Date32Array, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow_select::take::take_record_batch;
use headwater_core::Result;
use iceberg::spec::{NestedFieldRef, PartitionSpec, PrimitiveType, Schema, Transform, Type};

use crate::fault;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// How a table is partitioned; made by [`day`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionBy {
    column: String,
}

/// Partition by the UTC day of `column`, which must be a [`Timestamptz`](crate::ColumnType::Timestamptz) or a
/// [`Date`](crate::ColumnType::Date).
pub fn day(column: impl Into<String>) -> PartitionBy {
    PartitionBy { column: column.into() }
}

/// A day counted from 1970-01-01, or `None` for rows whose day is null.
pub(crate) type Day = Option<i32>;

impl PartitionBy {
    pub(crate) fn column(&self) -> &str {
        &self.column
    }

    /// The column's field, if it is there and has days.
    pub(crate) fn source<'a>(&self, target: &str, schema: &'a Schema) -> Result<&'a NestedFieldRef> {
        let field = schema.field_by_name(&self.column);
        match field {
            Some(field) if has_days(&field.field_type) => Ok(field),
            Some(field) => Err(fault::declaration(
                target,
                &format!("it is partitioned by the day of column {}, which is {}", self.column, field.field_type),
                "partition by a column of type Timestamptz or Date",
            )),
            None => Err(fault::declaration(
                target,
                &format!("it is partitioned by column {}, which it does not have", self.column),
                "add the column or partition by another",
            )),
        }
    }

    /// A name for the partition field that no column has: `time_hour_day`, as Iceberg's own engines would call it.
    pub(crate) fn field_name(&self, schema: &Schema) -> String {
        let mut name = format!("{}_day", self.column);
        while schema.field_by_name(&name).is_some() {
            name.push('_');
        }
        name
    }

    /// Whether `spec` is this partitioning.
    pub(crate) fn is(&self, spec: &PartitionSpec, schema: &Schema) -> bool {
        let source = schema.field_by_name(&self.column).map(|field| field.id);
        matches!(spec.fields(), [field] if field.transform == Transform::Day && Some(field.source_id) == source)
    }
}

fn has_days(kind: &Type) -> bool {
    matches!(kind, Type::Primitive(PrimitiveType::Timestamptz | PrimitiveType::Date))
}

/// Splits a batch by the day of the column at `column`, keeping the rows' order within a day.
pub(crate) fn split_by_day(batch: &RecordBatch, column: usize) -> Result<Vec<(Day, RecordBatch)>> {
    let mut rows: BTreeMap<Day, Vec<u32>> = BTreeMap::new();
    for (row, day) in (0_u32..).zip(days(batch, column)) {
        rows.entry(day).or_default().push(row);
    }
    if let (1, Some((day, _))) = (rows.len(), rows.first_key_value()) {
        return Ok(vec![(*day, batch.clone())]);
    }
    rows.into_iter()
        .map(|(day, rows)| {
            let part = take_record_batch(batch, &UInt32Array::from(rows));
            Ok((day, part.map_err(|error| fault::lake("split rows by day", error))?))
        })
        .collect()
}

fn days(batch: &RecordBatch, column: usize) -> Vec<Day> {
    let array = batch.column(column).as_any();
    if let Some(micros) = array.downcast_ref::<TimestampMicrosecondArray>() {
        // Rounds down before 1970 too, as Iceberg's day transform does; the quotient of an i64 always fits.
        return micros.iter().map(|micros| micros.map(|micros| micros.div_euclid(MICROS_PER_DAY) as i32)).collect();
    }
    array.downcast_ref::<Date32Array>().map_or_else(|| vec![None; batch.num_rows()], |days| days.iter().collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int32Array;
    use arrow_schema::{DataType, Field, Schema as ArrowSchema, TimeUnit};

    use super::*;

    #[test]
    fn rows_are_split_by_utc_day_in_order() {
        let micros = vec![Some(MICROS_PER_DAY), Some(-1), None, Some(MICROS_PER_DAY + 5), Some(0)];
        let schema = ArrowSchema::new(vec![
            Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            Field::new("n", DataType::Int32, false),
        ]);
        let batch = RecordBatch::try_new(
            Arc::new(schema),
            vec![Arc::new(TimestampMicrosecondArray::from(micros)), Arc::new(Int32Array::from(vec![0, 1, 2, 3, 4]))],
        )
        .unwrap();
        let parts: Vec<_> = split_by_day(&batch, 0)
            .unwrap()
            .into_iter()
            .map(|(day, part)| {
                let numbers = part.column(1).as_any().downcast_ref::<Int32Array>().unwrap();
                (day, numbers.values().to_vec())
            })
            .collect();
        assert_eq!(parts, [(None, vec![2]), (Some(-1), vec![1]), (Some(0), vec![4]), (Some(1), vec![0, 3])]);
    }
}
