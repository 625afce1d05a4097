//! `run` and `replay`.

use std::process::ExitCode;

use super::{
    args::{InstanceArg, Pace, ReplayArgs, RunArgs},
    failure::Failure,
    output::Output,
    program::Program,
    signals, watch,
};
use crate::{app::Mode, settings::Settings};

/// `settings` at the pace that the user asked for.
pub(super) fn paced(settings: Settings, pace: &Pace) -> Settings {
    Settings { threads: usize::from(pace.threads), max_records_per_second: pace.rate, ..settings }
}

/// `settings` of the process that the user named.
pub(super) fn named(settings: Settings, instance: &InstanceArg) -> Settings {
    Settings { instance: instance.name.clone(), ..settings }
}

/// Runs until stopped, or up to the present ends.
pub(super) fn run(program: &dyn Program, args: &RunArgs) -> Result<ExitCode, Failure> {
    let topology = program.topology()?;
    let log = args.place.existing_log()?;
    args.place.adopt()?;
    let settings = named(paced(args.place.settings(args.version.number), &args.pace), &args.instance);
    let mode = if args.bounded { Mode::Bounded } else { Mode::Live };
    watch::run_watched(&topology, &log, &settings, mode, &signals::listen()?)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs another version from the beginning up to the present ends.
pub(super) fn replay(program: &dyn Program, args: &ReplayArgs) -> Result<ExitCode, Failure> {
    let topology = program.topology()?;
    let log = args.place.existing_log()?;
    args.place.adopt()?;
    let settings = named(paced(args.place.settings(args.version), &args.pace), &args.instance);
    let app = topology.versioned(args.version).plan().app.clone();
    let report = watch::run_watched(&topology, &log, &settings, Mode::Bounded, &signals::listen()?)?;
    let mut out = Output::stdout();
    if report.processed == 0 {
        out.line(format_args!("nothing to do: {app} has processed everything that its inputs hold"))?;
        out.line(format_args!("to replay a changed program, give it another version"))?;
    } else {
        out.line(format_args!("{app} is complete; compare it with: compare 1 {}", args.version))?;
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}
