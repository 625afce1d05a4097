//! All flights that left New York City in 2013, checked, joined, summed up by day, into a lake.
//!
//! `./dev demo` feeds and processes the year; `./dev flights --help` lists what else the program can do. Begin with
//! `topology.rs`, which says what happens to a flight; `model.rs` has the types and the tables' columns, `feed.rs` reads
//! the data, `report.rs` finds the worst days.

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
        [("flights", 4), ("airlines", 1), ("flights.rejected", 4), ("daily-delays", 4)]
            .map(|(name, partitions)| Topic::new(name, partitions))
            .into()
    }

    fn feed(&self, feed: &mut Feed<'_>) -> UserResult<()> {
        let airlines = feed::airlines()?.into_iter().map(|airline| (airline.carrier.clone(), 0, airline));
        feed.append("airlines", Text, Json, airlines)?;
        let flights = feed::flights()?.into_iter().map(|flight| (flight.carrier.clone(), flight.time_hour, flight));
        feed.append("flights", Text, Json, flights)?;
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
