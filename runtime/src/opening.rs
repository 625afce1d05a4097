//! What must be right before a run reads its first record.

use std::collections::BTreeMap;

use headwater_core::{Error, ErrorKind, Offset, Result, TopicPartition, check_name};
use headwater_dsl::{NodeKind, Plan};
use headwater_log::{Isolation, Log};
use headwater_state::{StateDirectory, StoreMemory};

use crate::{
    app::{Mode, Run},
    global::GlobalStore,
    new_topics::resolved,
    shared::Shared,
    topics,
};

/// Everything that must be right before a record is read.
pub(crate) fn open(run: &Run) -> Result<Shared> {
    let Run { log, settings, progress, .. } = run;
    let topology = resolved(run, &log.topics()?);
    let plan = topology.plan();
    check_name("instance", &settings.instance)?;
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
    let bounds = match run.mode {
        Mode::Live => None,
        Mode::Bounded => Some(input_ends(&**log, plan, &counts)?),
    };
    if let Some(bounds) = &bounds {
        progress.expect(waiting(&**log, &plan.app, bounds)?);
    }
    let run_id = settings.clock.now_ms().unsigned_abs();
    let (log, settings, progress) = (log.clone(), settings.clone(), progress.clone());
    let shared = Shared::new(topology, log, settings, progress, counts, bounds, directory, memory, globals, run_id);
    Ok(shared.serving(&run.serving))
}

/// The ends of the tasks' input topics as of now. The committed ends lag behind a commit for a moment, so the real ones
/// are taken: they are reached when the transactions before them have ended.
fn input_ends(log: &dyn Log, plan: &Plan, counts: &BTreeMap<String, i32>) -> Result<BTreeMap<TopicPartition, Offset>> {
    let sources = plan.nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Source { topics, .. } => Some(topics),
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
