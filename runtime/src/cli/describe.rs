//! `describe`: touches neither log nor directory.

use std::process::ExitCode;

use super::{args::DescribeArgs, failure::Failure, output::Output, program::Program};

pub(super) fn describe(program: &dyn Program, args: &DescribeArgs) -> Result<ExitCode, Failure> {
    let topology = program.topology()?.versioned(args.version.number);
    let text = if args.json {
        topology.plan().to_json()
    } else if args.mermaid {
        topology.plan().mermaid()
    } else if args.kafka {
        topology.plan().describe_as_kafka()
    } else {
        topology.describe()
    };
    let mut out = Output::stdout();
    out.line(text.trim_end())?;
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}
