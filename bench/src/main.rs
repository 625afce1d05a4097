//! Headwater's measurements, by CPU time: each figure a ratio to a rival within one run, in interleaved pairs; of Nexmark
//! also events per second.
//!
//! `./dev bench [--quick] [NAME ...]`; `--help` has the names. Figures go to stdout, and with everything measured to
//! `bench/results/latest.json`; with `--quick` nothing is written, and the figures only show that all still runs.

#![expect(clippy::print_stdout, reason = "the figures are this program's results")]

mod disorder;
mod drive;
mod driver_chain;
mod fed_log;
mod feed;
mod flights;
mod hopping;
mod instructions;
mod java_rival;
mod large_state;
mod log_throughput;
mod measure;
mod memory_topics;
#[path = "../../examples/flights/model.rs"]
mod model;
#[path = "../nexmark/mod.rs"]
mod nexmark;
mod outcome;
mod pipeline;
mod pipeline_env;
mod rocks_rival;
mod session;
mod stream_join;
#[path = "../../examples/flights/topology.rs"]
mod topology;
mod tumbling;
mod whole_chain;
mod windows;

use std::process::ExitCode;

use outcome::{Figure, machine, print, write_results};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// Interleaved pairs per figure.
    pairs: usize,
    /// Divides the numbers of records.
    shrink: usize,
}

const FULL: Effort = Effort { pairs: 7, shrink: 1 };
const QUICK: Effort = Effort { pairs: 2, shrink: 10 };

type Measurement = fn(Effort) -> Outcome<Vec<Figure>>;
const MEASUREMENTS: [(&str, Measurement); 10] = [
    ("chain", chain),
    ("tumbling", |effort| tumbling::TUMBLING.measure(effort)),
    ("hopping", |effort| hopping::HOPPING.measure(effort)),
    ("session", |effort| session::SESSION.measure(effort)),
    ("join", stream_join::measure),
    ("large-state", large_state::measure),
    ("nexmark", nexmark::measure),
    ("java", java_rival::measure),
    ("log", log_throughput::measure),
    ("flights", flights::measure),
];

const HELP: &str = "Usage: ./dev bench [--quick] [NAME ...]
       ./dev bench --instructions [--keep]

Measures Headwater against its rivals, by CPU time, in interleaved pairs; prints the median (least .. greatest) of the
pairs' ratios and writes them to bench/results/latest.json if everything was measured.

  NAME            all of these if none is given:
                  chain        operators and a count, beside a bare loop
                  tumbling, hopping, session, join
                               windowed counts and a stream join on the driver, beside the same by hand
                  large-state  a count over more keys than fit into memory, beside bare RocksDB
                  nexmark      the queries of an auction house, in thousands of events per second
                  java         windows, a join and the chain, beside Kafka Streams' test driver; needs a JDK and Maven
                  log          the embedded log, beside bare RocksDB
                  flights      the demo's processing, beside a bare loop
  --quick         a tenth of the records and two pairs: shows that all still runs, in some seconds; writes nothing
  --instructions  counts instructions per record of the workloads on the driver with valgrind's callgrind, which a
                  busy machine does not change; prints them beside those kept in bench/results/instructions.json and
                  fails if one has risen by more than 2 %
  --keep          writes what was counted there

Exit codes: 0 measured (also where a goal is missed), 1 a measurement failed or instructions have risen, 2 wrong
arguments.";

fn chain(effort: Effort) -> Outcome<Vec<Figure>> {
    let mut figures = driver_chain::measure(effort)?;
    figures.extend(whole_chain::measure(effort)?);
    Ok(figures)
}

fn main() -> ExitCode {
    let mut effort = FULL;
    let mut names = Vec::new();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(outcome) = instructions::asked(&arguments) {
        return exit(outcome);
    }
    for argument in &arguments {
        match argument.as_str() {
            "--quick" => effort = QUICK,
            "-h" | "--help" => {
                println!("{HELP}");
                return ExitCode::SUCCESS;
            }
            name if MEASUREMENTS.iter().any(|(known, _)| *known == name) => names.push(name.to_owned()),
            other => {
                eprintln!("headwater-bench: {other:?} is no measurement and no option\n\n{HELP}");
                return ExitCode::from(2);
            }
        }
    }
    exit(run(effort, &names))
}

fn exit(outcome: Outcome<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headwater-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(effort: Effort, names: &[String]) -> Outcome<()> {
    let machine = machine()?;
    println!("{machine}\nmedian (least .. greatest) of {} pairs, by CPU time", effort.pairs);
    let mut figures = Vec::new();
    for (name, measure) in MEASUREMENTS {
        if names.is_empty() && name == "java" && !java_rival::is_possible() {
            println!("\njava: not measured, as java, javac or mvn is missing here; `./dev bench java` installs them");
        } else if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            eprintln!("measuring: {name}");
            for figure in measure(effort)? {
                print(&figure);
                figures.push(figure);
            }
        }
    }
    if names.is_empty() && effort.shrink == 1 {
        let path = write_results(&machine, effort.pairs, &figures)?;
        println!("\nwritten to {}", path.display());
    }
    Ok(())
}
