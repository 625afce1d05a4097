//! The data: CSV files beside the program. An error names file, line and column.

use std::{fs::File, io::Read, path::PathBuf};

use csv::{ErrorKind, StringRecord};
use headwater::prelude::*;
use serde::de::DeserializeOwned;

use crate::model::{Airline, Flight};

/// The flights in the order in which the airport saw them: by their real departure, a cancelled one by its scheduled one.
pub fn flights() -> UserResult<Vec<Flight>> {
    let mut flights: Vec<Flight> = read("flights.csv.zst", |file| Ok(zstd::Decoder::new(file)?))?;
    let late = |flight: &Flight| minutes(i64::from(flight.minute + flight.dep_delay.unwrap_or(0)));
    flights.sort_by_key(|flight| flight.time_hour + late(flight)); // Stable: ties stay in the file's order.
    Ok(flights)
}

/// The airlines.
pub fn airlines() -> UserResult<Vec<Airline>> {
    read("airlines.csv", Ok)
}

/// Reads a file of `examples/flights/data`, or of the directory that `FLIGHTS_DATA` names.
fn read<T: DeserializeOwned, R: Read>(name: &str, text: impl Fn(File) -> UserResult<R>) -> UserResult<Vec<T>> {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flights/data");
    let path = PathBuf::from(std::env::var("FLIGHTS_DATA").unwrap_or_else(|_| data.to_owned())).join(name);
    let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut csv = csv::Reader::from_reader(text(file)?);
    let header = csv.headers().map_err(|error| format!("{}: {error}", path.display()))?.clone();
    let (mut rows, mut line) = (Vec::new(), StringRecord::new());
    while csv.read_record(&mut line).map_err(|error| format!("{}: {error}", path.display()))? {
        let number = line.position().map_or(0, csv::Position::line);
        let row = row(&header, &line).map_err(|error| format!("{}, line {number}, {error}", path.display()))?;
        rows.push(row);
    }
    Ok(rows)
}

/// A line as a value: `NA` is null, and `time_hour` becomes milliseconds.
fn row<T: DeserializeOwned>(header: &StringRecord, line: &StringRecord) -> Result<T, String> {
    let mut cells = StringRecord::with_capacity(line.as_slice().len(), line.len());
    for (column, cell) in header.iter().zip(line) {
        match (column, cell) {
            (_, "NA") => cells.push_field(""),
            ("time_hour", cell) => {
                let time =
                    milliseconds(cell).ok_or_else(|| format!("column time_hour: {cell:?} is not a time in UTC"))?;
                cells.push_field(&time.to_string());
            }
            (_, cell) => cells.push_field(cell),
        }
    }
    cells.deserialize(Some(header)).map_err(|error| match error.kind() {
        ErrorKind::Deserialize { err, .. } => {
            let column = err.field().and_then(|place| header.get(usize::try_from(place).ok()?)).unwrap_or("?");
            format!("column {column}: {}", err.kind())
        }
        _ => error.to_string(),
    })
}

/// Milliseconds since 1970 of a time such as `2013-01-31T10:00:00Z`.
fn milliseconds(text: &str) -> Option<Timestamp> {
    let parts: Option<Vec<i64>> =
        text.strip_suffix('Z')?.split(['-', 'T', ':']).map(|part| part.parse().ok()).collect();
    let &[year, month, day, hour, minute, second] = parts?.as_slice() else { return None };
    // Years begin in March here, so that the leap day is a year's last; day 719,468 of that count is 1970-01-01.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let number = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days(number) + hours(hour) + minutes(minute) + seconds(second))
}
