//! The flights: what is fed, in which order, and what a plain count makes of them.

use std::collections::BTreeMap;

use headwater::prelude::*;
use headwater_core::partition_for_key;
use serde::Deserialize;

use crate::{Outcome, example_feed};

/// A flight as it is fed.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its carrier.
    pub key: String,
    /// The hour of its scheduled departure.
    pub timestamp: Timestamp,
    /// All its columns, as JSON.
    pub json: String,
}

/// What both sides read of a flight.
#[derive(Debug, Clone, serde::Serialize, Deserialize)]
pub struct Flight {
    pub carrier: String,
    pub origin: String,
    pub tailnum: String,
}

/// `origin/carrier` and the first millisecond of a UTC day.
pub type Window = (String, Timestamp);
/// Flights per window.
pub type Counts = BTreeMap<Window, i64>;

/// The year's flights in the order in which the airport saw them, and the right answer.
#[derive(Debug)]
pub struct Flights {
    pub records: Vec<Record>,
    pub truth: Counts,
}

/// The origin of the records that only move time; no airport's.
const CLOSING_ORIGIN: &str = "END";

/// Reads the example's data. As in the example, a flight without a tail number does not count: it is not fed.
pub fn read() -> Outcome<Flights> {
    let mut records = Vec::new();
    let mut truth = Counts::new();
    for flight in example_feed::flights()?.into_iter().filter(|flight| flight.tailnum.is_some()) {
        let day = flight.time_hour - flight.time_hour.rem_euclid(days(1));
        *truth.entry((key(&flight.origin, &flight.carrier), day)).or_default() += 1;
        let json = serde_json::to_string(&flight)?;
        records.push(Record { key: flight.carrier, timestamp: flight.time_hour, json });
    }
    Ok(Flights { records, truth })
}

/// What the flights are re-keyed to: text, so that both sides send it to the same partition.
pub fn key(origin: &str, carrier: &str) -> String {
    format!("{origin}/{carrier}")
}

/// Whether a window counts records that only move time.
pub fn is_closing(window: &Window) -> bool {
    window.0.starts_with(CLOSING_ORIGIN)
}

/// For every partition of the input, records of a far later time that reach every partition behind the repartition, so
/// that the year's last windows close on both sides.
pub fn closing(partitions: i32, last: Timestamp) -> Outcome<Vec<(i32, Record)>> {
    let mut records = Vec::new();
    for (from, to) in (0..partitions).flat_map(|from| (0..partitions).map(move |to| (from, to))) {
        let mut carriers = (0..10_000).map(|number| format!("{from}-{number}"));
        let carrier = carriers
            .find(|carrier| partition_for_key(key(CLOSING_ORIGIN, carrier).as_bytes(), partitions) == to)
            .ok_or("no key leads to that partition")?;
        let flight =
            Flight { carrier: carrier.clone(), origin: CLOSING_ORIGIN.to_owned(), tailnum: CLOSING_ORIGIN.to_owned() };
        let json = serde_json::to_string(&flight)?;
        records.push((from, Record { key: carrier, timestamp: last + days(30), json }));
    }
    Ok(records)
}
