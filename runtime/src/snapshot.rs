//! Snapshots of a stopped application's state, and starting from one.

use std::{collections::BTreeMap, sync::Arc};

use headwater_core::{Error, ErrorKind, Result};
use headwater_dsl::Topology;
use headwater_log::Log;
use headwater_state::{Manifest, SnapshotStore, StateDirectory, StoreMemory};

use crate::{progress::Progress, restore::open_task_store, settings::Settings, shared::Shared, topics};

/// Brings every task's stores up to its changelogs and snapshots them into `DIR/snapshots`. The application must not be
/// running.
///
/// # Errors
/// `HW0401` if it is running; otherwise what restoring or writing reports.
pub fn create_snapshots(topology: &Topology, log: &Arc<dyn Log>, settings: &Settings) -> Result<Vec<Manifest>> {
    let existing = log.topics()?;
    let topology = topology.versioned(settings.version).with_topics(existing.iter().map(|topic| topic.name.as_str()));
    let plan = topology.plan();
    let directory = StateDirectory::lock(&settings.state_dir(&plan.app))?;
    let counts = topics::prepare(&**log, plan, settings)?;
    let (app, memory) = (plan.app.clone(), StoreMemory::default());
    let shared = Shared::new(
        topology.clone(),
        log.clone(),
        settings.clone(),
        Arc::new(Progress::default()),
        counts,
        None,
        directory,
        memory,
        BTreeMap::new(),
        0,
    );
    let snapshots = SnapshotStore::new(&settings.snapshot_dir());
    let mut manifests = Vec::new();
    for task in shared.tasks() {
        if let Some(store) = open_task_store(&shared, task)? {
            let now_ms = settings.clock.now_ms();
            manifests.push(snapshots.create(&app, task, &store, BTreeMap::new(), now_ms)?);
        }
    }
    Ok(manifests)
}

/// The snapshots of one version of the application, oldest first.
///
/// # Errors
/// If they cannot be read.
pub fn list_snapshots(topology: &Topology, settings: &Settings) -> Result<Vec<Manifest>> {
    let app = topology.versioned(settings.version).plan().app.clone();
    SnapshotStore::new(&settings.snapshot_dir()).list(&app)
}

/// Puts the newest snapshot of every task in the place of its wiped state; the next start replays only what the
/// changelogs hold beyond it.
///
/// # Errors
/// `HW0611` if a task still has state or there is no snapshot, `HW0410` naming a damaged file.
pub fn restore_snapshots(topology: &Topology, settings: &Settings) -> Result<Vec<Manifest>> {
    let app = topology.versioned(settings.version).plan().app.clone();
    let directory = StateDirectory::lock(&settings.state_dir(&app))?;
    let snapshots = SnapshotStore::new(&settings.snapshot_dir());
    let mut tasks: Vec<_> = snapshots.list(&app)?.iter().map(|manifest| manifest.task).collect();
    tasks.sort_unstable();
    tasks.dedup();
    if tasks.is_empty() {
        return Err(Error::new(ErrorKind::Config, "HW0611", format!("there is no snapshot of {app}"))
            .help("make one with: snapshot create"));
    }
    if let Some(task) = tasks.iter().find(|task| directory.task_dir(**task).exists()) {
        return Err(Error::new(ErrorKind::Config, "HW0611", format!("task {task} of {app} still has its state"))
            .help("restoring is for a wiped state directory; delete DIR/state first if that is what you want"));
    }
    tasks.into_iter().map(|task| snapshots.restore(&app, task, None, &directory.task_dir(task))).collect()
}
