//! What is written is what is read, and what is described.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test fails by panicking")]

mod common;
#[path = "common/table.rs"]
mod table;

use common::{HOUR, NEW_YEAR, Trip, context, files, iceberg, ids, prepared, transaction};
use headwater_core::Headers;
use headwater_sinks::{ColumnType, Columns, IcebergSink, Sink, SinkContext, SinkRecord, day};
use serde::Serialize;

#[derive(Serialize)]
struct Wide {
    yes: bool,
    int: Option<i32>,
    long: i64,
    float: f32,
    double: Option<f64>,
    text: String,
    day: String,
    instant: i64,
    bytes: Option<Vec<u8>>,
}

fn wide() -> IcebergSink<String, i64> {
    let columns = Columns::new()
        .required("yes", ColumnType::Boolean)
        .optional("int", ColumnType::Int)
        .required("long", ColumnType::Long)
        .required("float", ColumnType::Float)
        .optional("double", ColumnType::Double)
        .required("text", ColumnType::String)
        .required("day", ColumnType::Date)
        .required("instant", ColumnType::Timestamptz)
        .optional("bytes", ColumnType::Binary);
    IcebergSink::<String, i64>::rows("test.wide", columns, |record| {
        let n = *record.value;
        let known = n > 0;
        Wide {
            yes: known,
            int: known.then_some(i32::MIN),
            long: i64::MAX - n.abs(),
            float: 0.1,
            double: known.then_some(-1.5e-7),
            text: format!("ü,\"{}\"", record.key),
            day: "1969-12-31".into(),
            instant: n,
            bytes: known.then(|| vec![0, 255]),
        }
    })
}

#[test]
fn every_type_comes_back_as_the_same_text() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    for (sink, version) in [(wide(), 1), (wide().partition_by(day("instant")), 2), (wide().partition_by(day("day")), 3)]
    {
        let context = SinkContext { version, ..context.clone() };
        sink.open(&context).unwrap();
        let mut writer = sink.writer(&context).unwrap();
        let (key, headers) = ("k".to_owned(), Headers::new());
        for value in [-1, 1] {
            let record =
                SinkRecord { key: &key, value: &value, timestamp: 5, headers: &headers, partition: 0, offset: 0 };
            writer.write(record).unwrap();
        }
        let described = writer.prepare(&[]).unwrap().unwrap();
        sink.committer(&context).unwrap().commit(&[(0, described)]).unwrap();
        let mut table = sink.read(&context).unwrap().unwrap();
        table.rows.sort();
        let text = |row: &[Option<&str>]| row.iter().map(|cell| cell.map(str::to_owned)).collect::<Vec<_>>();
        assert_eq!(table.name, context.versioned("test.wide"));
        assert_eq!(table.columns, ["yes", "int", "long", "float", "double", "text", "day", "instant", "bytes"]);
        let nulls = text(&[
            Some("false"),
            None,
            Some("9223372036854775806"),
            Some("0.1"),
            None,
            Some("ü,\"k\""),
            Some("1969-12-31"),
            Some("1969-12-31T23:59:59.999Z"),
            None,
        ]);
        assert_eq!(table.rows[0], nulls);
        let known = text(&[
            Some("true"),
            Some("-2147483648"),
            Some("9223372036854775806"),
            Some("0.1"),
            Some("-0.00000015"),
            Some("ü,\"k\""),
            Some("1969-12-31"),
            Some("1970-01-01T00:00:00.001Z"),
            Some("00ff"),
        ]);
        assert_eq!(table.rows[1], known);
    }
}

#[test]
fn each_data_file_holds_one_day_and_the_descriptor_counts_it() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    iceberg().open(&context).unwrap();
    let mut writer = iceberg().writer(&context).unwrap();
    let described = transaction(writer.as_mut(), (0..9_000).rev());
    let json: serde_json::Value =
        serde_json::from_slice(&zstd::decode_all(&described.0[..]).unwrap_or_else(|_| described.0.to_vec())).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["table"], "air.trips");
    assert_eq!(json["rows"], 9_000);
    assert_eq!(json["files"].as_array().unwrap().len(), 3_000);
    assert_eq!(json["partitions"][0]["day"], "2013-01-01");
    assert_eq!(json["partitions"][0]["rows"], 3);
    assert_eq!(json["nulls"], serde_json::json!({"note": 4_500}));
    assert_eq!(json["event_time"]["min"], NEW_YEAR);
    assert_eq!(json["watermark"], NEW_YEAR + 8_999 * 8 * HOUR);
    assert_eq!(json["lineage"][0]["to"], 9_000);
    assert!(described.0.len() < 900_000, "{} bytes do not fit a log's message", described.0.len());
    iceberg().committer(&context).unwrap().commit(&[(0, described)]).unwrap();
    assert_eq!(ids(&iceberg(), &context), (0..9_000).collect::<Vec<_>>());
}

#[test]
fn a_data_file_is_begun_anew_when_it_is_large_enough() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    let sink =
        IcebergSink::<String, Trip>::rows("air.trips", Columns::new().required("id", ColumnType::Long), |record| {
            #[derive(Serialize)]
            struct Id {
                id: i64,
            }
            Id { id: record.value.id }
        })
        .roll_bytes(20_000);
    sink.open(&context).unwrap();
    let mut writer = sink.writer(&context).unwrap();
    let described = transaction(writer.as_mut(), 0..30_000);
    sink.committer(&context).unwrap().commit(&[(0, described)]).unwrap();
    let data = files(&dir.path().join("air/trips/data"));
    assert!(data.len() > 2, "{data:?}");
    assert_eq!(ids(&sink, &context), (0..30_000).collect::<Vec<_>>());
}

#[test]
fn an_aborted_transaction_leaves_no_data_file_and_a_committed_one_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    iceberg().open(&context).unwrap();
    let mut writer = iceberg().writer(&context).unwrap();
    let committed = transaction(writer.as_mut(), 0..6);
    let data = dir.path().join("air/trips/data");
    let kept = files(&data);
    assert_eq!(kept.len(), 2);
    prepared(writer.as_mut(), 6..12);
    assert_eq!(files(&data).len(), 4);
    writer.abort();
    assert_eq!(files(&data), kept);
    // Undecided files outlive their writer: nobody knows whether their transaction committed.
    let undecided = prepared(writer.as_mut(), 6..12);
    drop(writer);
    assert_eq!(files(&data).len(), 4);
    iceberg().committer(&context).unwrap().commit(&[(0, committed), (1, undecided)]).unwrap();
    assert_eq!(ids(&iceberg(), &context), (0..12).collect::<Vec<_>>());
}

#[test]
fn the_second_version_has_a_table_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let first = context(dir.path());
    let second = SinkContext { version: 2, app: "trips__v2".into(), ..first.clone() };
    for (context, trips) in [(&first, 0..3), (&second, 0..5)] {
        iceberg().open(context).unwrap();
        let described = transaction(iceberg().writer(context).unwrap().as_mut(), trips);
        iceberg().committer(context).unwrap().commit(&[(0, described)]).unwrap();
    }
    assert_eq!(ids(&iceberg(), &first), [0, 1, 2]);
    assert_eq!(ids(&iceberg(), &second), [0, 1, 2, 3, 4]);
    assert_eq!(iceberg().read(&second).unwrap().unwrap().name, "air.trips__v2");
}

#[test]
fn files_carry_the_bounds_that_let_readers_skip_them() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    iceberg().open(&context).unwrap();
    let described = transaction(iceberg().writer(&context).unwrap().as_mut(), 0..3);
    iceberg().committer(&context).unwrap().commit(&[(0, described)]).unwrap();
    let (_, metadata) = table::load(dir.path());
    let file = table::data_files(&metadata).pop().unwrap();
    assert_eq!(file.record_count(), 3);
    assert_eq!(file.lower_bounds()[&1], iceberg::spec::Datum::long(0));
    assert_eq!(file.upper_bounds()[&1], iceberg::spec::Datum::long(2));
    assert_eq!(file.null_value_counts()[&3], 1);
    assert_eq!(format!("{:?}", file.partition().fields()), "[Some(Primitive(Int(15706)))]");
}

#[test]
fn more_rows_than_fit_in_memory_are_written_out_early_and_none_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    let sink = IcebergSink::<String, Trip>::put_rows("air.trips", common::columns(), |record, rows| {
        #[derive(Serialize)]
        struct Row {
            id: i64,
            at: i64,
            note: String,
            offset: i64,
        }
        // Forty days in turn, 2 KB a row: the buffer's bound is passed twice, and that of open files as well.
        let id = record.value.id;
        rows.put(&Row { id, at: NEW_YEAR + id % 40 * 24 * HOUR, note: "x".repeat(2_000), offset: 0 })
    })
    .partition_by(day("at"));
    sink.open(&context).unwrap();
    let mut writer = sink.writer(&context).unwrap();
    let described = transaction(writer.as_mut(), 0..80_000);
    sink.committer(&context).unwrap().commit(&[(0, described)]).unwrap();
    let data = files(&dir.path().join("air/trips/data"));
    assert!(data.len() >= 40, "{} files", data.len());
    assert_eq!(ids(&sink, &context), (0..80_000).collect::<Vec<_>>());
}

#[test]
fn a_writer_dropped_in_the_middle_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(dir.path());
    let sink = IcebergSink::<String, Trip>::put_rows("air.trips", common::columns(), |record, rows| {
        #[derive(Serialize)]
        struct Row {
            id: i64,
            at: i64,
            note: String,
            offset: i64,
        }
        rows.put(&Row { id: 1, at: record.timestamp, note: "x".repeat(2_000), offset: 0 })
    });
    sink.open(&context).unwrap();
    let mut writer = sink.writer(&context).unwrap();
    let (key, trip, headers) = (String::new(), common::trip(1), Headers::new());
    let data = dir.path().join("air/trips/data");
    while !data.exists() || files(&data).is_empty() {
        let record = SinkRecord { key: &key, value: &trip, timestamp: 0, headers: &headers, partition: 0, offset: 0 };
        writer.write(record).unwrap();
    }
    drop(writer);
    assert!(files(&data).is_empty());
}
