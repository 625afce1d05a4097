//! A year of flights as records: JSON under the carrier's code, by partition.

use std::{fmt::Write, fs::File};

use headwater_core::{BatchBuilder, Headers, RecordBatch, days, hours, partition_for_key};
use serde_json::json;

use crate::Outcome;

/// Columns that are text; the others are numbers, but for `time_hour`.
const TEXT: [&str; 4] = ["carrier", "tailnum", "origin", "dest"];
/// Bytes per batch.
const BATCH_BYTES: usize = 64 << 10;

/// The first `limit` flights in the order of their scheduled hour, in batches by partition.
///
/// # Errors
/// If the data cannot be read.
pub fn flights(partitions: i32, limit: usize) -> Outcome<Vec<Vec<RecordBatch>>> {
    let mut rows = rows("flights.csv.zst")?;
    rows.sort_by_key(|row| row.timestamp);
    rows.truncate(limit);
    batches(&rows, partitions)
}

/// The airlines, in one partition.
///
/// # Errors
/// If the data cannot be read.
pub fn airlines() -> Outcome<Vec<Vec<RecordBatch>>> {
    batches(&rows("airlines.csv")?, 1)
}

struct Row {
    timestamp: i64,
    carrier: String,
    json: String,
}

fn rows(file: &str) -> Outcome<Vec<Row>> {
    let path = format!("{}/../examples/flights/data/{file}", env!("CARGO_MANIFEST_DIR"));
    let raw = File::open(&path).map_err(|error| format!("{path}: {error}"))?;
    let text: Box<dyn std::io::Read> =
        if file.ends_with(".zst") { Box::new(zstd::Decoder::new(raw)?) } else { Box::new(raw) };
    let mut csv = csv::Reader::from_reader(text);
    let columns = csv.headers()?.clone();
    csv.records().map(|line| row(&columns, &line?)).collect()
}

fn row(columns: &csv::StringRecord, line: &csv::StringRecord) -> Outcome<Row> {
    let mut row = Row { timestamp: 0, carrier: String::new(), json: String::from("{") };
    for (column, cell) in columns.iter().zip(line) {
        let value = match column {
            _ if cell == "NA" => json!(null),
            "time_hour" => {
                row.timestamp = hour(cell).ok_or_else(|| format!("{cell:?} is no hour"))?;
                json!(row.timestamp)
            }
            "name" => json!(cell),
            _ if TEXT.contains(&column) => json!(cell),
            _ => json!(cell.parse::<i64>()?),
        };
        if column == "carrier" {
            cell.clone_into(&mut row.carrier);
        }
        let comma = if row.json.len() > 1 { "," } else { "" };
        write!(row.json, "{comma}{}:{value}", json!(column))?;
    }
    row.json.push('}');
    Ok(row)
}

/// `2013-01-31T10:00:00Z`, of 2013, in milliseconds since 1970.
fn hour(text: &str) -> Option<i64> {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    const NEW_YEAR: i64 = 15_706;
    let numbers: Vec<i64> = text.split(['-', 'T', ':', 'Z']).filter_map(|part| part.parse().ok()).collect();
    let &[year, month, day, hour, 0, 0] = numbers.as_slice() else { return None };
    let before = BEFORE.get(usize::try_from(month - 1).ok()?)?;
    Some(days(NEW_YEAR + 365 * (year - 2013) + before + day - 1) + hours(hour))
}

fn batches(rows: &[Row], partitions: i32) -> Outcome<Vec<Vec<RecordBatch>>> {
    let none = Headers::new();
    let width = usize::try_from(partitions)?;
    let mut done: Vec<Vec<RecordBatch>> = vec![Vec::new(); width];
    let mut open: Vec<BatchBuilder> = vec![BatchBuilder::new(); width];
    for row in rows {
        let partition = usize::try_from(partition_for_key(row.carrier.as_bytes(), partitions))?;
        if let (Some(open), Some(done)) = (open.get_mut(partition), done.get_mut(partition)) {
            open.push(row.timestamp, Some(row.carrier.as_bytes()), Some(row.json.as_bytes()), &none);
            if open.byte_len() >= BATCH_BYTES {
                done.extend(open.take());
            }
        }
    }
    for (open, done) in open.iter_mut().zip(&mut done) {
        done.extend(open.take());
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_as_headwater_prints_them() {
        for text in ["2013-01-01T10:00:00Z", "2013-12-31T23:00:00Z", "2014-01-01T04:00:00Z"] {
            assert_eq!(headwater_core::format_timestamp(hour(text).unwrap()), text);
        }
    }
}
