//! A program that is killed at any step of an Iceberg commit goes on and has every row once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test fails by panicking")]

mod common;

use common::{iceberg, run_program, survives};

#[test]
#[ignore = "the program that the other tests run and kill"]
fn child() {
    let lake = std::env::var_os("HW_TEST_LAKE").unwrap();
    run_program(&iceberg(), lake.as_ref());
}

#[test]
fn killed_when_data_files_are_closed_but_not_described() {
    survives("files-closed", &iceberg());
}

#[test]
fn killed_after_the_manifest() {
    survives("manifest-written", &iceberg());
}

#[test]
fn killed_after_the_manifest_list() {
    survives("list-written", &iceberg());
}

#[test]
fn killed_after_the_metadata_file() {
    survives("metadata-written", &iceberg());
}

#[test]
fn killed_after_the_swap() {
    survives("swapped", &iceberg());
}
