//! A program that is killed at any step of publishing Parquet files goes on and has every row once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test fails by panicking")]

mod common;

use common::{files, parquet, run_program, survives};

fn small() -> headwater_sinks::ParquetSink<String, common::Trip> {
    // Every second descriptor publishes, so that files are merged.
    parquet().roll_bytes(2_500)
}

#[test]
#[ignore = "the program that the other tests run and kill"]
fn child() {
    let lake = std::env::var_os("HW_TEST_LAKE").unwrap();
    run_program(&small(), lake.as_ref());
}

#[test]
fn killed_when_staged_files_are_closed_but_not_described() {
    survives("files-closed", &small());
}

#[test]
fn killed_after_merging() {
    survives("files-merged", &small());
}

#[test]
fn killed_after_noting_what_is_published() {
    survives("publication-noted", &small());
}

#[test]
fn killed_in_the_middle_of_the_renames() {
    survives("file-published", &small());
}

#[test]
fn killed_after_writing_the_position() {
    survives("position-written", &small());
}

#[test]
fn a_finished_run_leaves_no_staged_files() {
    let dir = tempfile::tempdir().unwrap();
    run_program(&small(), dir.path());
    let files = files(&dir.path().join("trips"));
    assert!(files.iter().any(|file| file.extension().is_some_and(|e| e == "parquet")), "{files:?}");
    assert!(!files.iter().any(|file| file.starts_with("_staged")), "{files:?}");
}
