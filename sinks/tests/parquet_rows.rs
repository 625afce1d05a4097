//! When Parquet files appear, and that each row is in them once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::{columns, context, files, ids, parquet, prepared, transaction};
use headwater_sinks::{ColumnType, Columns, ParquetSink, Sink, SinkContext};

fn published(context: &SinkContext) -> usize {
    let all = files(&context.lake_dir.join("trips"));
    all.iter().filter(|file| file.extension().is_some_and(|extension| extension == "parquet")).count()
}

#[test]
fn small_transactions_are_gathered_until_there_is_enough() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    let sink = parquet().roll_bytes(6_000).roll_age_ms(3_600_000);
    sink.open(&context).unwrap();
    let mut writer = sink.writer(&context).unwrap();
    let mut committer = sink.committer(&context).unwrap();
    committer.commit(&[(0, transaction(writer.as_mut(), 0..10))]).unwrap();
    assert_eq!((published(&context), committer.recover().unwrap()), (0, None));
    let mut offset = 0;
    let mut log = Vec::new();
    while published(&context) == 0 {
        assert!(offset < 100, "nothing was ever published");
        log.push((offset, transaction(writer.as_mut(), offset * 10..(offset + 1) * 10)));
        committer.commit(&log[log.len() - 1..]).unwrap();
        offset += 1;
    }
    assert!(offset > 1, "one small transaction was published alone");
    assert_eq!(published(&context), 1);
    assert_eq!(committer.recover().unwrap(), Some(offset));
    assert_eq!(ids(&sink, &context), (0..offset * 10).collect::<Vec<_>>());
}

#[test]
fn a_large_transaction_makes_several_files() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    let sink = parquet().roll_bytes(50_000);
    sink.open(&context).unwrap();
    let described = transaction(sink.writer(&context).unwrap().as_mut(), 0..50_000);
    sink.committer(&context).unwrap().commit(&[(0, described)]).unwrap();
    assert!(published(&context) > 2);
    assert_eq!(ids(&sink, &context), (0..50_000).collect::<Vec<_>>());
}

#[test]
fn what_has_waited_long_enough_is_published_by_the_next_commit_even_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    let sink = parquet().roll_age_ms(20);
    sink.open(&context).unwrap();
    let mut committer = sink.committer(&context).unwrap();
    committer.commit(&[(0, transaction(sink.writer(&context).unwrap().as_mut(), 0..3))]).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while published(&context) == 0 {
        assert!(Instant::now() < deadline);
        committer.commit(&[]).unwrap();
    }
    assert_eq!(ids(&sink, &context), [0, 1, 2]);
}

#[test]
fn the_end_of_a_run_publishes_what_waits() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    let sink = parquet();
    sink.open(&context).unwrap();
    let mut writer = sink.writer(&context).unwrap();
    let mut committer = sink.committer(&context).unwrap();
    let log: Vec<_> = (0..3).map(|n| (n, transaction(writer.as_mut(), n..n + 1))).collect();
    committer.commit(&log[..2]).unwrap();
    committer.flush().unwrap();
    assert_eq!(ids(&sink, &context), [0, 1]);
    committer.commit(&log).unwrap();
    drop(committer);
    assert_eq!(ids(&sink, &context), [0, 1, 2]);
    assert_eq!(sink.committer(&context).unwrap().recover().unwrap(), Some(3));
}

#[test]
fn two_committers_publish_every_row_once() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    let sink = parquet().roll_age_ms(0);
    sink.open(&context).unwrap();
    let mut writer = sink.writer(&context).unwrap();
    let log: Vec<_> = (0..20).map(|n| (n, transaction(writer.as_mut(), n..n + 1))).collect();
    std::thread::scope(|scope| {
        for coalesced in [1, 3] {
            let (sink, log, context) = (&sink, &log, &context);
            scope.spawn(move || {
                let mut committer = sink.committer(context).unwrap();
                for some in log.chunks(coalesced) {
                    committer.commit(some).unwrap();
                }
            });
        }
    });
    assert_eq!(ids(&sink, &context), (0..20).collect::<Vec<_>>());
}

#[test]
fn an_aborted_transaction_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    parquet().open(&context).unwrap();
    let before = files(dir.path());
    let mut writer = parquet().writer(&context).unwrap();
    prepared(writer.as_mut(), 0..3);
    writer.abort();
    assert_eq!(files(dir.path()), before);
    let described = transaction(writer.as_mut(), 3..5);
    parquet().committer(&context).unwrap().commit(&[(0, described)]).unwrap();
    assert_eq!(ids(&parquet(), &context), [3, 4]);
}

#[test]
fn a_directory_of_other_columns_or_another_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    parquet().open(&context).unwrap();
    parquet().open(&context).unwrap();
    let other =
        ParquetSink::<String, common::Trip>::rows("trips", Columns::new().required("id", ColumnType::Int), |_| ());
    let error = other.open(&context).unwrap_err();
    assert_eq!(error.code(), "HW0503");
    assert!(error.message().contains("id int required") && error.message().contains("note"), "{error}");
    let stranger = SinkContext { app: "stranger".into(), ..context };
    assert_eq!(parquet().open(&stranger).unwrap_err().code(), "HW0503");
    assert_eq!(columns().names().count(), 4);
}

#[test]
fn a_lost_staged_file_stops_the_commit_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    let sink = parquet().roll_age_ms(0);
    sink.open(&context).unwrap();
    let described = transaction(sink.writer(&context).unwrap().as_mut(), 0..3);
    std::fs::remove_dir_all(dir.path().join("trips/_staged")).unwrap();
    let error = sink.committer(&context).unwrap().commit(&[(0, described)]).unwrap_err();
    assert!(error.to_string().contains("_staged"), "{error}");
    assert_eq!(published(&context), 0);
}
