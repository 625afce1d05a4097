//! The workloads, as `bench/java/DriverRival.java` has them, and their results in a form in which the two can be compared.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use headwater::{
    dsl::{decode_row, decode_window_key},
    prelude::*,
};
use headwater_core::{BatchBuilder, RecordBatch};

use crate::{Outcome, pipeline::Pipeline};

const KEYS: u64 = 1_000;
/// So late that every window is there, also those that began before the first record.
const START_MS: i64 = hours(1);
/// No window closes, so that at the end all rows are still there to be compared.
const GRACE_MS: i64 = days(1);
const TUMBLING: Tumbling = Tumbling::of(seconds(10)).grace(GRACE_MS);
const HOPPING: Hopping = Hopping::of(seconds(60)).advance_by(seconds(5)).grace(GRACE_MS);
const SESSION: Session = Session::with_gap(1_500).grace(seconds(1));

/// How many rows a result has, and the sum of their marks, which depend on all their parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    pub rows: i64,
    pub sum: i64,
}

impl Marks {
    fn note(&mut self, key: i64, start: i64, end: i64, value: i64) {
        self.rows += 1;
        self.sum =
            self.sum.wrapping_add([key, start, end, value].into_iter().fold(17, |mark, part| mixed(mark ^ part)));
    }
}

fn mixed(number: i64) -> i64 {
    let product = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (product ^ (product >> 32)) as i64
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// A filter, a map and a count.
    Count,
    /// Five stateless operators and a count.
    Chain,
    Tumbling,
    Hopping,
    Session,
    Join,
}

/// A topology with what collects results that are in no store.
pub struct Built {
    workload: Workload,
    pub topology: Topology,
    sessions: Arc<Mutex<HashMap<Windowed<i64>, i64>>>,
    joined: Arc<Mutex<Marks>>,
}

impl Workload {
    /// Its name on the other side.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Chain => "chain",
            Self::Tumbling => "tumbling",
            Self::Hopping => "hopping",
            Self::Session => "session",
            Self::Join => "join",
        }
    }

    /// Its topology.
    ///
    /// # Errors
    /// Never: it is a right one.
    pub fn build(self) -> Result<Built, TopologyErrors> {
        let app = StreamsBuilder::new("rival");
        let numbers = app.stream::<i64, i64>("numbers", Auto);
        let (sessions, joined) = <(Arc<Mutex<HashMap<Windowed<i64>, i64>>>, Arc<Mutex<Marks>>)>::default();
        match self {
            Self::Count => {
                let counted = numbers.filter(|_, value| value % 10 != 0).map_values(|value| value * 3);
                counted.group_by_key("by-key").count("rows");
            }
            Self::Chain => {
                numbers
                    .filter(|_, value| value % 10 != 0)
                    .map_values(|value| value * 3)
                    .peek(|_, _| {})
                    .filter_not(|key, value| key == value)
                    .map_values(|value| value ^ 1)
                    .group_by_key("by-key")
                    .count("rows");
            }
            Self::Tumbling => drop(numbers.group_by_key("by-key").windowed_by(TUMBLING).count("rows")),
            Self::Hopping => drop(numbers.group_by_key("by-key").windowed_by(HOPPING).count("rows")),
            Self::Session => {
                let last = sessions.clone();
                let changes = numbers.group_by_key("by-key").windowed_by(SESSION).count("rows").to_stream();
                changes.for_each(move |session, count| {
                    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                    match count {
                        Some(count) => last.insert(session, count),
                        None => last.remove(&session),
                    };
                });
            }
            Self::Join => {
                let marks = joined.clone();
                let within = JoinWindows::of(seconds(1)).no_grace();
                let others = app.stream::<i64, i64>("others", Auto);
                let joined = numbers.join_stream(&others, |left, right| left * 31 + right, within, "both");
                joined.for_each(move |key, both| {
                    marks.lock().unwrap_or_else(PoisonError::into_inner).note(key, 0, 0, both);
                });
            }
        }
        Ok(Built { workload: self, topology: app.build()?, sessions, joined })
    }

    /// The records in batches with their topics, as a log hands them out.
    ///
    /// # Errors
    /// Never: a batch of records is a batch.
    pub fn batches(self, records: usize, batch: usize) -> Outcome<Vec<(&'static str, RecordBatch)>> {
        let mut batches = Vec::new();
        let topics: &[&'static str] = if self == Self::Join { &["numbers", "others"] } else { &["numbers"] };
        for base in (0..records).step_by(batch) {
            for (place, topic) in topics.iter().enumerate() {
                let mut builder = BatchBuilder::new();
                let numbers = (base..records.min(base + batch)).filter(|number| number % topics.len() == place);
                for number in numbers {
                    let (key, value, time) = record(number);
                    builder.push(time, Some(&key.to_be_bytes()), Some(&value.to_be_bytes()), &Headers::new());
                }
                batches.push((*topic, builder.take().ok_or("an empty batch")?.at((base / topics.len()) as i64)));
            }
        }
        Ok(batches)
    }
}

/// The key, value and time of record `number`. No key comes in regular steps: some pauses between two records of one key
/// are short and some long.
pub fn record(number: usize) -> (i64, i64, Timestamp) {
    let number = number as i64;
    let hash = mixed(mixed(17 ^ number)) as u64;
    (((hash >> 1) % KEYS) as i64, number, START_MS + number)
}

impl Built {
    /// What has come of a run.
    ///
    /// # Errors
    /// If a row of the store cannot be read.
    pub fn marks(&self, pipeline: &Pipeline) -> Outcome<Marks> {
        let mut marks = Marks::default();
        match self.workload {
            Workload::Count | Workload::Chain => {
                for (key, row) in pipeline.rows("rows")? {
                    marks.note(key_of(&key)?, 0, 0, value_of(&row)?);
                }
            }
            Workload::Tumbling | Workload::Hopping => {
                let size = if self.workload == Workload::Tumbling { seconds(10) } else { seconds(60) };
                for (key, row) in pipeline.rows("rows")? {
                    let (start, key) = decode_window_key(&key).ok_or("a key of the store cannot be read")?;
                    marks.note(key_of(key)?, start, start + size, value_of(&row)?);
                }
            }
            Workload::Session => {
                for (session, count) in &*self.sessions.lock().unwrap_or_else(PoisonError::into_inner) {
                    marks.note(session.key, session.start, session.end, *count);
                }
            }
            Workload::Join => marks = *self.joined.lock().unwrap_or_else(PoisonError::into_inner),
        }
        Ok(marks)
    }
}

fn key_of(bytes: &[u8]) -> Outcome<i64> {
    Ok(Serde::<i64>::decode(&Auto, Some(bytes))?)
}

fn value_of(row: &[u8]) -> Outcome<i64> {
    let (_, value) = decode_row(row).ok_or("a row of the store cannot be read")?;
    Ok(Serde::<i64>::decode(&Postcard, Some(value))?)
}

/// The marks of keys and counts.
pub fn marks_of(counts: &[(i64, i64)]) -> Marks {
    let mut marks = Marks::default();
    counts.iter().for_each(|(key, count)| marks.note(*key, 0, 0, *count));
    marks
}
