//! Tables that do not fit and tables that were changed behind the sink's back are refused, not damaged.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test fails by panicking")]

mod common;
#[path = "common/table.rs"]
mod table;

use common::{Trip, columns, context, iceberg, ids, transaction};
use headwater_core::{ErrorKind, Result};
use headwater_sinks::{ColumnType, Columns, Descriptor, IcebergSink, Sink, SinkContext, day};

/// A table with three commits of one trip each, and their descriptors.
fn three_commits(lake: &std::path::Path) -> (SinkContext, Vec<(i64, Descriptor)>) {
    let context = context(lake);
    iceberg().open(&context).unwrap();
    let mut writer = iceberg().writer(&context).unwrap();
    let log: Vec<_> = (0..4).map(|n| (n, transaction(writer.as_mut(), [n]))).collect();
    let mut committer = iceberg().committer(&context).unwrap();
    for entry in &log[..3] {
        committer.commit(std::slice::from_ref(entry)).unwrap();
    }
    (context, log)
}

fn open(context: &SinkContext, columns: Columns, partitioned: bool) -> Result<()> {
    let sink = IcebergSink::<String, Trip>::rows("air.trips", columns, |_| ());
    let sink = if partitioned { sink.partition_by(day("at")) } else { sink };
    sink.open(context)
}

#[test]
fn a_table_that_does_not_fit_is_refused_and_every_difference_named() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    open(&context, columns(), true).unwrap();
    open(&context, columns(), true).unwrap();
    let before = common::files(dir.path());
    let other = Columns::new()
        .required("id", ColumnType::String)
        .required("at", ColumnType::Timestamptz)
        .required("tail", ColumnType::String);
    let error = open(&context, other, false).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Config, "HW0503"));
    for named in ["air.trips", "column id", "column tail", "partitioned"] {
        assert!(error.message().contains(named), "{error}");
    }
    assert_eq!(common::files(dir.path()), before);
}

#[test]
fn a_declaration_that_cannot_work_is_refused_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(&dir.path().join("lake"));
    for (target, columns) in [
        ("trips", columns()),
        ("air.trips", Columns::new()),
        ("air.trips", Columns::new().required("at", ColumnType::String)),
        ("air.trips", Columns::new().required("when", ColumnType::Timestamptz)),
    ] {
        let sink = IcebergSink::<String, Trip>::rows(target, columns, |_| ()).partition_by(day("at"));
        assert_eq!(sink.open(&context).unwrap_err().code(), "HW0501");
    }
    assert!(!dir.path().join("lake/air").exists());
}

#[test]
fn a_rollback_of_the_branch_stops_old_and_new_committers() {
    let dir = tempfile::tempdir().unwrap();
    let (context, log) = three_commits(dir.path());
    let mut at_work = iceberg().committer(&context).unwrap();
    assert_eq!(at_work.recover().unwrap(), Some(3));
    table::roll_back(dir.path());
    assert_eq!(at_work.commit(&log[3..]).unwrap_err().code(), "HW0510");
    let mut fresh = iceberg().committer(&context).unwrap();
    assert_eq!(fresh.recover().unwrap_err().code(), "HW0510");
    assert_eq!(fresh.commit(&log[3..]).unwrap_err().code(), "HW0510");
    assert_eq!(ids(&iceberg(), &context), [0, 1]);
}

#[test]
fn a_table_put_back_to_an_older_state_stops_the_committer_that_knows_better() {
    let dir = tempfile::tempdir().unwrap();
    let (context, log) = three_commits(dir.path());
    let (old, _) = table::load(dir.path());
    let mut at_work = iceberg().committer(&context).unwrap();
    at_work.commit(&log[3..]).unwrap();
    let catalog = rusqlite::Connection::open(dir.path().join("catalog.db")).unwrap();
    catalog.execute("UPDATE iceberg_tables SET metadata_location = ?1", [&old]).unwrap();
    let mut writer = iceberg().writer(&context).unwrap();
    let next = transaction(writer.as_mut(), [4]);
    assert_eq!(at_work.commit(&[(4, next)]).unwrap_err().code(), "HW0510");
    // A new start trusts what the table says of itself and goes on from there.
    let mut fresh = iceberg().committer(&context).unwrap();
    assert_eq!(fresh.recover().unwrap(), Some(3));
    fresh.commit(&log).unwrap();
    assert_eq!(ids(&iceberg(), &context), [0, 1, 2, 3]);
}

#[test]
fn after_other_tools_expired_our_snapshots_the_table_property_says_where_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, log) = three_commits(dir.path());
    let other = SinkContext { sink: "other".into(), ..ours.clone() };
    let mut writer = iceberg().writer(&other).unwrap();
    let foreign = transaction(writer.as_mut(), [100]);
    iceberg().committer(&other).unwrap().commit(&[(0, foreign)]).unwrap();
    table::expire(dir.path());
    let mut committer = iceberg().committer(&ours).unwrap();
    assert_eq!(committer.recover().unwrap(), Some(3));
    committer.commit(&log).unwrap();
    assert_eq!(ids(&iceberg(), &ours), [0, 1, 2, 3, 100]);
}

#[test]
fn a_descriptor_of_a_dropped_table_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (context, log) = three_commits(dir.path());
    let catalog = rusqlite::Connection::open(dir.path().join("catalog.db")).unwrap();
    catalog.execute("DELETE FROM iceberg_tables", []).unwrap();
    assert_eq!(iceberg().committer(&context).unwrap().recover().unwrap_err().code(), "HW0509");
    iceberg().open(&context).unwrap();
    let error = iceberg().committer(&context).unwrap().commit(&log[3..]).unwrap_err();
    assert_eq!(error.code(), "HW0512");
    assert!(ids(&iceberg(), &context).is_empty());
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("lake"), b"a file where the lake should be").unwrap();
    let context = context(&dir.path().join("lake"));
    let error = iceberg().open(&context).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Storage, "HW0504"));
    assert!(error.message().contains("lake"), "{error}");
}

#[test]
fn looking_for_a_lake_in_the_wrong_directory_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(&dir.path().join("mistyped"));
    assert_eq!(iceberg().read(&context).unwrap_err().code(), "HW0509");
    assert!(!context.lake_dir.exists());
}
