//! What a user chooses for a store holds in a real run: in memory, without a changelog, with its own settings; and what
//! waits in a buffer goes on waiting after a restart.

use std::{collections::BTreeMap, sync::Arc};

use headwater::{
    log::Log,
    prelude::*,
    runtime::{Mode, Progress, run},
    state::{StateDirectory, StoreMemory, TaskStore},
};
use headwater_core::TaskId;

use super::common::*;

/// Counts readings per room in a store that `choose` makes something of.
fn counting(choose: impl Fn(Materialized<i64, i64>) -> Materialized<i64, i64>) -> Topology {
    let app = StreamsBuilder::new("rooms");
    app.stream::<String, i64>("readings", Json)
        .map(|_, n| (n % 7, n))
        .group_by_key("by-room")
        .count(choose(Materialized::named("counts")))
        .updates()
        .to("hourly-sums", Json);
    app.build().unwrap()
}

/// The greatest count written for each room.
fn greatest(log: &dyn Log) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for (key, value) in read_all(log, "hourly-sums") {
        let room = i64::from_be_bytes(key.as_slice().try_into().unwrap()).to_string();
        let count: i64 = serde_json::from_slice(&value).unwrap();
        let known: &mut i64 = counts.entry(room).or_default();
        *known = count.max(*known);
    }
    counts
}

fn counted(readings: &[(String, i64, i64)]) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for (_, n, _) in readings {
        *counts.entry((n % 7).to_string()).or_default() += 1;
    }
    counts
}

#[test]
fn a_store_in_memory_is_read_from_its_changelog_at_every_start_and_not_from_disk() {
    let readings = readings(6_000);
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let settings = settings(dir.path(), 2);
    let topology = counting(Materialized::in_memory);
    for part in readings.chunks(2_000) {
        feed(&*log, part);
        run_bounded(&topology, &log, &settings);
    }
    assert_eq!(greatest(&*log), counted(&readings));
    let directory = StateDirectory::lock(&settings.state_dir("rooms")).unwrap();
    for partition in 0..PARTITIONS {
        let task = directory.task_dir(TaskId { subtopology: 1, partition });
        let store = TaskStore::open(&task, &[], &StoreMemory::default()).unwrap();
        assert!(store.stores().is_empty(), "{:?}", store.stores());
    }
}

#[test]
fn a_store_without_changelog_goes_on_from_the_local_state_and_makes_no_topic() {
    let readings = readings(4_000);
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let settings = settings(dir.path(), 1);
    let topology = counting(Materialized::without_changelog);
    for part in readings.chunks(2_000) {
        feed(&*log, part);
        run_bounded(&topology, &log, &settings);
    }
    assert_eq!(greatest(&*log), counted(&readings));
    assert!(!log.topics().unwrap().iter().any(|topic| topic.name.ends_with("-changelog")));
}

#[test]
fn a_changelog_is_made_with_the_settings_it_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    feed(&*log, &readings(10));
    let topology = counting(|store| store.changelog_setting("max.compaction.lag.ms", "60000"));
    assert_eq!(
        topology.plan().stores["counts"].options.changelog_settings,
        BTreeMap::from([("max.compaction.lag.ms".to_owned(), "60000".to_owned())])
    );
    run_bounded(&topology, &log, &settings(dir.path(), 1));
    let config = log.topic_settings("rooms-counts-changelog").unwrap();
    assert_eq!(config.get("max.compaction.lag.ms").map(String::as_str), Some("60000"));
}

/// Hourly sums per room, held back until they are final; the latest reading of each sensor, added up by room.
fn held_back() -> Topology {
    let app = StreamsBuilder::new("rooms");
    let readings = app.stream::<String, i64>("readings", Json);
    readings
        .group_by(|_, n| n % 7, "by-room")
        .windowed_by(Tumbling::of(hours(1)).grace(minutes(30)))
        .aggregate("hourly", || (0_i64, 0_i64), |_, n, total| *total = (total.0 + 1, total.1 + n))
        .suppress_until_closed("hourly-final")
        .updates()
        .map(|window, total| (format!("{}@{}", window.key, window.start), total))
        .to("hourly-sums", Json);
    let latest = readings.latest_as_table("by-sensor", "latest");
    latest.group_by(|_, n| (n % 7, n), "latest-by-room").reduce("latest-sums", |a, b| a + b, |a, b| a - b);
    app.build().unwrap()
}

#[test]
fn what_is_held_back_in_a_run_that_is_stopped_comes_out_of_the_next_ones_once() {
    let readings = readings(20_000);
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    feed(&*log, &readings);
    let settings = settings(dir.path(), 2);
    for after in [500, 3_000, 4_000] {
        let progress = Arc::new(Progress::default());
        let watched = progress.clone();
        let watcher = std::thread::spawn(move || {
            while watched.processed() < after && !watched.is_stopping() {
                std::thread::yield_now();
            }
            watched.stop();
        });
        run(&held_back(), &log, &settings, Mode::Bounded, &progress).unwrap();
        progress.stop();
        watcher.join().unwrap();
    }
    std::fs::remove_dir_all(dir.path().join("state")).unwrap();
    run_bounded(&held_back(), &log, &settings);
    assert_eq!(results(&*log, "hourly-sums"), expected(&readings));
}
