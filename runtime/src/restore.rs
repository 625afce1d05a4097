//! Bringing a task's stores up to what its changelogs say.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use headwater_core::{Error, ErrorKind, Offset, Result, TaskId, TopicPartition};
use headwater_log::{ConsumerConfig, Isolation, Log, Polled};
use headwater_state::{StoreChanges, TaskStore};

use crate::shared::Shared;

/// Rows gathered before they are applied.
const ROWS: usize = 20_000;

/// Opens the stores of `task`, if it has any, and replays what the changelogs hold beyond them.
///
/// # Errors
/// `HW0602` if a changelog is shorter than what the store has seen of it.
pub(crate) fn open_task_store(shared: &Shared, task: TaskId) -> Result<Option<TaskStore>> {
    let part = shared.plan().subtopologies.get(task.subtopology as usize);
    let stores = part.map(|part| part.stores.clone()).unwrap_or_default();
    if stores.is_empty() {
        return Ok(None);
    }
    let spec = |name: &String| shared.plan().stores.get(name);
    let (in_memory, on_disk): (Vec<_>, Vec<_>) =
        stores.iter().cloned().partition(|name| spec(name).is_some_and(|spec| spec.options.in_memory));
    let changelog = |name: &String| spec(name).and_then(|spec| spec.changelog_topic()).map(str::to_owned);
    let in_memory = in_memory.into_iter().map(|name| (name.clone(), changelog(&name))).collect();
    let dir = shared.directory.task_dir(task);
    let store = TaskStore::open_with_memory(&dir, &on_disk, &in_memory, &shared.memory)?;
    let mut changelogs = BTreeMap::new();
    for name in &stores {
        if let Some(changelog) = spec(name).and_then(|spec| spec.changelog_topic()) {
            changelogs.insert(TopicPartition::new(changelog, task.partition), name.clone());
        }
    }
    replay_changelogs(&*shared.log, &store, &changelogs).map_err(|error| error.in_task(task))?;
    Ok(Some(store))
}

/// Applies every changelog record beyond the store's positions.
fn replay_changelogs(log: &dyn Log, store: &TaskStore, changelogs: &BTreeMap<TopicPartition, String>) -> Result<()> {
    let partitions: Vec<_> = changelogs.keys().cloned().collect();
    let starts = log.start_offsets(&partitions)?;
    // The committed end lags behind a commit for a moment. The task's offsets may already be those of that commit, so
    // its rows must be waited for: the real end is taken, and reached once the transaction has ended.
    let ends = log.end_offsets(&partitions, Isolation::ReadUncommitted)?;
    let mut known = store.positions()?;
    let truncated = |at: &TopicPartition, start: &Offset| known.get(at).is_some_and(|known| known < start);
    if starts.iter().any(|(at, start)| truncated(at, start)) {
        // What lies between was removed from the changelog: only a full restore is right.
        tracing::warn!("a changelog was cut beyond the local state; restoring in full");
        store.delete_all()?;
        known.clear();
    }
    let mut from = Vec::new();
    for (partition, end) in &ends {
        let start = starts.get(partition).copied().unwrap_or_default();
        let position = known.get(partition).copied().unwrap_or(start);
        if position > *end {
            return Err(shorter(partition, position, *end));
        }
        if position < *end {
            from.push((partition.clone(), position));
        }
    }
    if from.is_empty() {
        return Ok(());
    }
    let mut consumer = log.consumer(&ConsumerConfig::default())?;
    consumer.assign(&from)?;
    let mut changes = StoreChanges::new();
    let mut stalled = Instant::now();
    loop {
        if let Polled::Records(batches) = consumer.poll(Duration::from_millis(100))? {
            stalled = Instant::now();
            for (partition, batch) in batches {
                let Some(name) = changelogs.get(&partition) else { continue };
                for record in &batch {
                    let record = record?;
                    if let Some(key) = record.key {
                        changes.row(name, key, record.value);
                    }
                }
                changes.position(partition, batch.next_offset());
            }
        }
        let done = from.iter().all(|(at, _)| consumer.position(at).unwrap_or(0) >= ends.get(at).copied().unwrap_or(0));
        if done || changes.len() >= ROWS {
            if done {
                for (partition, _) in &from {
                    changes.position(partition.clone(), ends.get(partition).copied().unwrap_or_default());
                }
            }
            store.apply(&changes)?;
            changes.clear();
        }
        if done {
            break;
        }
        if stalled.elapsed() > Duration::from_secs(120) {
            return Err(Error::new(ErrorKind::Unavailable, "HW0604", "a changelog could not be read for 120 s")
                .help("check the log, then start again; what was restored so far is kept"));
        }
    }
    consumer.close(Duration::from_secs(2));
    store.flush()
}

fn shorter(partition: &TopicPartition, position: Offset, end: Offset) -> Error {
    let message = format!("changelog {partition} ends at {end}, but the local state has seen it up to {position}");
    Error::new(ErrorKind::State, "HW0602", message).help(
        "the log lost records or the topic was made anew: if the log is right, delete this application's state \
         directory and start again",
    )
}
