//! `demo`: feed, process all of it, report.

use std::{
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use headwater_core::{Result, TopicPartition};
use headwater_dsl::{NodeKind, Plan, Topology};
use headwater_log::{Isolation, Log};
use headwater_state::StateDirectory;

use super::{
    args::DemoArgs,
    failure::Failure,
    feed::Feed,
    fresh,
    output::{Output, grouped},
    program::Program,
    report::Report,
    run::paced,
    signals, watch,
};
use crate::{
    app::{Mode, RunReport},
    settings::Settings,
    shared::commits_topic,
};

pub(super) fn demo(program: &dyn Program, args: &DemoArgs) -> Result<ExitCode, Failure> {
    let topology = program.topology()?;
    let interrupted = signals::listen()?;
    if args.fresh {
        fresh::forget(program, &topology, &args.place)?;
    }
    args.place.adopt()?;
    let settings = paced(args.place.settings(1), &args.pace);
    let log = args.place.log()?;
    let fed = feed(program, &topology, &log, &settings, &interrupted)?;
    let before = written(&*log, topology.plan())?;
    let run = watch::run_watched(&topology, &log, &settings, Mode::Bounded, &interrupted)?;
    let idle = fed == 0 && run.processed == 0 && before == written(&*log, topology.plan())?;
    let mut out = Output::stdout();
    if idle {
        out.line(format_args!("nothing to do: {} is complete", topology.plan().app))?;
    }
    for line in rule_lines(topology.plan(), &run) {
        out.line(line)?;
    }
    let own = program.report(&Report::new(&topology, &settings, &run))?;
    if !own.is_empty() {
        out.line(own.trim_end())?;
    }
    if topology.sinks().next().is_some() {
        out.line(lake_line(&settings))?;
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// Feeds what is not fed yet; returns how many records.
fn feed(
    program: &dyn Program,
    topology: &Topology,
    log: &Arc<dyn Log>,
    settings: &Settings,
    interrupted: &AtomicBool,
) -> Result<u64, Failure> {
    let app = &topology.plan().app;
    // Whoever runs this program here must have ended: a second feed would take over from the first.
    let _alone = StateDirectory::lock(&settings.state_dir(app))?;
    let topics: Vec<_> = program.topics().into_iter().map(super::Topic::spec).collect();
    log.create_topics(&topics)?;
    let started = Instant::now();
    let mut feed = Feed::open(&**log, app, interrupted)?;
    program.feed(&mut feed)?;
    let fed = feed.appended();
    eprintln!("fed {} records in {:.1} s", grouped(fed), started.elapsed().as_secs_f64());
    Ok(fed)
}

/// How far the topics reach by which results leave the program: it grows with every result.
fn written(log: &dyn Log, plan: &Plan) -> Result<i64> {
    let sinks = plan.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Sink { .. }));
    let mut names: Vec<String> = sinks.map(|node| commits_topic(&plan.app, &node.name)).collect();
    names.extend(plan.output_topics().into_iter().map(str::to_owned));
    let partitions: Vec<TopicPartition> = log
        .topics()?
        .iter()
        .filter(|topic| names.contains(&topic.name))
        .flat_map(|topic| (0..topic.partitions).map(|number| TopicPartition::new(topic.name.as_str(), number)))
        .collect();
    Ok(log.end_offsets(&partitions, Isolation::ReadUncommitted)?.values().sum())
}

/// How often each rule was broken, and where such records go.
fn rule_lines(plan: &Plan, run: &RunReport) -> Vec<String> {
    let mut lines = Vec::new();
    for node in &plan.nodes {
        let NodeKind::Validate { rules } = &node.kind else { continue };
        lines.push(format!("{}: records that broke", node.name));
        for rule in rules {
            let count = run.counters.get(&format!("rule:{}/{}", node.name, rule.name)).copied().unwrap_or_default();
            lines.push(format!("  {:<20} {:>9}  -> {}", rule.name, grouped(count), rule.route));
        }
    }
    lines
}

fn lake_line(settings: &Settings) -> String {
    let lake = std::path::absolute(settings.lake_dir()).unwrap_or_else(|_| settings.lake_dir());
    format!("the lake: {} (an Iceberg catalog in SQLite, named lake)", lake.join("catalog.db").display())
}
