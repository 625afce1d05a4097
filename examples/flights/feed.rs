//! The data: CSV files beside the program. An error names file, line and column.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    str::FromStr,
};

use csv::StringRecord;
use headwater::prelude::*;

use crate::model::{Airline, Flight};

/// The flights in the order in which the airport saw them: by their real departure, a cancelled one by its scheduled one.
pub fn flights() -> UserResult<Vec<Flight>> {
    let path = data("flights.csv.zst");
    let text = zstd::Decoder::new(open(&path)?)?;
    let mut flights = read(&path, text, |line| {
        Ok(Flight {
            year: line.get("year")?,
            month: line.get("month")?,
            day: line.get("day")?,
            dep_time: line.known("dep_time")?,
            sched_dep_time: line.get("sched_dep_time")?,
            dep_delay: line.known("dep_delay")?,
            arr_time: line.known("arr_time")?,
            sched_arr_time: line.get("sched_arr_time")?,
            arr_delay: line.known("arr_delay")?,
            carrier: line.get("carrier")?,
            flight: line.get("flight")?,
            tailnum: line.known("tailnum")?,
            origin: line.get("origin")?,
            dest: line.get("dest")?,
            air_time: line.known("air_time")?,
            distance: line.get("distance")?,
            hour: line.get("hour")?,
            minute: line.get("minute")?,
            time_hour: line.get::<Hour>("time_hour")?.0,
        })
    })?;
    let seen = |flight: &Flight| {
        flight.time_hour + minutes(i64::from(flight.minute)) + minutes(i64::from(flight.dep_delay.unwrap_or(0)))
    };
    flights.sort_by_key(seen); // A stable sort: flights of one minute stay in the file's order.
    Ok(flights)
}

/// The airlines.
pub fn airlines() -> UserResult<Vec<Airline>> {
    let path = data("airlines.csv");
    read(&path, open(&path)?, |line| Ok(Airline { carrier: line.get("carrier")?, name: line.get("name")? }))
}

/// `examples/flights/data`, where the program was compiled, or the directory that `FLIGHTS_DATA` names.
fn data(file: &str) -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/flights/data");
    PathBuf::from(std::env::var("FLIGHTS_DATA").unwrap_or_else(|_| beside.to_owned())).join(file)
}

fn open(path: &PathBuf) -> UserResult<File> {
    Ok(File::open(path).map_err(|error| format!("{}: {error}", path.display()))?)
}

fn read<T>(path: &Path, text: impl Read, parse: impl Fn(&Line<'_>) -> UserResult<T>) -> UserResult<Vec<T>> {
    let mut csv = csv::Reader::from_reader(text);
    let named = |error: csv::Error| format!("{}: {error}", path.display());
    let header = csv.headers().map_err(named)?.clone();
    let (mut rows, mut cells) = (Vec::new(), StringRecord::new());
    while csv.read_record(&mut cells).map_err(named)? {
        let number = cells.position().map_or(0, csv::Position::line);
        let row = parse(&Line { header: &header, cells: &cells });
        rows.push(row.map_err(|error| format!("{}, line {number}, {error}", path.display()))?);
    }
    Ok(rows)
}

/// A line whose cells are found by their column's name.
struct Line<'a> {
    header: &'a StringRecord,
    cells: &'a StringRecord,
}

impl Line<'_> {
    fn get<T: FromStr<Err: std::fmt::Display>>(&self, column: &str) -> UserResult<T> {
        let cell = self.header.iter().zip(self.cells).find(|(name, _)| *name == column).map(|(_, cell)| cell);
        let cell = cell.ok_or_else(|| format!("column {column}: it is missing"))?;
        Ok(cell.parse().map_err(|error| format!("column {column}: {cell:?}: {error}"))?)
    }

    /// `NA` means that nobody knows.
    fn known<T: FromStr<Err: std::fmt::Display>>(&self, column: &str) -> UserResult<Option<T>> {
        if self.get::<String>(column)? == "NA" { Ok(None) } else { self.get(column).map(Some) }
    }
}

/// An hour in UTC, such as `2013-01-31T10:00:00Z`.
struct Hour(Timestamp);

impl FromStr for Hour {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers: Vec<i64> = text.split(['-', 'T', ':', 'Z']).filter_map(|part| part.parse().ok()).collect();
        let &[year, month, day, hour, minute, 0] = numbers.as_slice() else { return Err("not a time in UTC") };
        // Years begin in March here, so that the leap day is a year's last; day 719,468 of that count is 1970-01-01.
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let day_number = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
        Ok(Self(days(day_number) + hours(hour) + minutes(minute)))
    }
}
