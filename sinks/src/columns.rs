//! The columns of a sink's table: names, types, whether a null may stand in them.

use std::{collections::BTreeSet, fmt, sync::Arc};

use headwater_core::Result;
use iceberg::spec::{NestedField, PrimitiveType, Schema, Type};

use crate::fault;

/// The type of a column, and what a row's field may hold for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColumnType {
    /// `true` or `false`.
    Boolean,
    /// A 32-bit signed integer. A field of another integer type fits as long as its value does.
    Int,
    /// A 64-bit signed integer.
    Long,
    /// A 32-bit IEEE 754 number.
    Float,
    /// A 64-bit IEEE 754 number.
    Double,
    /// UTF-8 text. Unit variants of an enum are written by name.
    String,
    /// A day: an `i32` counting days since 1970-01-01, or text such as `2013-01-31`.
    Date,
    /// An instant: an `i64` of **milliseconds** since 1970-01-01T00:00:00Z, or RFC 3339 text. Stored in microseconds.
    Timestamptz,
    /// Bytes.
    Binary,
}

impl ColumnType {
    pub(crate) fn primitive(self) -> PrimitiveType {
        match self {
            Self::Boolean => PrimitiveType::Boolean,
            Self::Int => PrimitiveType::Int,
            Self::Long => PrimitiveType::Long,
            Self::Float => PrimitiveType::Float,
            Self::Double => PrimitiveType::Double,
            Self::String => PrimitiveType::String,
            Self::Date => PrimitiveType::Date,
            Self::Timestamptz => PrimitiveType::Timestamptz,
            Self::Binary => PrimitiveType::Binary,
        }
    }

    /// Whether a table column of type `table` takes every value of this type.
    pub(crate) fn fits(self, table: &Type) -> bool {
        let Type::Primitive(table) = table else { return false };
        *table == self.primitive()
            || matches!((self, table), (Self::Int, PrimitiveType::Long) | (Self::Float, PrimitiveType::Double))
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.primitive().fmt(f)
    }
}

/// The columns of a table, in order.
///
/// ```
/// use headwater_sinks::{ColumnType, Columns};
///
/// let columns = Columns::new()
///     .required("origin", ColumnType::String)
///     .required("time_hour", ColumnType::Timestamptz)
///     .optional("dep_delay", ColumnType::Int);
/// assert_eq!(columns.names().collect::<Vec<_>>(), ["origin", "time_hour", "dep_delay"]);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns(Vec<Column>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: ColumnType,
    pub(crate) required: bool,
}

impl Columns {
    /// No columns yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column that never holds a null.
    #[must_use]
    pub fn required(mut self, name: impl Into<String>, kind: ColumnType) -> Self {
        self.0.push(Column { name: name.into(), kind, required: true });
        self
    }

    /// Adds a column that may hold nulls.
    #[must_use]
    pub fn optional(mut self, name: impl Into<String>, kind: ColumnType) -> Self {
        self.0.push(Column { name: name.into(), kind, required: false });
        self
    }

    /// The columns' names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|column| column.name.as_str())
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Column> {
        self.0.iter()
    }

    /// Refuses an empty list, empty names and names given twice.
    pub(crate) fn check(&self, target: &str) -> Result<()> {
        if self.0.is_empty() {
            return Err(fault::declaration(target, "it has no columns", "name at least one column"));
        }
        let mut seen = BTreeSet::new();
        for name in self.names() {
            if name.is_empty() || name.contains(['.', '\n']) {
                let what = format!("{name:?} cannot be a column's name");
                return Err(fault::declaration(target, &what, "use a name without dots and line breaks"));
            }
            // Several engines compare names without regard to case.
            if !seen.insert(name.to_lowercase()) {
                let what = format!("column {name:?} is named twice (upper and lower case are the same here)");
                return Err(fault::declaration(target, &what, "name each column once"));
            }
        }
        Ok(())
    }

    /// The Iceberg schema of a new table: field ids count from 1.
    pub(crate) fn schema(&self) -> iceberg::Result<Schema> {
        let fields = (1..).zip(&self.0).map(|(id, column)| {
            Arc::new(NestedField::new(
                id,
                column.name.clone(),
                Type::Primitive(column.kind.primitive()),
                column.required,
            ))
        });
        Schema::builder().with_fields(fields).build()
    }

    /// How `table` differs from these columns; empty if every row of these columns can be written to it. A table may
    /// be laxer (a wider type, nulls allowed) and may have further optional columns.
    pub(crate) fn differences(&self, table: &Schema) -> Vec<String> {
        let mut differences = Vec::new();
        for Column { name, kind, required } in &self.0 {
            let Some(field) = table.field_by_name(name) else {
                differences.push(format!("column {name} is missing in the table"));
                continue;
            };
            if !kind.fits(&field.field_type) {
                differences.push(format!("column {name} is {} in the table and {kind} in the sink", field.field_type));
            }
            if field.required && !required {
                differences.push(format!("column {name} is required in the table and optional in the sink"));
            }
        }
        for field in table.as_struct().fields() {
            if field.required && !self.names().any(|name| name == field.name) {
                differences.push(format!("column {} is required in the table and missing in the sink", field.name));
            }
        }
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_work_are_refused() {
        let columns = |name: &str| Columns::new().required("a", ColumnType::Int).optional(name, ColumnType::Int);
        assert!(columns("b").check("t").is_ok());
        for bad in ["", "a.b", "a", "A"] {
            assert_eq!(columns(bad).check("t").unwrap_err().code(), "HW0501", "{bad}");
        }
        assert_eq!(Columns::new().check("t").unwrap_err().code(), "HW0501");
    }

    #[test]
    fn a_table_may_be_laxer_but_not_stricter() {
        let table = Columns::new()
            .required("a", ColumnType::Long)
            .optional("b", ColumnType::String)
            .optional("more", ColumnType::Int)
            .schema()
            .unwrap();
        let fits = Columns::new().required("a", ColumnType::Int).required("b", ColumnType::String);
        assert_eq!(fits.differences(&table), Vec::<String>::new());
        let not = Columns::new().optional("b", ColumnType::Int).required("c", ColumnType::Int);
        assert_eq!(
            not.differences(&table),
            [
                "column b is string in the table and int in the sink",
                "column c is missing in the table",
                "column a is required in the table and missing in the sink",
            ]
        );
    }
}
