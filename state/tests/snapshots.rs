//! Snapshots come back as they were, or not at all.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test stops at the first surprise"
)]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use headwater_core::TaskId;
use headwater_state::{Manifest, SnapshotStore, StateDirectory, TaskStore};
use support::{TASK, fill, input, names, open};

const STORES: [&str; 2] = ["counts", "joins"];
const APP: &str = "flights";

fn digests(store: &TaskStore) -> Vec<String> {
    STORES.iter().map(|name| store.digest(name).unwrap().to_string()).collect()
}

fn create(snapshots: &SnapshotStore, store: &TaskStore, now_ms: i64) -> Manifest {
    snapshots.create(APP, TASK, store, BTreeMap::from([("why".to_owned(), "a test".to_owned())]), now_ms).unwrap()
}

fn files_in(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_restored_snapshot_equals_the_store_it_was_made_of() {
    let root = tempfile::tempdir().unwrap();
    let state = StateDirectory::lock(&root.path().join("state")).unwrap();
    let snapshots = SnapshotStore::new(&root.path().join("snapshots"));
    let store = open(&state.task_dir(TASK), &STORES);
    for round in 0..30 {
        fill(&store, &STORES, round);
    }
    // Nothing was flushed: the snapshot has to bring memory to disk.
    let made = create(&snapshots, &store, 1_000);
    let before = digests(&store);
    fill(&store, &STORES, 99);
    drop(store);

    state.remove_task(TASK).unwrap();
    let restored = snapshots.restore(APP, TASK, None, &state.task_dir(TASK)).unwrap();
    assert_eq!(restored, made);
    let store = open(&state.task_dir(TASK), &STORES);
    assert_eq!(digests(&store), before);
    assert_eq!(store.positions().unwrap(), [(input(0), 29)].into());
    assert_eq!(restored.position_map(), store.positions().unwrap());
    assert_eq!((restored.app.as_str(), restored.task, restored.created_ms), (APP, TASK, 1_000));
    assert_eq!(restored.stores, STORES);
    assert_eq!(restored.extra["why"], "a test");
    assert_eq!(state.tasks().unwrap(), [TASK]);
    // The restored store goes on.
    fill(&store, &STORES, 99);
    store.flush().unwrap();
}

#[test]
fn later_snapshots_copy_only_what_is_new() {
    let root = tempfile::tempdir().unwrap();
    let snapshots = SnapshotStore::new(&root.path().join("snapshots"));
    let store = open(&root.path().join("0_3"), &STORES);
    fill(&store, &STORES, 1);
    let first = create(&snapshots, &store, 1);
    fill(&store, &STORES, 2);
    let second = create(&snapshots, &store, 2);
    let tables = |manifest: &Manifest| -> Vec<_> {
        manifest.files.iter().filter(|file| file.name.ends_with(".sst")).cloned().collect()
    };
    let shared = tables(&second).iter().filter(|file| tables(&first).contains(file)).count();
    assert_eq!(shared, tables(&first).len(), "no compaction ran, so all of the first one's tables live on");
    assert!(tables(&second).len() > shared);
    let kept = files_in(&root.path().join("snapshots/files")).len();
    assert!(kept < first.files.len() + second.files.len(), "{kept} files for both");
    // Both can be restored, by id.
    for (manifest, offset) in [(&first, 1), (&second, 2)] {
        let target = root.path().join(format!("restored-{offset}"));
        snapshots.restore(APP, TASK, Some(&manifest.id), &target).unwrap();
        assert_eq!(open(&target, &STORES).positions().unwrap(), [(input(0), offset)].into());
    }
}

#[test]
fn every_changed_byte_of_a_snapshot_is_detected_and_its_file_named() {
    let root = tempfile::tempdir().unwrap();
    let snapshots = SnapshotStore::new(&root.path().join("snapshots"));
    let store = open(&root.path().join("0_3"), &["counts"]);
    fill(&store, &["counts"], 1);
    let manifest = create(&snapshots, &store, 1);
    let manifest_file = root.path().join("snapshots/manifests/flights/0_3").join(format!("{}.json", manifest.id));
    let mut files = files_in(&root.path().join("snapshots/files"));
    files.push(manifest_file.clone());
    let target = root.path().join("restored");
    let mut flips = 0;
    for file in files {
        let good = fs::read(&file).unwrap();
        let Some(last) = good.len().checked_sub(1) else { continue };
        // Every byte of the manifest and of small files; of the others, which one hash covers, some hundred all over.
        let step = if file == manifest_file { 1 } else { (good.len() / 60).max(1) };
        for at in (0..good.len()).step_by(step).chain([last]) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&file, &bad).unwrap();
            let error = snapshots.restore(APP, TASK, None, &target).unwrap_err();
            assert_eq!(error.code(), "HW0410", "byte {at} of {}: {error}", file.display());
            assert!(error.message().contains(file.to_str().unwrap()), "{error}");
            assert!(error.message().contains(&manifest.id), "{error}");
            assert!(!target.exists());
            flips += 1;
        }
        fs::write(&file, &good[..last]).unwrap();
        assert_eq!(snapshots.restore(APP, TASK, None, &target).unwrap_err().code(), "HW0410", "cut short");
        fs::write(&file, &good).unwrap();
    }
    assert!(flips > 1_000, "{flips}");
    assert!(
        files_in(root.path()).iter().all(|path| !path.to_string_lossy().contains("restor")),
        "nothing is left over"
    );
    snapshots.restore(APP, TASK, None, &target).expect("unchanged again, it is good");
}

#[test]
fn a_missing_file_is_named() {
    let root = tempfile::tempdir().unwrap();
    let snapshots = SnapshotStore::new(&root.path().join("snapshots"));
    let store = open(&root.path().join("0_3"), &STORES);
    fill(&store, &STORES, 1);
    let manifest = create(&snapshots, &store, 1);
    let lost = root.path().join("snapshots/files").join(&manifest.files[0].sha256);
    fs::remove_file(&lost).unwrap();
    let error = snapshots.restore(APP, TASK, None, &root.path().join("restored")).unwrap_err();
    assert_eq!(error.code(), "HW0410");
    assert!(error.message().contains(&manifest.files[0].sha256) && error.message().contains("missing"), "{error}");
    assert!(!root.path().join("restored").exists());
}

#[test]
fn a_snapshot_does_not_overwrite_a_store() {
    let root = tempfile::tempdir().unwrap();
    let snapshots = SnapshotStore::new(&root.path().join("snapshots"));
    let dir = root.path().join("0_3");
    let store = open(&dir, &STORES);
    fill(&store, &STORES, 1);
    create(&snapshots, &store, 1);
    fill(&store, &STORES, 2);
    let before = digests(&store);
    drop(store);
    assert_eq!(snapshots.restore(APP, TASK, None, &dir).unwrap_err().code(), "HW0412");
    assert_eq!(digests(&open(&dir, &STORES)), before);
    // An empty directory is no store.
    let empty = root.path().join("empty");
    fs::create_dir(&empty).unwrap();
    snapshots.restore(APP, TASK, None, &empty).unwrap();
}

#[test]
fn what_is_not_there_cannot_be_restored() {
    let root = tempfile::tempdir().unwrap();
    let snapshots = SnapshotStore::new(&root.path().join("snapshots"));
    assert_eq!(snapshots.list(APP).unwrap(), []);
    let target = root.path().join("restored");
    assert_eq!(snapshots.restore(APP, TASK, None, &target).unwrap_err().code(), "HW0411");
    let store = open(&root.path().join("0_3"), &STORES);
    fill(&store, &STORES, 1);
    create(&snapshots, &store, 1);
    let error = snapshots.restore(APP, TASK, Some("00000077"), &target).unwrap_err();
    assert_eq!(error.code(), "HW0411");
    assert!(error.message().contains("00000077"), "{error}");
    assert!(snapshots.restore("../flights", TASK, None, &target).is_err());
    let memory = TaskStore::in_memory(&names(&STORES));
    assert_eq!(snapshots.create(APP, TASK, &memory, BTreeMap::new(), 1).unwrap_err().code(), "HW0406");
}

#[test]
fn pruning_keeps_the_newest_of_each_task_and_all_they_need() {
    let root = tempfile::tempdir().unwrap();
    let snapshots = SnapshotStore::new(&root.path().join("snapshots"));
    let store = open(&root.path().join("0_3"), &STORES);
    for round in 1..=5 {
        fill(&store, &STORES, round);
        create(&snapshots, &store, round);
    }
    let other = TaskId { subtopology: 1, partition: 0 };
    snapshots.create(APP, other, &store, BTreeMap::new(), 9).unwrap();
    snapshots.create("other-app", TASK, &store, BTreeMap::new(), 9).unwrap();
    fs::write(root.path().join("snapshots/tmp/left-over"), "x").unwrap();

    let pruned = snapshots.prune(APP, 2).unwrap();
    assert_eq!(pruned.snapshots, 3);
    assert!(pruned.files >= 3 && pruned.bytes > 0, "each snapshot had a manifest of RocksDB's of its own: {pruned:?}");
    let left: Vec<_> = snapshots.list(APP).unwrap().into_iter().map(|found| (found.task, found.created_ms)).collect();
    assert_eq!(left, [(TASK, 4), (TASK, 5), (other, 9)]);
    assert_eq!(snapshots.list("other-app").unwrap().len(), 1);
    assert!(!root.path().join("snapshots/tmp").exists());
    for (number, found) in snapshots.list(APP).unwrap().iter().enumerate() {
        let target = root.path().join(format!("restored-{number}"));
        snapshots.restore(APP, found.task, Some(&found.id), &target).unwrap();
        open(&target, &STORES);
    }
    assert_eq!(snapshots.prune(APP, 2).unwrap(), headwater_state::Pruned::default(), "nothing more to do");
    let next = create(&snapshots, &store, 10);
    assert_eq!(next.id, "00000006", "ids are not used again");
}

#[test]
fn a_damaged_manifest_stops_pruning() {
    let root = tempfile::tempdir().unwrap();
    let snapshots = SnapshotStore::new(&root.path().join("snapshots"));
    let store = open(&root.path().join("0_3"), &STORES);
    fill(&store, &STORES, 1);
    create(&snapshots, &store, 1);
    let last = create(&snapshots, &store, 2);
    let before = files_in(&root.path().join("snapshots/files"));
    let manifest = root.path().join("snapshots/manifests/flights/0_3").join(format!("{}.json", last.id));
    fs::write(&manifest, "{}").unwrap();
    assert_eq!(snapshots.prune(APP, 1).unwrap_err().code(), "HW0410");
    assert_eq!(files_in(&root.path().join("snapshots/files")), before);
    assert!(snapshots.list(APP).unwrap_err().message().contains(manifest.to_str().unwrap()));
}

#[test]
fn snapshots_made_at_the_same_time_get_different_ids() {
    let root = tempfile::tempdir().unwrap();
    let snapshots = SnapshotStore::new(&root.path().join("snapshots"));
    let store = open(&root.path().join("0_3"), &STORES);
    fill(&store, &STORES, 1);
    let mut ids: Vec<String> = std::thread::scope(|scope| {
        let makers: Vec<_> = (0..6)
            .map(|n| {
                scope.spawn({
                    let (snapshots, store) = (&snapshots, &store);
                    move || create(snapshots, store, n).id
                })
            })
            .collect();
        makers.into_iter().map(|maker| maker.join().unwrap()).collect()
    });
    ids.sort();
    assert_eq!(ids, (1..=6).map(|n| format!("{n:08}")).collect::<Vec<_>>());
    assert_eq!(snapshots.list(APP).unwrap().len(), 6);
}
