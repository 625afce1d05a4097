//! `./dev replay-parity`: the same windows over the same flights, on Kafka Streams and on Headwater, on one broker.
//!
//! The topology is the smallest one in which a backlog matters: flights by carrier, re-keyed through a repartition topic
//! to origin and carrier, counted by day, each count emitted once when its window closes. Every run gets a topic that is
//! filled afresh with the same flights in the same order, and its answer is compared with a plain count of the CSV.

#![expect(clippy::print_stdout, reason = "the table is this program's result")]

mod arguments;
mod broker;
#[path = "../../examples/flights/feed.rs"]
#[expect(dead_code, reason = "only the flights are read")]
mod example_feed;
mod flights;
mod headwater_twin;
mod judge;
#[path = "../../examples/flights/model.rs"]
#[expect(dead_code, reason = "only a flight is needed")]
mod model;
mod run;
mod table;
mod twin;

use std::process::ExitCode;

use arguments::{Command, Plan};
use headwater::log::testkit::KafkaServer;

type Outcome<T> = headwater::prelude::UserResult<T>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments::parse(&arguments) {
        Ok(Command::Help) => {
            println!("{}", arguments::HELP);
            Ok(true)
        }
        Ok(Command::HeadwaterTwin(place)) => headwater_twin::work(&place).map(|()| true),
        Ok(Command::Compare(plan)) => compare(&plan),
        Err(wrong) => {
            eprintln!("replay-parity: {wrong}\n\n{}", arguments::HELP);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("replay-parity: {error}");
            ExitCode::from(2)
        }
    }
}

/// Measures every row and prints the table; whether Headwater lost nothing and gave one answer.
fn compare(plan: &Plan) -> Outcome<bool> {
    let machine = table::machine();
    let java = twin::java_class_path()?;
    let flights = flights::read()?;
    let server = KafkaServer::start()?;
    let bench = run::Bench::new(&server, &flights, java, plan.rate)?;
    let mut results = Vec::new();
    for row in &plan.rows {
        for engine in plan.engines.iter().filter(|engine| row.is_for(**engine)) {
            for fill in 1..=plan.fills {
                let result = bench.run(*engine, row, fill)?;
                eprintln!("{}", table::line(&result));
                results.push(result);
            }
        }
    }
    let table = table::Table::new(plan, &results, machine);
    println!("{}", table.markdown());
    if plan.is_whole() {
        for path in table.write()? {
            eprintln!("written to {}", path.display());
        }
    }
    Ok(table.headwater_is_faultless())
}
