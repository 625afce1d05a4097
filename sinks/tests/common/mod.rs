//! What the sinks' tests share: a small table, a log of descriptors in a directory, crashes and lost replies.
#![allow(dead_code, reason = "every test binary uses a part of it")]

use std::{
    cell::Cell,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::atomic::{AtomicU32, Ordering},
};

use headwater_core::{Headers, TaskId, TopicPartition};
use headwater_sinks::{
    ColumnType, Columns, Descriptor, FailpointFault as Fault, IcebergSink, LineageRange, ParquetSink, Sink,
    SinkContext, SinkRecord, SinkWriter, day,
};
use serde::Serialize;

pub const HOUR: i64 = 3_600_000;
/// 2013-01-01T00:00:00Z.
pub const NEW_YEAR: i64 = 1_356_998_400_000;

#[derive(Debug, Clone, PartialEq)]
pub struct Trip {
    pub id: i64,
    pub at: i64,
    pub note: Option<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: i64,
    at: i64,
    note: Option<&'a str>,
    offset: i64,
}

/// A trip every eight hours: three to a day.
pub fn trip(id: i64) -> Trip {
    Trip { id, at: NEW_YEAR + id * 8 * HOUR, note: (id % 2 == 0).then(|| format!("trip {id}")) }
}

pub fn columns() -> Columns {
    Columns::new()
        .required("id", ColumnType::Long)
        .required("at", ColumnType::Timestamptz)
        .optional("note", ColumnType::String)
        .optional("offset", ColumnType::Long)
}

pub fn context(lake: &Path) -> SinkContext {
    SinkContext { app: "trips".into(), version: 1, sink: "lake".into(), lake_dir: lake.to_owned(), thread: 0 }
}

pub fn iceberg() -> IcebergSink<String, Trip> {
    IcebergSink::put_rows("air.trips", columns(), |record: &SinkRecord<'_, String, Trip>, rows| {
        let Trip { id, at, note } = record.value;
        rows.put(&Row { id: *id, at: *at, note: note.as_deref(), offset: record.offset })
    })
    .partition_by(day("at"))
}

pub fn parquet() -> ParquetSink<String, Trip> {
    ParquetSink::put_rows("trips", columns(), |record: &SinkRecord<'_, String, Trip>, rows| {
        let Trip { id, at, note } = record.value;
        rows.put(&Row { id: *id, at: *at, note: note.as_deref(), offset: record.offset })
    })
}

/// Writes trips and returns the descriptor of their transaction, which is taken to have committed.
pub fn transaction(writer: &mut dyn SinkWriter<String, Trip>, trips: impl IntoIterator<Item = i64>) -> Descriptor {
    let described = prepared(writer, trips);
    writer.committed();
    described
}

/// Writes trips and prepares.
pub fn prepared(writer: &mut dyn SinkWriter<String, Trip>, trips: impl IntoIterator<Item = i64>) -> Descriptor {
    let (mut from, mut to, mut time) = (i64::MAX, 0, 0);
    for id in trips {
        let trip = trip(id);
        let (headers, key) = (Headers::new(), String::from("k"));
        let record =
            SinkRecord { key: &key, value: &trip, timestamp: trip.at, headers: &headers, partition: 0, offset: id };
        writer.write(record).unwrap();
        (from, to, time) = (from.min(id), to.max(id + 1), time.max(trip.at));
    }
    let lineage = LineageRange {
        task: TaskId { subtopology: 0, partition: 0 },
        partition: TopicPartition::new("trips", 0),
        from,
        to,
        stream_time: Some(time),
    };
    writer.prepare(&[lineage]).unwrap().unwrap()
}

/// The ids in the sink's target, sorted.
pub fn ids(sink: &dyn Sink<String, Trip>, context: &SinkContext) -> Vec<i64> {
    let table = sink.read(context).unwrap().unwrap();
    let mut ids: Vec<i64> = table.rows.iter().map(|row| row[0].as_deref().unwrap().parse().unwrap()).collect();
    ids.sort_unstable();
    ids
}

/// Every file below `directory`, as paths relative to it.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { found.push(path.strip_prefix(directory).unwrap().to_owned()) }
        }
    }
    found.sort();
    found
}

thread_local! {
    /// Whether replies of the catalog get lost on this thread.
    pub static LOSE_REPLIES: Cell<bool> = const { Cell::new(false) };
}

static REACHED: AtomicU32 = AtomicU32::new(0);

/// Aborts the process when the point named in `HW_TEST_CRASH` is reached for the `HW_TEST_CRASH_AT`th time.
pub fn hook(point: &'static str) -> Fault {
    let (name, at) = (std::env::var("HW_TEST_CRASH"), std::env::var("HW_TEST_CRASH_AT"));
    if name.is_ok_and(|name| name == point) {
        let reached = REACHED.fetch_add(1, Ordering::SeqCst) + 1;
        if at.is_ok_and(|at| at == reached.to_string()) {
            std::process::abort();
        }
    }
    if point == "swapped" && LOSE_REPLIES.get() { Fault::LostReply } else { Fault::None }
}

/// How many transactions a run has, and how many trips each.
pub const TRANSACTIONS: i64 = 8;
pub const TRIPS: i64 = 5;

/// A program from start to end: takes up where the log and the target say it was, and finishes. Its log is a
/// directory of descriptors; a descriptor's appearance is the commit of its transaction.
pub fn run_program(sink: &dyn Sink<String, Trip>, lake: &Path) {
    headwater_sinks::set_failpoint_hook(hook);
    let context = context(lake);
    let log = lake.join("log");
    std::fs::create_dir_all(&log).unwrap();
    sink.open(&context).unwrap();
    let mut writer = sink.writer(&context).unwrap();
    let mut committer = sink.committer(&context).unwrap();
    let entry = |offset: i64| log.join(offset.to_string());
    let applied = committer.recover().unwrap().unwrap_or(0);
    for offset in applied..TRANSACTIONS {
        if !entry(offset).exists() {
            let described = transaction(writer.as_mut(), offset * TRIPS..(offset + 1) * TRIPS);
            std::fs::write(log.join("next"), &described.0).unwrap();
            std::fs::rename(log.join("next"), entry(offset)).unwrap();
        }
        let described = Descriptor(std::fs::read(entry(offset)).unwrap().into());
        committer.commit(&[(offset, described)]).unwrap();
    }
    committer.flush().unwrap();
}

/// Runs this test binary's ignored test `child` on `lake`, to crash at the point's `at`th time.
pub fn run_child(lake: &Path, crash: Option<(&str, u32)>) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--ignored", "--nocapture", "-q"]).env("HW_TEST_LAKE", lake);
    if let Some((point, at)) = crash {
        command.env("HW_TEST_CRASH", point).env("HW_TEST_CRASH_AT", at.to_string());
    }
    command.output().unwrap().status
}

/// A program killed at `point` in its first, second and third pass, one run after the other, ends with every row once.
pub fn survives(point: &str, sink: &dyn Sink<String, Trip>) {
    let dir = tempfile::tempdir().unwrap();
    let mut crashes = 0;
    for at in [1, 2, 1, 1] {
        crashes += i32::from(!run_child(dir.path(), Some((point, at))).success());
    }
    assert!(crashes >= 2, "{point} was reached {crashes} times only");
    assert!(run_child(dir.path(), None).success());
    assert_eq!(ids(sink, &context(dir.path())), (0..TRANSACTIONS * TRIPS).collect::<Vec<_>>(), "{point}");
}
