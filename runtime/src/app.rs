//! One run of a topology: checks, global tables, threads, committers, and an orderly end.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use headwater_core::{Error, ErrorKind, Offset, Result, TopicPartition};
use headwater_dsl::{Plan, Topology};
use headwater_log::{EmbeddedConfig, EmbeddedLog, Isolation, KafkaConfig, KafkaLog, Log};
use headwater_state::{StateDirectory, StoreMemory};

use crate::{
    committer, global::GlobalStore, progress::Progress, settings::Settings, shared::Shared, thread::StreamThread,
    topics,
};

/// Until when a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Until it is stopped.
    Live,
    /// Up to the ends that the input topics have when it starts; then every window closes.
    Bounded,
}

/// What a run did.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// Input records processed.
    pub processed: u64,
    /// Transactions committed.
    pub commits: u64,
    /// The counters of all tasks, since the pipeline's beginning: `rule:<step>/<rule>`, `late:<store>` and so on.
    /// `null-key:<global table>` counts since this process began to read the table's topic.
    pub counters: BTreeMap<String, i64>,
    /// How long it took.
    pub elapsed: Duration,
}

/// Opens the log that the settings and `brokers` name: Apache Kafka there, or the embedded log in the directory.
///
/// # Errors
/// `HW0301` if no broker answers, `HW0313` if another process holds the embedded log.
pub fn open_log(settings: &Settings, brokers: Option<&str>) -> Result<Arc<dyn Log>> {
    Ok(match brokers {
        Some(brokers) => KafkaLog::connect(brokers, KafkaConfig::default())?,
        None => EmbeddedLog::open(&settings.log_dir(), EmbeddedConfig::default(), settings.clock.clone())?,
    })
}

/// Runs a topology until it is stopped or, if bounded, complete. `progress` may be watched and stopped from elsewhere.
///
/// # Errors
/// The first failure of any thread. What was committed is safe; a later run goes on from there.
pub fn run(
    topology: &Topology,
    log: &Arc<dyn Log>,
    settings: &Settings,
    mode: Mode,
    progress: &Arc<Progress>,
) -> Result<RunReport> {
    let started = Instant::now();
    let shared = Arc::new(open(topology, log, settings, mode, progress)?);
    let finish = Arc::new(AtomicBool::new(false));
    let committers = start_committers(&shared, &finish)?;
    let followers = if mode == Mode::Live { follow_globals(&shared)? } else { Vec::new() };
    let threads = start_threads(&shared)?;
    join_all(threads, progress);
    finish.store(true, Ordering::SeqCst);
    join_all(committers, progress);
    join_all(followers, progress);
    match progress.take_failure() {
        Some(error) => Err(error),
        None => Ok(RunReport {
            processed: progress.processed(),
            commits: progress.commits(),
            counters: shared.counters(),
            elapsed: started.elapsed(),
        }),
    }
}

/// Everything that must be right before a record is read.
fn open(
    topology: &Topology,
    log: &Arc<dyn Log>,
    settings: &Settings,
    mode: Mode,
    progress: &Arc<Progress>,
) -> Result<Shared> {
    let existing = log.topics()?;
    let topology = topology.versioned(settings.version).with_topics(existing.iter().map(|topic| topic.name.as_str()));
    let plan = topology.plan();
    let directory = StateDirectory::lock(&settings.state_dir(&plan.app))?;
    check_stored_plan(plan, &directory)?;
    for (sink, recipe) in topology.sinks() {
        recipe.open(&settings.sink_context(&plan.app, sink, 0)).map_err(|error| error.at_node(sink))?;
    }
    let counts = topics::prepare(&**log, plan, settings)?;
    store_plan(plan, &directory)?;
    let memory = StoreMemory::default();
    let mut globals = BTreeMap::new();
    for (name, global) in &plan.global_stores {
        let partitions = counts.get(&global.topic).copied().unwrap_or(1);
        let store = GlobalStore::bootstrap(&**log, &directory, &memory, name, &global.topic, partitions)?;
        globals.insert(name.clone(), store);
    }
    let bounds = match mode {
        Mode::Live => None,
        Mode::Bounded => Some(input_ends(&**log, plan, &counts)?),
    };
    if let Some(bounds) = &bounds {
        progress.expect(waiting(&**log, &plan.app, bounds)?);
    }
    let run_id = settings.clock.now_ms().unsigned_abs();
    let (log, settings, progress) = (log.clone(), settings.clone(), progress.clone());
    Ok(Shared::new(topology, log, settings, progress, counts, bounds, directory, memory, globals, run_id))
}

/// The ends of the tasks' input topics as of now. The committed ends lag behind a commit for a moment, so the real ones
/// are taken: they are reached when the transactions before them have ended.
fn input_ends(log: &dyn Log, plan: &Plan, counts: &BTreeMap<String, i32>) -> Result<BTreeMap<TopicPartition, Offset>> {
    let sources = plan.nodes.iter().filter_map(|node| match &node.kind {
        headwater_dsl::NodeKind::Source { topics, .. } => Some(topics),
        _ => None,
    });
    let partitions: Vec<_> = sources
        .flatten()
        .flat_map(|topic| {
            let count = counts.get(topic).copied().unwrap_or_default();
            (0..count).map(move |partition| TopicPartition::new(topic.as_str(), partition))
        })
        .collect();
    log.end_offsets(&partitions, Isolation::ReadUncommitted)
}

/// How many records lie between what the group has committed and `bounds`.
fn waiting(log: &dyn Log, app: &str, bounds: &BTreeMap<TopicPartition, Offset>) -> Result<u64> {
    let partitions: Vec<_> = bounds.keys().cloned().collect();
    let starts = log.start_offsets(&partitions)?;
    let committed = log.committed(app, &partitions)?;
    let position = |at: &TopicPartition| {
        let start = starts.get(at).copied().unwrap_or_default();
        committed.get(at).map_or(start, |committed| committed.offset.max(start))
    };
    Ok(bounds.iter().map(|(at, end)| (end - position(at)).max(0).unsigned_abs()).sum())
}

const PLAN_FILE: &str = "plan.json";

/// A plan that would orphan or misread what the last one left is refused before anything is written.
fn check_stored_plan(plan: &Plan, directory: &StateDirectory) -> Result<()> {
    let path = directory.path().join(PLAN_FILE);
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(()) };
    let old: Plan = serde_json::from_str(&text).map_err(|error| {
        Error::new(ErrorKind::State, "HW0606", format!("{} cannot be read", path.display()))
            .caused_by(error)
            .help("another version of Headwater wrote it, or it is damaged; delete it to skip the comparison of plans")
    })?;
    let diff = plan.diff(&old);
    if diff.is_compatible() {
        return Ok(());
    }
    let mut lost: Vec<_> = diff.orphaned.iter().map(|name| format!("{name} would be orphaned")).collect();
    lost.extend(diff.changed);
    Err(Error::new(
        ErrorKind::Topology,
        "HW0601",
        format!("the topology no longer fits its state: {}", lost.join("; ")),
    )
    .help("keep the old names and formats, or run the changed topology beside the old one: replay --version N"))
}

fn store_plan(plan: &Plan, directory: &StateDirectory) -> Result<()> {
    let path = directory.path().join(PLAN_FILE);
    let temporary = directory.path().join("plan.json.tmp");
    let write = std::fs::write(&temporary, plan.to_json()).and_then(|()| std::fs::rename(&temporary, &path));
    write.map_err(|error| {
        Error::new(ErrorKind::Storage, "HW0607", format!("{} cannot be written", path.display()))
            .caused_by(error)
            .help("make room or check the directory's permissions; nothing was read yet")
    })
}

fn start_threads(shared: &Arc<Shared>) -> Result<Vec<JoinHandle<Result<()>>>> {
    (0..shared.settings.threads.max(1))
        .map(|number| {
            let thread_shared = shared.clone();
            spawn(shared, &format!("tasks-{number}"), move || StreamThread::start(number, thread_shared)?.run())
        })
        .collect()
}

fn start_committers(shared: &Arc<Shared>, finish: &Arc<AtomicBool>) -> Result<Vec<JoinHandle<Result<()>>>> {
    let sinks: Vec<_> = shared.topology.sinks().map(|(name, sink)| (name.to_owned(), sink.clone())).collect();
    sinks
        .into_iter()
        .map(|(name, sink)| {
            let (thread_shared, finish) = (shared.clone(), finish.clone());
            spawn(shared, &format!("commit-{name}"), move || {
                committer::run(&thread_shared, &name, &sink, &finish).map_err(|error| error.at_node(name))
            })
        })
        .collect()
}

fn follow_globals(shared: &Arc<Shared>) -> Result<Vec<JoinHandle<Result<()>>>> {
    let globals: Vec<_> = shared.globals.iter().map(|(name, store)| (name.clone(), store.clone())).collect();
    globals
        .into_iter()
        .map(|(name, store)| {
            let thread_shared = shared.clone();
            spawn(shared, &format!("global-{name}"), move || {
                let topic = thread_shared.plan().global_stores.get(&name).map(|global| global.topic.clone());
                let partitions = topic.and_then(|topic| thread_shared.counts.get(&topic).copied()).unwrap_or(1);
                store.follow(&*thread_shared.log, partitions, &thread_shared.progress)
            })
        })
        .collect()
}

/// A named thread whose failure stops the run.
fn spawn(
    shared: &Arc<Shared>,
    name: &str,
    work: impl FnOnce() -> Result<()> + Send + 'static,
) -> Result<JoinHandle<Result<()>>> {
    let progress = shared.progress.clone();
    let body = move || {
        let result = work();
        if let Err(error) = result {
            progress.fail(error);
        }
        Ok(())
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map_err(|error| {
        Error::new(ErrorKind::Internal, "HW0608", format!("the thread {name} could not be started")).caused_by(error)
    })
}

fn join_all(threads: Vec<JoinHandle<Result<()>>>, progress: &Progress) {
    for thread in threads {
        if thread.join().is_err() {
            progress.fail(
                Error::new(ErrorKind::Internal, "HW0609", "a thread of the runtime panicked")
                    .help("please report this; what was committed is safe"),
            );
        }
    }
}
