//! From a user's rows to Arrow columns.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, RecordBatch, TimestampMicrosecondArray, TimestampMillisecondArray, types::TimestampMicrosecondType,
};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, SchemaRef, TimeUnit};
use headwater_core::{Result, SinkRecord};
use serde::Serialize;
use serde_arrow::ArrayBuilder;

use crate::fault;

/// Rows after which a buffer is turned into columns.
pub(crate) const ROWS_PER_BATCH: usize = 4_096;

/// Turns a record into rows.
pub(crate) type PutRows<K, V> = Arc<dyn Fn(&SinkRecord<'_, K, V>, &mut RowBuffer) -> Result<()> + Send + Sync>;

/// Collects rows until they become a batch of columns.
///
/// A row is a struct (or map) whose fields carry the columns' names; fields that are no column are left out.
pub struct RowBuffer {
    layout: Layout,
    builder: ArrayBuilder,
    rows: usize,
    names_checked: bool,
}

impl std::fmt::Debug for RowBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowBuffer").field("target", &self.layout.target).field("rows", &self.rows).finish()
    }
}

/// What rows become: the target's columns, and the sink's own among them.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    target: Arc<str>,
    declared: Arc<[String]>,
    schema: SchemaRef,
}

impl Layout {
    pub(crate) fn new<'a>(target: &str, declared: impl Iterator<Item = &'a str>, schema: SchemaRef) -> Self {
        Self { target: target.into(), declared: declared.map(str::to_owned).collect(), schema }
    }

    fn builder(&self) -> Result<ArrayBuilder> {
        let fields: Vec<FieldRef> = self.schema.fields().iter().map(taken_as).collect();
        ArrayBuilder::from_arrow(&fields).map_err(|error| fault::lake("set up the columns", error))
    }
}

/// Instants are taken in milliseconds, Headwater's unit of time, whatever the column stores.
fn taken_as(field: &FieldRef) -> FieldRef {
    match field.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            let milliseconds = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
            Arc::new(Field::new(field.name(), milliseconds, field.is_nullable()))
        }
        _ => Arc::clone(field),
    }
}

impl RowBuffer {
    pub(crate) fn new(layout: Layout) -> Result<Self> {
        let builder = layout.builder()?;
        Ok(Self { layout, builder, rows: 0, names_checked: false })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// `HW0502` naming the column if a field is missing, has a type that does not fit, or is null where the column is
    /// required.
    pub fn put<R: Serialize + ?Sized>(&mut self, row: &R) -> Result<()> {
        if !self.names_checked {
            self.check_names(row)?;
            self.names_checked = true;
        }
        self.builder.push(row).map_err(|error| self.misfit(&error))?;
        self.rows += 1;
        Ok(())
    }

    pub(crate) fn is_full(&self) -> bool {
        self.rows >= ROWS_PER_BATCH
    }

    /// The rows so far as columns; `None` if there are none.
    pub(crate) fn take(&mut self) -> Result<Option<RecordBatch>> {
        if self.rows == 0 {
            return Ok(None);
        }
        self.rows = 0;
        let arrays = self.builder.to_arrow().map_err(|error| self.misfit(&error))?;
        let columns = arrays
            .into_iter()
            .zip(self.layout.schema.fields())
            .map(|(array, field)| self.stored(&array, field))
            .collect::<Result<Vec<_>>>()?;
        let batch = RecordBatch::try_new(Arc::clone(&self.layout.schema), columns);
        batch.map(Some).map_err(|error| fault::lake("lay out rows in columns", error))
    }

    /// Forgets the rows so far, and with them a row that broke off in the middle.
    pub(crate) fn clear(&mut self) -> Result<()> {
        self.builder = self.layout.builder()?;
        self.rows = 0;
        Ok(())
    }

    /// An optional column that the row type does not have would be null for ever, which nobody means: the first row
    /// is asked for its names.
    fn check_names<R: Serialize + ?Sized>(&self, row: &R) -> Result<()> {
        let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(row) else { return Ok(()) };
        match self.layout.declared.iter().find(|name| !fields.contains_key(name.as_str())) {
            Some(name) => Err(fault::row(&self.layout.target, &format!("it has no field for column {name:?}"))),
            None => Ok(()),
        }
    }

    fn misfit(&self, error: &serde_arrow::Error) -> headwater_core::Error {
        let text = error.to_string();
        let text = text.strip_prefix("Error: ").unwrap_or(&text).replace("\"$.", "\"");
        fault::row(&self.layout.target, &text)
    }

    fn stored(&self, array: &ArrayRef, field: &FieldRef) -> Result<ArrayRef> {
        let Some(milliseconds) = array.as_any().downcast_ref::<TimestampMillisecondArray>() else {
            return Ok(Arc::clone(array));
        };
        let DataType::Timestamp(TimeUnit::Microsecond, zone) = field.data_type() else { return Ok(Arc::clone(array)) };
        let micros: TimestampMicrosecondArray = milliseconds
            .try_unary::<_, TimestampMicrosecondType, _>(|milliseconds| {
                milliseconds
                    .checked_mul(1_000)
                    .ok_or_else(|| ArrowError::ComputeError(format!("{milliseconds} ms is out of a timestamp's range")))
            })
            .map_err(|error| fault::row(&self.layout.target, &format!("column {:?}: {error}", field.name())))?;
        Ok(Arc::new(micros.with_timezone_opt(zone.clone())))
    }
}

/// The memory the values of a batch take, slices counted once.
pub(crate) fn byte_size(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or_default()).sum()
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;
    use crate::{ColumnType, Columns};

    fn buffer() -> RowBuffer {
        let columns = Columns::new()
            .required("who", ColumnType::String)
            .optional("at", ColumnType::Timestamptz)
            .optional("n", ColumnType::Int);
        let schema = iceberg::arrow::schema_to_arrow_schema(&columns.schema().unwrap()).unwrap();
        RowBuffer::new(Layout::new("air.test", columns.names(), Arc::new(schema))).unwrap()
    }

    #[derive(Serialize)]
    struct Row<N> {
        n: N,
        at: Option<i64>,
        who: &'static str,
        extra: bool,
    }

    #[test]
    fn milliseconds_become_microseconds_and_order_of_fields_does_not_matter() {
        let mut buffer = buffer();
        buffer.put(&Row { n: Some(1_u64), at: Some(1_357_034_400_250), who: "a", extra: true }).unwrap();
        buffer.put(&Row { n: None::<u64>, at: None, who: "b", extra: true }).unwrap();
        let batch = buffer.take().unwrap().unwrap();
        let at = batch.column(1).as_any().downcast_ref::<TimestampMicrosecondArray>().unwrap();
        assert_eq!(at.iter().collect::<Vec<_>>(), [Some(1_357_034_400_250_000), None]);
        assert_eq!(buffer.take().unwrap(), None);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        #[derive(Serialize)]
        struct Short {
            who: Option<&'static str>,
            n: i32,
        }
        let misfit = |error: headwater_core::Error, column: &str| {
            assert_eq!(error.code(), "HW0502");
            assert!(error.message().contains(&format!("{column:?}")), "{error}");
        };
        misfit(buffer().put(&Short { who: Some("a"), n: 1 }).unwrap_err(), "at");
        misfit(buffer().put(&Row { n: i64::MAX, at: None, who: "a", extra: false }).unwrap_err(), "n");
        misfit(buffer().put(&Row { n: "five", at: None, who: "a", extra: false }).unwrap_err(), "n");
        #[derive(Serialize)]
        struct Nulls {
            who: Option<&'static str>,
            at: Option<i64>,
            n: Option<i32>,
        }
        misfit(buffer().put(&Nulls { who: None, at: None, n: None }).unwrap_err(), "who");
        let mut far = buffer();
        far.put(&Nulls { who: Some("a"), at: Some(i64::MAX), n: None }).unwrap();
        misfit(far.take().unwrap_err(), "at");
    }

    #[test]
    fn a_cleared_buffer_takes_rows_again() {
        let mut buffer = buffer();
        buffer.put(&Row { n: 1, at: None, who: "a", extra: false }).unwrap();
        buffer.put(&Row { n: i64::MAX, at: None, who: "b", extra: false }).unwrap_err();
        buffer.clear().unwrap();
        buffer.put(&Row { n: 2, at: None, who: "c", extra: false }).unwrap();
        assert_eq!(buffer.take().unwrap().unwrap().num_rows(), 1);
    }
}
