//! Comparing the results of two versions of a pipeline.

use std::collections::BTreeMap;

use headwater_core::{Error, ErrorKind, Result, Table, TableRow};
use headwater_dsl::Topology;

use crate::settings::Settings;

/// How the results of two versions relate, table by table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDifference {
    /// The left table's name.
    pub left: String,
    /// The right table's name.
    pub right: String,
    /// The columns.
    pub columns: Vec<String>,
    /// How many rows the left table has.
    pub left_rows: usize,
    /// How many rows the right table has.
    pub right_rows: usize,
    /// How many rows are only on the left, each counted as often as it is missing on the right.
    pub only_left: usize,
    /// How many rows are only on the right.
    pub only_right: usize,
    /// The first differing rows in order: true for one that is only on the left.
    pub examples: Vec<(bool, TableRow)>,
}

impl TableDifference {
    /// Whether the tables hold the same rows.
    pub fn is_equal(&self) -> bool {
        self.only_left == 0 && self.only_right == 0
    }
}

/// Compares what versions `left` and `right` of the topology have committed to their sinks, as multisets of rows. Up to
/// `examples` differing rows per table are kept.
///
/// # Errors
/// `HW0620` if no sink can be read back, or one of the tables is missing or has other columns.
pub fn compare(
    topology: &Topology,
    settings: &Settings,
    left: u32,
    right: u32,
    examples: usize,
) -> Result<Vec<TableDifference>> {
    let mut differences = Vec::new();
    for (name, sink) in topology.sinks() {
        let read = |version: u32| {
            let of_version = Settings { version, ..settings.clone() };
            let app = topology.versioned(version).plan().app.clone();
            sink.read(&of_version.sink_context(&app, name, 0))
        };
        if let (Some(left), Some(right)) = (read(left)?, read(right)?) {
            differences.push(difference(left, right, examples)?);
        }
    }
    if differences.is_empty() {
        return Err(Error::new(ErrorKind::Config, "HW0620", "the topology has no sink that can be read back")
            .help("compare works on Iceberg tables; write one beside the topic"));
    }
    Ok(differences)
}

fn difference(left: Table, right: Table, examples: usize) -> Result<TableDifference> {
    if left.columns != right.columns {
        let message = format!(
            "{} has columns {}, {} has {}",
            left.name,
            left.columns.join(", "),
            right.name,
            right.columns.join(", ")
        );
        return Err(Error::new(ErrorKind::Config, "HW0620", message).help("tables of equal columns can be compared"));
    }
    let (left_rows, right_rows) = (left.rows.len(), right.rows.len());
    let mut counts: BTreeMap<TableRow, i64> = BTreeMap::new();
    for row in left.rows {
        *counts.entry(row).or_default() += 1;
    }
    for row in right.rows {
        *counts.entry(row).or_default() -= 1;
    }
    let (mut only_left, mut only_right, mut shown) = (0, 0, Vec::new());
    for (row, count) in counts {
        let times = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        if count > 0 {
            only_left += times;
        } else {
            only_right += times;
        }
        if count != 0 && shown.len() < examples {
            shown.push((count > 0, row));
        }
    }
    Ok(TableDifference {
        left: left.name,
        right: right.name,
        columns: left.columns,
        left_rows,
        right_rows,
        only_left,
        only_right,
        examples: shown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, rows: &[&str]) -> Table {
        let rows = rows.iter().map(|cell| vec![Some((*cell).to_owned())]).collect();
        Table { name: name.to_owned(), columns: vec!["c".to_owned()], rows }
    }

    #[test]
    fn rows_are_compared_as_often_as_they_occur() {
        let found = difference(table("l", &["a", "a", "b"]), table("r", &["b", "a", "c"]), 1).unwrap();
        assert_eq!((found.only_left, found.only_right, found.examples.len()), (1, 1, 1));
        assert!(!found.is_equal());
        assert!(difference(table("l", &["a", "b"]), table("r", &["b", "a"]), 9).unwrap().is_equal());
    }

    #[test]
    fn other_columns_cannot_be_compared() {
        let mut other = table("r", &[]);
        other.columns.push("d".to_owned());
        assert_eq!(difference(table("l", &[]), other, 9).unwrap_err().code(), "HW0620");
    }
}
