//! Nexmark, a benchmark of queries over an auction house: a query a file, each checked against [`by_hand`].

mod by_hand;
mod check;
mod feed;
mod generator;
mod model;
mod q0;
mod q1;
mod q11;
mod q12;
mod q2;
mod q3;
mod q4;
mod q5;
mod q7;
mod q8;

use std::time::Duration;

use headwater::prelude::*;
use headwater_core::RecordBatch;

use self::{
    check::{Check, Shape, check},
    feed::Feed,
    generator::Generator,
    model::Event,
};
use crate::{
    Effort, Outcome,
    measure::{Spread, on_thread, repeat},
    outcome::{Figure, Goal},
    pipeline::Pipeline,
    pipeline_env::State,
};

const SEED: u64 = 20_150_715;
const EVENTS: usize = 500_000;
/// Events between two commits.
const ROUND: usize = 50_000;

struct Query {
    name: &'static str,
    topic: &'static str,
    topology: fn() -> Result<Topology, TopologyErrors>,
    check: fn(&[Event]) -> Check,
    /// Thousands of events per second.
    goal: Option<f64>,
}

const QUERIES: [Query; 10] = [
    Query {
        name: "nexmark q0: pass-through",
        topic: "q0",
        topology: q0::topology,
        check: |events| check(Shape::Log, Postcard, by_hand::q0(events)),
        goal: Some(1_000.0),
    },
    Query {
        name: "nexmark q1: currency conversion",
        topic: "q1",
        topology: q1::topology,
        check: |events| check(Shape::Log, Postcard, by_hand::q1(events)),
        goal: None,
    },
    Query {
        name: "nexmark q2: selection",
        topic: "q2",
        topology: q2::topology,
        check: |events| check(Shape::Log, Auto, by_hand::q2(events)),
        goal: None,
    },
    Query {
        name: "nexmark q3: local items (foreign-key join)",
        topic: "q3",
        topology: q3::topology,
        check: |events| check(Shape::Table, Postcard, by_hand::q3(events)),
        goal: None,
    },
    Query {
        name: "nexmark q4: average prices (stream join, highest, average)",
        topic: "q4",
        topology: q4::topology,
        check: |events| check(Shape::Table, Postcard, by_hand::q4(events)),
        goal: Some(50.0),
    },
    Query {
        name: "nexmark q5: hot items (hopping windows)",
        topic: "q5",
        topology: q5::topology,
        check: |events| check(Shape::Table, Postcard, by_hand::q5(events)),
        goal: Some(50.0),
    },
    Query {
        name: "nexmark q7: highest bid (tumbling windows)",
        topic: "q7",
        topology: q7::topology,
        check: |events| check(Shape::Table, Postcard, by_hand::q7(events)),
        goal: Some(50.0),
    },
    Query {
        name: "nexmark q8: new users (windowed cogroup)",
        topic: "q8",
        topology: q8::topology,
        check: |events| check(Shape::Set, Postcard, by_hand::q8(events)),
        goal: Some(200.0),
    },
    Query {
        name: "nexmark q11: user sessions",
        topic: "q11",
        topology: q11::topology,
        check: |events| check(Shape::Set, Postcard, by_hand::q11(events)),
        goal: None,
    },
    Query {
        name: "nexmark q12: processing-time windows",
        topic: "q12",
        topology: q12::topology,
        check: |events| check(Shape::Set, Auto, by_hand::q12(events, ROUND)),
        goal: None,
    },
];

/// Measures every query on one core: from the bytes of its input topics to those of its result, all its tasks and
/// repartition topics and a commit each [`ROUND`] events included; topics and committed rows are in memory. Queries with
/// state once more with their rows in RocksDB.
///
/// # Errors
/// If a result is not what is worked out by hand, which makes the figures void.
pub fn measure(effort: Effort) -> Outcome<Vec<Figure>> {
    let events: Vec<Event> = Generator::new(SEED).take(EVENTS / effort.shrink).collect();
    let feed = Feed::new(&events, ROUND)?;
    QUERIES.iter().map(|query| query.figure(&events, &feed, effort)).collect()
}

impl Query {
    fn figure(&self, events: &[Event], feed: &Feed, effort: Effort) -> Outcome<Figure> {
        eprintln!("measuring: {}", self.name);
        let topology = (self.topology)()?;
        let check = (self.check)(events);
        let run = |state: State<'_>| {
            let (time, result) = self.run(&topology, feed, state)?;
            check(&result).map_err(|error| format!("{}: {error}", self.name))?;
            Ok(time)
        };
        let times = repeat(effort.pairs, || run(State::InMemory))?;
        let records = feed.records(&topology);
        let thousands = |times: &[f64]| Spread::of(times.iter().map(|time| records as f64 / time / 1e3));
        let goal = self.goal.map(Goal::AtLeast);
        let figure = Figure::new(self.name, thousands(&times), "K events/s", goal);
        let figure = figure.part("CPU per event read", Spread::ns_per_record(&times, records), "ns");
        if topology.plan().stores.is_empty() {
            return Ok(figure);
        }
        let on_disk = repeat(effort.pairs, || {
            let dir = tempfile::TempDir::with_prefix("headwater-bench-")?;
            run(State::OnDisk(dir.path()))
        })?;
        Ok(figure.part("with the rows in RocksDB, its own threads left out", thousands(&on_disk), "K events/s"))
    }

    /// Runs it once over the whole feed.
    fn run(&self, topology: &Topology, feed: &Feed, state: State<'_>) -> Outcome<(Duration, Vec<RecordBatch>)> {
        let mut pipeline = Pipeline::new(topology, state)?;
        let time = on_thread(|| Ok(feed.drive(topology, &mut pipeline)?))?;
        match pipeline.counters() {
            counters if counters.is_empty() => Ok((time, pipeline.take_output(self.topic))),
            counters => Err(format!("{}: records were dropped: {counters:?}", self.name).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_answers_what_is_worked_out_by_hand() {
        for seed in [1, 2] {
            // More than two windows of ten seconds.
            let events: Vec<Event> = Generator::new(seed).take(210_000).collect();
            let feed = Feed::new(&events, ROUND).unwrap();
            for query in &QUERIES {
                let topology = (query.topology)().unwrap();
                let (_, result) = query.run(&topology, &feed, State::InMemory).unwrap();
                (query.check)(&events)(&result).unwrap_or_else(|error| panic!("{}, seed {seed}: {error}", query.name));
            }
        }
    }

    #[test]
    fn a_wrong_answer_is_noticed() {
        let events: Vec<Event> = Generator::new(1).take(60_000).collect();
        let feed = Feed::new(&events, ROUND).unwrap();
        // One event less than was read, or one that differs, and the answer is another one.
        let fewer = events.get(..events.len() - 1).unwrap();
        for query in QUERIES.iter().filter(|query| ["q0", "q1", "q12"].contains(&query.topic)) {
            let (_, result) = query.run(&(query.topology)().unwrap(), &feed, State::InMemory).unwrap();
            assert!((query.check)(fewer)(&result).is_err(), "{}", query.name);
            assert!((query.check)(&events)(&result[..result.len() - 1]).is_err(), "{}", query.name);
        }
    }
}
