//! Where a run begins, and which topics it reads.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use headwater::{
    log::{Log, ProducerConfig, TopicSpec},
    prelude::*,
    runtime::{App, Mode, Progress, Settings, run},
};
use headwater_core::{BatchBuilder, Headers, ManualClock, TopicPartition};

use super::{common::*, processors::wait_for};

/// Creates a topic of one partition, unless it is there.
pub fn create(log: &dyn Log, topic: &str) {
    log.create_topics(&[TopicSpec { name: topic.into(), partitions: 1, config: BTreeMap::new() }]).unwrap();
}

/// Writes records, whose keys are their values, with their times.
pub fn write(log: &dyn Log, topic: &str, values: &[(i64, i64)]) {
    create(log, topic);
    let mut batch = BatchBuilder::new();
    for (n, time) in values {
        batch.push(*time, Some(n.to_string().as_bytes()), Some(n.to_string().as_bytes()), &Headers::new());
    }
    let mut producer = log.producer(&ProducerConfig::default()).unwrap();
    producer.send(&TopicPartition::new(topic, 0), batch.take().unwrap()).unwrap();
    producer.flush().unwrap();
}

fn copy(reset: Option<OffsetReset>) -> Topology {
    let app = StreamsBuilder::new("copy");
    let mut consumed = Consumed::<String, i64>::json().named("source");
    if let Some(reset) = reset {
        consumed = consumed.reset(reset);
    }
    app.stream("in", consumed).map_values(|n| (n, n)).to("out", Json);
    app.build().unwrap()
}

fn numbers(log: &dyn Log) -> Vec<i64> {
    results(log, "out").into_values().map(|(n, _)| n).collect()
}

#[test]
fn without_a_committed_offset_a_source_begins_where_its_reset_says_and_later_where_it_stopped() {
    let now = 1_000_000;
    let cases = [
        (None, vec![1, 2, 3], vec![1, 2, 3, 4]),
        (Some(OffsetReset::Earliest), vec![1, 2, 3], vec![1, 2, 3, 4]),
        (Some(OffsetReset::ByDuration(50_000)), vec![2, 3], vec![2, 3, 4]),
    ];
    for (reset, first, second) in cases {
        let dir = tempfile::tempdir().unwrap();
        let log = open_log(dir.path());
        write(&*log, "in", &[(1, now - 60_000), (2, now - 40_000), (3, now)]);
        create(&*log, "out");
        let settings = Settings { clock: Arc::new(ManualClock::at(now)), ..settings(dir.path(), 1) };
        run_bounded(&copy(reset), &log, &settings);
        assert_eq!(numbers(&*log), first, "{reset:?}");
        write(&*log, "in", &[(4, now)]);
        run_bounded(&copy(reset), &log, &settings);
        assert_eq!(numbers(&*log), second, "{reset:?}");
    }
}

#[test]
fn a_source_that_begins_at_the_latest_record_reads_only_what_comes_after_its_start() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    write(&*log, "in", &[(1, 10), (2, 20)]);
    create(&*log, "out");
    let progress = Arc::new(Progress::default());
    let running = {
        let (log, progress, settings) = (log.clone(), progress.clone(), settings(dir.path(), 1));
        let topology = copy(Some(OffsetReset::Latest));
        std::thread::spawn(move || run(&topology, &log, &settings, Mode::Live, &progress).unwrap())
    };
    // Where it began is not to be seen from outside: it is there when one of the later records arrives.
    let mut sent = 2;
    while numbers(&*log).is_empty() {
        sent += 1;
        write(&*log, "in", &[(sent, 30)]);
        std::thread::sleep(Duration::from_millis(20));
        assert!(sent < 3_000, "nothing arrived");
    }
    progress.stop();
    running.join().unwrap();
    assert!(numbers(&*log).iter().all(|n| *n > 2), "{:?}", numbers(&*log));
}

#[test]
fn a_replay_begins_at_the_beginning_whatever_the_reset() {
    for reset in [OffsetReset::Latest, OffsetReset::ByDuration(1), OffsetReset::None] {
        let dir = tempfile::tempdir().unwrap();
        let log = open_log(dir.path());
        write(&*log, "in", &[(1, 10), (2, 20)]);
        create(&*log, "out__v2");
        let settings = Settings { version: 2, ..settings(dir.path(), 1) };
        run_bounded(&copy(Some(reset)), &log, &settings);
        assert_eq!(results(&*log, "out__v2").len(), 2, "{reset:?}");
    }
}

#[test]
fn a_source_without_reset_refuses_to_begin() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    write(&*log, "in", &[(1, 10)]);
    create(&*log, "out");
    let topology = copy(Some(OffsetReset::None));
    let progress = Arc::new(Progress::default());
    let error = run(&topology, &log, &settings(dir.path(), 1), Mode::Bounded, &progress).unwrap_err();
    assert_eq!(error.code(), "HW0640");
    assert!(error.to_string().contains("in-0"), "{error}");
}

/// Runs one after the other, each with one topic more that matches the pattern, and none that does not.
pub fn reads_the_topics_there_are_when_it_starts(log: &Arc<dyn Log>, dir: &std::path::Path) {
    let topology = || {
        let app = StreamsBuilder::new("copy");
        let all = app.stream::<String, i64>(Topics::matching("in-.*"), Consumed::json().named("all"));
        all.map_values(|n| (n, n)).to("out", Json);
        app.build().unwrap()
    };
    create(&**log, "out");
    let settings = settings(dir, 1);
    let error = run(&topology(), log, &settings, Mode::Bounded, &Arc::new(Progress::default())).unwrap_err();
    assert_eq!(error.code(), "HW0110");
    write(&**log, "in-b", &[(1, 10)]);
    write(&**log, "other", &[(9, 10)]);
    run_bounded(&topology(), log, &settings);
    wait_for("the first record", || numbers(&**log) == [1]);
    write(&**log, "in-a", &[(2, 10)]);
    run_bounded(&topology(), log, &settings);
    wait_for("the second topic's record", || numbers(&**log) == [1, 2]);
}

#[test]
fn a_pattern_reads_the_topics_there_are_when_a_run_starts_and_needs_one() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    reads_the_topics_there_are_when_it_starts(&log, dir.path());
}

/// How many records of each key came in each window of 100 ms, over all topics called in-..., when the window closes.
fn windows_of_all() -> Topology {
    let app = StreamsBuilder::new("copy");
    app.stream::<String, i64>(Topics::matching("in-.*"), Consumed::json().named("all"))
        .group_by_key("by-key")
        .windowed_by(Tumbling::of(100).no_grace().emit_on_close())
        .count("counts")
        .updates()
        .map(|window, n| (format!("{}@{}", window.key, window.start), (n, n)))
        .to("out", Json);
    app.build().unwrap()
}

/// A live run takes in topics as they come, without losing what it knew of time, and leaves out one that does not fit.
pub fn takes_in_new_topics(log: &Arc<dyn Log>, dir: &std::path::Path) {
    write(&**log, "in-b", &[(1, 10), (2, 250)]);
    create(&**log, "out");
    let settings = Settings { topic_check_interval: Duration::from_millis(50), ..settings(dir, 1) };
    let app = App::start(&windows_of_all(), log, &settings, Mode::Live).unwrap();
    let seen = |key: &str| results(&**log, "out").contains_key(key);
    wait_for("the first window", || seen("1@0"));
    // It stands before the other in the order of names. Its first record is late: that window has closed.
    write(&**log, "in-a", &[(3, 20), (4, 350)]);
    wait_for("the new topic's record to close a window", || seen("2@200"));
    log.create_topics(&[TopicSpec { name: "in-c".into(), partitions: 2, config: BTreeMap::new() }]).unwrap();
    write(&**log, "in-d", &[(5, 700)]);
    wait_for("a topic made beside one that does not fit", || seen("4@300"));
    let report = app.stop().unwrap();
    assert_eq!(report.counters.get("late:counts"), Some(&1));
    assert_eq!(report.processed, 5);
    assert_eq!(results(&**log, "out").into_keys().collect::<Vec<_>>(), ["1@0", "2@200", "4@300"]);
}

#[test]
fn a_live_run_reads_topics_that_are_made_while_it_runs_and_leaves_out_those_that_do_not_fit() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    takes_in_new_topics(&log, dir.path());
}

#[test]
fn how_far_apart_in_event_time_the_inputs_of_a_task_were_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    write(&*log, "in-a", &[(1, 1_000), (2, 90_000)]);
    write(&*log, "in-b", &[(3, 500), (4, 4_000)]);
    create(&*log, "out");
    let report = run_bounded(&windows_of_all(), &log, &settings(dir.path(), 1));
    let skews: Vec<_> = report.time_skew.values().map(ToString::to_string).collect();
    assert_eq!(skews, ["in-b is 86000 ms behind in-a"]);
    let alone = tempfile::tempdir().unwrap();
    let log = open_log(alone.path());
    write(&*log, "in-a", &[(1, 1_000), (2, 90_000)]);
    create(&*log, "out");
    assert!(run_bounded(&windows_of_all(), &log, &settings(alone.path(), 1)).time_skew.is_empty());
}

#[test]
fn how_much_has_waited_of_an_input_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    create(&*log, "out");
    write(&*log, "in-a", &[(1, 0)]);
    let few = run_bounded(&windows_of_all(), &log, &settings(dir.path(), 1)).most_waiting_bytes;
    write(&*log, "in-a", &(0..1_000).map(|time| (1, time)).collect::<Vec<_>>());
    let many = run_bounded(&windows_of_all(), &log, &settings(dir.path(), 1)).most_waiting_bytes;
    assert!((1..100).contains(&few) && (5_000..100_000).contains(&many), "{few}, {many}");
}
