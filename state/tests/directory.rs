//! A state directory belongs to one process at a time, and only to its owner.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test stops at the first surprise"
)]

mod support;

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
};

use headwater_core::{ErrorKind, TaskId};
use headwater_state::StateDirectory;
use support::{TASK, child_dir, open, spawn_child};

#[test]
fn a_second_process_learns_who_holds_the_directory() {
    if let Some(dir) = child_dir() {
        let _lock = StateDirectory::lock(&dir).expect("the lock is free");
        println!("locked");
        loop {
            std::thread::park();
        }
    }
    let root = tempfile::tempdir().unwrap();
    let mut child = spawn_child("a_second_process_learns_who_holds_the_directory", root.path());
    let output = BufReader::new(child.0.stdout.take().unwrap());
    assert!(output.lines().map_while(Result::ok).any(|line| line.ends_with("locked")));

    let error = StateDirectory::lock(root.path()).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("HW0401", ErrorKind::State));
    assert!(error.message().contains(&format!("process {}", child.0.id())), "{error}");

    child.kill();
    StateDirectory::lock(root.path()).expect("a killed process holds nothing");
}

#[test]
fn the_lock_ends_with_its_value() {
    let root = tempfile::tempdir().unwrap();
    let lock = StateDirectory::lock(root.path()).unwrap();
    assert!(StateDirectory::lock(root.path()).unwrap_err().message().contains(&std::process::id().to_string()));
    drop(lock);
    StateDirectory::lock(root.path()).unwrap();
}

#[test]
fn the_directory_is_its_owners_only() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("a/b");
    let state = StateDirectory::lock(&dir).unwrap();
    open(&state.task_dir(TASK), &["s"]);
    for path in [dir.clone(), state.task_dir(TASK)] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn a_file_in_the_way_is_a_storage_error_that_names_it() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = StateDirectory::lock(&file.join("state")).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("HW0402", ErrorKind::Storage));
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
}

#[test]
fn tasks_are_listed_and_removed() {
    let root = tempfile::tempdir().unwrap();
    let state = StateDirectory::lock(root.path()).unwrap();
    assert_eq!(state.tasks().unwrap(), []);
    let other = TaskId { subtopology: 10, partition: 0 };
    for task in [other, TASK] {
        open(&state.task_dir(task), &["s"]);
    }
    for stranger in ["lost+found", "1_02", "0_1.removed"] {
        fs::create_dir(root.path().join("tasks").join(stranger)).unwrap();
    }
    assert_eq!(state.tasks().unwrap(), [TASK, other]);
    state.remove_task(TASK).unwrap();
    state.remove_task(TASK).unwrap();
    assert_eq!(state.tasks().unwrap(), [other]);
    assert!(!state.task_dir(TASK).exists());
}

#[test]
fn a_global_tables_name_cannot_leave_the_directory() {
    let root = tempfile::tempdir().unwrap();
    let state = StateDirectory::lock(root.path()).unwrap();
    assert!(state.global_dir("airlines").unwrap().starts_with(root.path()));
    for name in ["..", "a/b", ""] {
        assert!(state.global_dir(name).is_err(), "{name:?}");
        assert!(state.remove_global(name).is_err(), "{name:?}");
    }
}
