//! All flights that left New York City in 2013, checked, joined, summed up by day, into a lake.
//!
//! `./dev demo` feeds and processes the year; `./dev flights --help` lists what else the program can do. Begin with
//! `topology.rs`, which says what happens to a flight; `model.rs` has the types and the tables' columns, `feed.rs` reads
//! the data, `report.rs` prints the worst days.

mod feed;
mod model;
mod report;
mod topology;

use std::process::ExitCode;

use headwater::{
    cli::{Feed, Program, Report, Topic},
    prelude::*,
};

/// The program: a topology, the topics it needs, its data and its report.
struct Flights;

impl Program for Flights {
    fn topology(&self) -> Result<Topology, TopologyErrors> {
        topology::topology()
    }

    fn topics(&self) -> Vec<Topic> {
        vec![
            Topic::new("flights", 4),
            Topic::new("airlines", 1),
            Topic::new("flights.rejected", 4),
            Topic::new("daily-delays", 4),
        ]
    }

    fn feed(&self, feed: &mut Feed<'_>) -> UserResult<()> {
        let airlines = feed::airlines()?;
        feed.append("airlines", airlines.iter().map(|airline| Feed::json(&airline.carrier, 0, airline)))?;
        let flights = feed::flights()?;
        feed.append("flights", flights.iter().map(|flight| Feed::json(&flight.carrier, flight.time_hour, flight)))?;
        Ok(())
    }

    fn report(&self, report: &Report<'_>) -> UserResult<String> {
        let table = report.table("delays-table")?.ok_or("the delays table cannot be read back")?;
        report::worst_days(&table, 5)
    }
}

/// A program without data of its own needs only `headwater::cli::main(topology::topology)`.
fn main() -> ExitCode {
    headwater::cli::main(Flights)
}
