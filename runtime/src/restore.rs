//! Bringing a task's stores up to what its changelogs say.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use headwater_core::{Error, ErrorKind, Offset, Result, TaskId, TopicPartition};
use headwater_log::{ConsumerConfig, Isolation, Polled};
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
    let from = |name: &String| spec(name).and_then(|spec| spec.restore_topic()).map(str::to_owned);
    let in_memory = in_memory.into_iter().map(|name| (name.clone(), from(&name))).collect();
    let dir = shared.directory.task_dir(task);
    let store = TaskStore::open_with_memory(&dir, &on_disk, &in_memory, &shared.memory)?;
    let mut logs = BTreeMap::new();
    for name in &stores {
        let Some(spec) = spec(name) else { continue };
        if let Some(topic) = spec.restore_topic() {
            let is_source = spec.options.source.is_some();
            logs.insert(TopicPartition::new(topic, task.partition), Restored { store: name.clone(), is_source });
        }
    }
    replay(shared, &store, &logs).map_err(|error| error.in_task(task))?;
    Ok(Some(store))
}

/// The store that a partition's records restore.
struct Restored {
    store: String,
    /// Whether the partition is one that the task reads, and not a changelog.
    is_source: bool,
}

/// Up to where the partitions are to be replayed.
fn ends(shared: &Shared, logs: &BTreeMap<TopicPartition, Restored>) -> Result<BTreeMap<TopicPartition, Offset>> {
    let those = |source: bool| -> Vec<_> {
        logs.iter().filter(|(_, of)| of.is_source == source).map(|(at, _)| at.clone()).collect()
    };
    // The committed end lags behind a commit for a moment. The task's offsets may already be those of that commit, so
    // its rows must be waited for: the real end is taken, and reached once the transaction has ended.
    let mut ends = shared.log.end_offsets(&those(false), Isolation::ReadUncommitted)?;
    // What the task has read of its input, and no more: the rest it has still to read.
    let committed = shared.log.committed(shared.app(), &those(true))?;
    ends.extend(committed.into_iter().map(|(at, committed)| (at, committed.offset)));
    Ok(ends)
}

/// Applies every record beyond the store's positions.
fn replay(shared: &Shared, store: &TaskStore, logs: &BTreeMap<TopicPartition, Restored>) -> Result<()> {
    let log = &*shared.log;
    let partitions: Vec<_> = logs.keys().cloned().collect();
    let starts = log.start_offsets(&partitions)?;
    let ends = ends(shared, logs)?;
    let mut known = store.positions()?;
    let is_source = |at: &TopicPartition| logs.get(at).is_some_and(|of| of.is_source);
    // Rows that a source's topic has let go of are rows still. But a store that has seen more of it than is committed has
    // seen what the task will read anew.
    let stale = |at: &TopicPartition, known: &Offset| match is_source(at) {
        true => ends.get(at).is_none_or(|end| known > end),
        false => starts.get(at).is_some_and(|start| known < start),
    };
    if known.iter().any(|(at, known)| logs.contains_key(at) && stale(at, known)) {
        // What lies between was removed from the changelog: only a full restore is right.
        tracing::warn!("the local state does not follow from its topics any more; restoring in full");
        store.delete_all()?;
        known.clear();
    }
    let mut from = Vec::new();
    for (partition, end) in &ends {
        let start = starts.get(partition).copied().unwrap_or_default();
        let position = known.get(partition).copied().unwrap_or(start);
        let position = if is_source(partition) { position.max(start).min(*end) } else { position };
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
                let Some(of) = logs.get(&partition) else { continue };
                let end = ends.get(&partition).copied().unwrap_or_default();
                for record in &batch {
                    let record = record?;
                    if !of.is_source {
                        record.key.into_iter().for_each(|key| changes.row(&of.store, key, record.value));
                    } else if record.offset < end
                        && let Some((key, row)) = shared.topology.restored_row(&of.store, &record)?
                    {
                        changes.row(&of.store, &key, row.as_deref());
                    }
                }
                let next = if of.is_source { batch.next_offset().min(end) } else { batch.next_offset() };
                changes.position(partition, next);
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
