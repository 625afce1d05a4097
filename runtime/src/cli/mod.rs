//! The command line that a program gets by one line: `headwater::cli::main(topology)`.
//!
//! Results go to stdout; progress, warnings and errors go to stderr. Every verb documents its exit codes.

mod args;
mod compare;
mod demo;
mod describe;
mod failure;
mod feed;
mod fresh;
mod output;
mod place;
mod program;
mod reading;
mod record;
mod report;
mod run;
mod signals;
mod snapshot;
mod topics;
mod watch;

pub use feed::Feed;
pub use program::{Program, Topic};
pub use report::Report;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use args::{Arguments, TopicVerb, Verb};
use failure::Failure;

/// The environment variable that says what is logged to stderr, as in `HEADWATER_LOG=headwater_runtime=debug`.
const LOG_VARIABLE: &str = "HEADWATER_LOG";

/// Runs the program's command line: `run`, `demo`, `describe`, `replay`, `compare`, `topics`, `topic cat`, `snapshot`.
///
/// `program` is the function that builds the topology, or a type that implements [`Program`] to bring its own data
/// and report. The exit code is 0 for success, 1 for a failure (printed to stderr), 2 for wrong arguments;
/// `compare` uses 1 for "different" and 2 for "could not compare". Warnings go to stderr; the environment variable
/// `HEADWATER_LOG` asks for more.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use headwater::prelude::*;
///
/// fn topology() -> Result<Topology, TopologyErrors> {
///     let app = StreamsBuilder::new("shout");
///     app.stream::<String, String>("words", Text).map_values(|word| word.to_uppercase()).to("shouted", Text);
///     app.build()
/// }
///
/// fn main() -> ExitCode {
///     headwater::cli::main(topology)
/// }
/// ```
#[expect(clippy::needless_pass_by_value, reason = "a program hands itself over; a borrow would only add a character")]
pub fn main(program: impl Program) -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => {
            // Nobody is left to tell when this fails.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    log_to_stderr();
    match perform(&program, &arguments.verb) {
        Ok(code) => code,
        Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Err(Failure::Said { message, code }) => {
            eprintln!("error: {message}");
            ExitCode::from(code)
        }
    }
}

fn perform(program: &dyn Program, verb: &Verb) -> Result<ExitCode, Failure> {
    match verb {
        Verb::Run(args) => run::run(program, args),
        Verb::Demo(args) => demo::demo(program, args),
        Verb::Describe(args) => describe::describe(program, args),
        Verb::Replay(args) => run::replay(program, args),
        Verb::Compare(args) => compare::compare(program, args),
        Verb::Topics(place) => topics::list(place),
        Verb::Topic(TopicVerb::Cat(args)) => topics::cat(args),
        Verb::Snapshot(verb) => snapshot::snapshot(program, verb),
    }
}

/// Warnings and errors by default. A subscriber that the program has set up itself stays.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new("warn"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
