//! `compare N M`: equal, different, or could not compare.

use std::process::ExitCode;

use headwater_core::TableRow;

use super::{
    args::CompareArgs,
    failure::Failure,
    output::{Output, grouped},
    program::Program,
};
use crate::compare::{TableDifference, compare as compare_tables};

const DIFFERENT: u8 = 1;
const NOT_COMPARED: u8 = 2;

pub(super) fn compare(program: &dyn Program, args: &CompareArgs) -> Result<ExitCode, Failure> {
    let found = read(program, args).map_err(|failure| failure.with_code(NOT_COMPARED))?;
    let mut out = Output::stdout();
    for table in &found {
        for line in lines(table) {
            out.line(line)?;
        }
    }
    out.finish()?;
    let equal = found.iter().all(TableDifference::is_equal);
    Ok(if equal { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENT) })
}

fn read(program: &dyn Program, args: &CompareArgs) -> Result<Vec<TableDifference>, Failure> {
    let topology = program.topology()?;
    args.place.require("lake")?;
    Ok(compare_tables(&topology, &args.place.settings(1), args.left, args.right, args.rows)?)
}

fn lines(found: &TableDifference) -> Vec<String> {
    let left = format!("{} ({} rows)", found.left, grouped(found.left_rows));
    let right = format!("{} ({} rows)", found.right, grouped(found.right_rows));
    if found.is_equal() {
        return vec![format!("equal      {left} and {right}")];
    }
    let (only_left, only_right) = (grouped(found.only_left), grouped(found.only_right));
    let mut lines =
        vec![format!("different  {left} and {right}: {only_left} rows only in the first, {only_right} in the second")];
    for (is_left, row) in &found.examples {
        let table = if *is_left { &found.left } else { &found.right };
        lines.push(format!("  only in {table}: {}", cells(&found.columns, row)));
    }
    lines
}

fn cells(columns: &[String], row: &TableRow) -> String {
    let cells = columns.iter().zip(row);
    let cells: Vec<_> = cells.map(|(name, cell)| format!("{name}={}", cell.as_deref().unwrap_or("null"))).collect();
    cells.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_its_rows_and_an_equality_does_not() {
        let mut found = TableDifference {
            left: "t".to_owned(),
            right: "t__v2".to_owned(),
            columns: vec!["a".to_owned(), "b".to_owned()],
            left_rows: 1_000,
            right_rows: 999,
            only_left: 1,
            only_right: 0,
            examples: vec![(true, vec![Some("x".to_owned()), None])],
        };
        let expected = "different  t (1,000 rows) and t__v2 (999 rows): 1 rows only in the first, 0 in the second";
        assert_eq!(lines(&found), [expected, "  only in t: a=x b=null"]);
        found.only_left = 0;
        assert_eq!(lines(&found), ["equal      t (1,000 rows) and t__v2 (999 rows)"]);
    }
}
