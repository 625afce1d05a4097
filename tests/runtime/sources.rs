//! Where a run begins, and which topics it reads.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use headwater::{
    log::{Log, ProducerConfig, TopicSpec},
    prelude::*,
    runtime::{Mode, Progress, Settings, run},
};
use headwater_core::{BatchBuilder, Headers, ManualClock, TopicPartition};

use super::common::*;

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

#[test]
fn a_pattern_reads_the_topics_there_are_when_a_run_starts_and_needs_one() {
    let topology = || {
        let app = StreamsBuilder::new("copy");
        let all = app.stream::<String, i64>(Topics::matching("in-.*"), Consumed::json().named("all"));
        all.map_values(|n| (n, n)).to("out", Json);
        app.build().unwrap()
    };
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    create(&*log, "out");
    let settings = settings(dir.path(), 1);
    let error = run(&topology(), &log, &settings, Mode::Bounded, &Arc::new(Progress::default())).unwrap_err();
    assert_eq!(error.code(), "HW0110");
    write(&*log, "in-a", &[(1, 10)]);
    write(&*log, "other", &[(9, 10)]);
    run_bounded(&topology(), &log, &settings);
    assert_eq!(numbers(&*log), [1]);
    write(&*log, "in-b", &[(2, 10)]);
    run_bounded(&topology(), &log, &settings);
    assert_eq!(numbers(&*log), [1, 2]);
}
