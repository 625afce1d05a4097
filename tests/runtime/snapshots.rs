//! Starting from a snapshot equals starting from the changelog, byte for byte.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use headwater::log::{Isolation, Log};
use headwater::runtime::{Mode, Progress, Settings, create_snapshots, restore_snapshots, run};
use headwater::state::{StateDirectory, StoreMemory, TaskStore};
use headwater_core::TopicPartition;

use super::common::*;

/// The digest of every task's store of the first version.
fn digests(dir: &Path) -> BTreeMap<String, (u64, String)> {
    let directory = StateDirectory::lock(&dir.join("state/rooms")).unwrap();
    let stores = ["hourly".to_owned()];
    let mut digests = BTreeMap::new();
    for task in directory.tasks().unwrap() {
        let store = TaskStore::open(&directory.task_dir(task), &stores, &StoreMemory::default()).unwrap();
        let digest = store.digest("hourly").unwrap();
        digests.insert(task.to_string(), (digest.rows, digest.sha256));
    }
    digests
}

#[test]
fn snapshot_restore_equals_changelog_restore() {
    let readings = readings(20_000);
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    feed(&*log, &readings);
    // Without an end of input windows stay open, so that there is state to compare.
    let settings = settings(dir.path(), 2);
    stop_after(&log, &settings, 3_000);
    create_snapshots(&topology(), &log, &settings).unwrap();
    // The log goes on beyond the snapshot.
    stop_after(&log, &settings, 2_000);
    let state = dir.path().join("state");

    std::fs::remove_dir_all(&state).unwrap();
    restore_snapshots(&topology(), &settings).unwrap();
    create_snapshots(&topology(), &log, &settings).unwrap(); // brings the stores up to the changelog's end
    let from_snapshot = digests(dir.path());

    std::fs::remove_dir_all(&state).unwrap();
    create_snapshots(&topology(), &log, &settings).unwrap();
    let from_changelog = digests(dir.path());

    assert!(from_snapshot.values().any(|(rows, _)| *rows > 0), "there is state to compare");
    assert_eq!(from_snapshot, from_changelog);
}

/// Runs live until at least `records` were read and the changelog has grown by what they changed.
fn stop_after(log: &Arc<dyn Log>, settings: &Settings, records: u64) {
    let progress = Arc::new(Progress::default());
    let (watched, watched_log) = (progress.clone(), log.clone());
    let watcher = std::thread::spawn(move || {
        let before = changelog_end(&*watched_log);
        while !watched.is_stopping() && (watched.processed() < records || changelog_end(&*watched_log) < before + 20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        watched.stop();
    });
    let slow = Settings { max_records_per_second: Some(5_000), ..settings.clone() };
    run(&topology(), log, &slow, Mode::Live, &progress).unwrap();
    watcher.join().unwrap();
}

fn changelog_end(log: &dyn Log) -> i64 {
    let all: Vec<_> = (0..PARTITIONS).map(|p| TopicPartition::new("rooms-hourly-changelog", p)).collect();
    log.end_offsets(&all, Isolation::ReadCommitted).map_or(0, |ends| ends.values().sum())
}
