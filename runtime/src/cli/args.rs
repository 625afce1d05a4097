//! The verbs and their options.

use clap::{Args, Parser, Subcommand, value_parser};

use headwater_core::check_name;

use super::place::Place;
use crate::settings::MAIN_INSTANCE;

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong arguments.";
const COMPARE_EXIT_CODES: &str = "Exit codes: 0 equal, 1 different, 2 could not compare.";
const ALL_EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong arguments; of compare: 0 equal, 1 different, 2 could \
                              not compare.\nResults go to stdout, everything else to stderr. HEADWATER_LOG says what is \
                              logged. Default: warn.";

/// Runs, replays, compares and looks into a stream-processing program.
#[derive(Debug, Parser)]
#[command(after_help = ALL_EXIT_CODES, arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Run until stopped by Ctrl-C or SIGTERM
    #[command(after_help = EXIT_CODES)]
    Run(RunArgs),
    /// Feed the program's own data, process all of it, and report
    #[command(after_help = EXIT_CODES)]
    Demo(DemoArgs),
    /// Print the topology, as text in Kafka's own form
    #[command(after_help = EXIT_CODES)]
    Describe(DescribeArgs),
    /// Run the program as another version, from the beginning, beside the first
    #[command(after_help = EXIT_CODES)]
    Replay(ReplayArgs),
    /// Compare the tables of two versions
    #[command(after_help = COMPARE_EXIT_CODES)]
    Compare(CompareArgs),
    /// List the log's topics with their partitions and offsets
    ///
    /// The last column counts the offsets between each partition's start and end: with the embedded log that is the
    /// number of records, with Kafka transactions take offsets too.
    #[command(after_help = EXIT_CODES)]
    Topics(Place),
    /// Look into a topic
    #[command(subcommand, after_help = EXIT_CODES)]
    Topic(TopicVerb),
    /// Make, list and restore snapshots of the state; the program must not be running
    #[command(subcommand, after_help = EXIT_CODES)]
    Snapshot(SnapshotVerb),
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Stop at the ends that the topics have now, after every window has closed
    #[arg(long)]
    pub(super) bounded: bool,
    #[command(flatten)]
    pub(super) version: VersionArg,
    #[command(flatten)]
    pub(super) pace: Pace,
    #[command(flatten)]
    pub(super) instance: InstanceArg,
    #[command(flatten)]
    pub(super) place: Place,
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Delete what an earlier demo has left in DIR (and with --brokers its topics), then begin anew
    #[arg(long)]
    pub(super) fresh: bool,
    #[command(flatten)]
    pub(super) pace: Pace,
    #[command(flatten)]
    pub(super) place: Place,
}

#[derive(Debug, Args)]
pub(super) struct DescribeArgs {
    /// As a Mermaid flowchart
    #[arg(long, conflicts_with_all = ["json", "kafka"])]
    pub(super) mermaid: bool,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    /// As Kafka Streams prints it, with the node names that it generates
    #[arg(long, conflicts_with = "json")]
    pub(super) kafka: bool,
    #[command(flatten)]
    pub(super) version: VersionArg,
    #[command(flatten)]
    pub(super) place: Place,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The version to run: it has state, topics and tables of its own, marked `__v<N>`
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(2..))]
    pub(super) version: u32,
    #[command(flatten)]
    pub(super) pace: Pace,
    #[command(flatten)]
    pub(super) instance: InstanceArg,
    #[command(flatten)]
    pub(super) place: Place,
}

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// One version
    #[arg(value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub(super) left: u32,
    /// The other version
    #[arg(value_name = "M", value_parser = value_parser!(u32).range(1..))]
    pub(super) right: u32,
    /// How many differing rows of each table are shown
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) rows: usize,
    #[command(flatten)]
    pub(super) place: Place,
}

#[derive(Debug, Subcommand)]
pub(super) enum TopicVerb {
    /// Print a topic's committed records from its beginning to the end it has now
    ///
    /// With --json one object a line: partition, offset, timestamp (milliseconds since 1970), key, value, and headers as
    /// [name, value] pairs. A value that is JSON is embedded as JSON, other text is a string, and bytes that are no text
    /// are {"base64": "..."}.
    #[command(after_help = EXIT_CODES)]
    Cat(CatArgs),
}

#[derive(Debug, Args)]
pub(super) struct CatArgs {
    /// The topic
    #[arg(value_name = "NAME")]
    pub(super) topic: String,
    /// One JSON object a line
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) place: Place,
}

#[derive(Debug, Subcommand)]
pub(super) enum SnapshotVerb {
    /// Bring the state up to its changelogs and copy it to DIR/snapshots
    #[command(after_help = EXIT_CODES)]
    Create(SnapshotArgs),
    /// List the snapshots in DIR/snapshots, oldest first
    #[command(after_help = EXIT_CODES)]
    List(SnapshotArgs),
    /// Put the newest snapshot of every task in the place of its wiped state
    #[command(after_help = EXIT_CODES)]
    Restore(SnapshotArgs),
}

#[derive(Debug, Args)]
pub(super) struct SnapshotArgs {
    #[command(flatten)]
    pub(super) version: VersionArg,
    #[command(flatten)]
    pub(super) instance: InstanceArg,
    #[command(flatten)]
    pub(super) place: Place,
}

#[derive(Debug, Args)]
pub(super) struct VersionArg {
    /// Which version of the pipeline
    #[arg(long = "version", value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..))]
    pub(super) number: u32,
}

#[derive(Debug, Args)]
pub(super) struct InstanceArg {
    /// Which process of the program this is, where several share its work on one Kafka: each has a name of its own, the
    /// same at every start, and its state in DIR/state/<app>~NAME
    #[arg(long = "instance", value_name = "NAME", default_value = MAIN_INSTANCE, value_parser = instance)]
    pub(super) name: String,
}

fn instance(name: &str) -> Result<String, String> {
    check_name("instance", name).map(|()| name.to_owned()).map_err(|error| error.to_string())
}

#[derive(Debug, Args)]
pub(super) struct Pace {
    /// Task threads
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u16).range(1..=256))]
    pub(super) threads: u16,
    /// Records processed per second at most, over all threads [default: no limit]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(super) rate: Option<u64>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_verb_documents_its_exit_codes() {
        fn check(command: &mut clap::Command) {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Exit codes:"), "{}: {help}", command.get_name());
            // The verb `help` is clap's own.
            for verb in command.get_subcommands_mut().filter(|verb| verb.get_name() != "help") {
                check(verb);
            }
        }
        check(&mut Arguments::command());
    }

    #[test]
    fn a_replay_never_takes_the_first_versions_place() {
        assert!(Arguments::try_parse_from(["flights", "replay", "--version", "1"]).is_err());
        assert!(Arguments::try_parse_from(["flights", "replay", "--version", "2"]).is_ok());
    }

    #[test]
    fn an_instance_has_a_name_that_can_be_a_directory() {
        let named = |name| Arguments::try_parse_from(["flights", "run", "--instance", name]);
        assert!(named("second-1").is_ok());
        for name in ["", "a/b", "a~b", ".."] {
            assert!(named(name).is_err(), "{name}");
        }
    }
}
