//! What several tests need.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use headwater_core::{StoreReader, TaskId, TopicPartition};
use headwater_state::{StoreChanges, StoreMemory, TaskStore};

pub const TASK: TaskId = TaskId { subtopology: 0, partition: 3 };

pub fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Little memory, so that stores reach the disk by themselves.
pub fn small_memory() -> StoreMemory {
    StoreMemory::new(8 << 20, 1 << 20)
}

pub fn open(dir: &Path, stores: &[&str]) -> TaskStore {
    TaskStore::open(dir, &names(stores), &small_memory()).expect("the store opens")
}

pub fn input(partition: i32) -> TopicPartition {
    TopicPartition::new("input", partition)
}

/// All rows of a store in the order that `range` gives.
pub fn rows(reader: &impl StoreReader, from: &[u8], to: Option<&[u8]>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    reader
        .range(from, to, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })
        .expect("the range can be read");
    rows
}

/// Rows and a position that depend on `round` only.
pub fn fill(store: &TaskStore, stores: &[&str], round: i64) {
    let mut changes = StoreChanges::new();
    for name in stores {
        for row in 0..50_i64 {
            changes.put(name, &(round * 31 + row).to_be_bytes(), format!("{name} {round} {row}").as_bytes());
        }
        changes.delete(name, &(round * 31 + 7).to_be_bytes());
    }
    changes.position(input(0), round);
    store.apply(&changes).expect("the changes are applied");
}

/// A small generator of numbers that look random, the same in every run.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        mixed ^ (mixed >> 29)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

const CHILD_DIR: &str = "HEADWATER_TEST_CHILD_DIR";

/// The directory given to this process if it is the child of a test.
pub fn child_dir() -> Option<PathBuf> {
    std::env::var_os(CHILD_DIR).map(PathBuf::from)
}

/// Runs the test `test` of this program in a process of its own, where [`child_dir`] is `dir`.
pub fn spawn_child(test: &str, dir: &Path) -> KilledOnDrop {
    let child = Command::new(std::env::current_exe().expect("this program's path"))
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD_DIR, dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    KilledOnDrop(child)
}

/// A child process that does not outlive its test.
pub struct KilledOnDrop(pub Child);

impl KilledOnDrop {
    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        self.0.kill().expect("the child can be killed");
        self.0.wait().expect("the child is gone");
    }
}

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
