//! Only a task that has read all there is may be left out of the closing of windows, and it says so again and again.

use std::{
    collections::BTreeMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use headwater::{
    log::{Isolation, Log, TopicSpec},
    prelude::*,
    runtime::{Mode, Progress, run},
};
use headwater_core::TopicPartition;

use super::common::*;

#[test]
fn a_task_with_records_still_to_read_is_never_taken_for_idle() {
    let readings = readings(20_000);
    let expected = expected(&readings);
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    feed(&*log, &readings);
    let mut settings = settings(dir.path(), 1);
    settings.max_source_idle = Duration::ZERO;

    let progress = Arc::new(Progress::default());
    let worker = {
        let (log, progress) = (log.clone(), progress.clone());
        thread::spawn(move || run(&topology(), &log, &settings, Mode::Live, &progress).unwrap())
    };
    let enough = || log.topics().unwrap().len() > 2 && results(&*log, "hourly-sums").len() > expected.len() / 2;
    let deadline = Instant::now() + Duration::from_secs(60);
    while !enough() && !worker.is_finished() {
        assert!(Instant::now() < deadline, "the windows did not close");
        thread::sleep(Duration::from_millis(10));
    }
    progress.stop();
    let report = worker.join().unwrap();

    assert_eq!(report.counters.get("late:hourly").copied().unwrap_or_default(), 0);
    for (window, sum) in results(&*log, "hourly-sums") {
        assert_eq!(Some(&sum), expected.get(&window), "{window}");
    }
}

/// A downstream task that moves or starts later than its upstream tasks has not heard what they said before.
#[test]
fn an_idle_task_says_so_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    feed(&*log, &readings(100));
    let mut settings = settings(dir.path(), 1);
    settings.max_source_idle = Duration::from_millis(50);

    let progress = Arc::new(Progress::default());
    let worker = {
        let (log, progress) = (log.clone(), progress.clone());
        thread::spawn(move || run(&topology(), &log, &settings, Mode::Live, &progress).unwrap())
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    // The readings, the times and one saying take fewer records than that; nobody feeds any more.
    while written(&*log) < 200 {
        assert!(Instant::now() < deadline && !worker.is_finished(), "{} records", written(&*log));
        thread::sleep(Duration::from_millis(10));
    }
    progress.stop();
    worker.join().unwrap();
}

/// The other input of the windows goes on, so their task is never without news.
#[test]
fn windows_close_without_a_source_that_stays_quiet_beside_a_busy_repartition() {
    let app = StreamsBuilder::new("beside");
    let moved = app.stream::<String, i64>("readings", Json).map(|_, n| (n % 7, n)).repartition("moved");
    moved
        .merge(&app.stream::<i64, i64>("quiet", Json))
        .group_by_key("by-room")
        .windowed_by(Tumbling::of(hours(1)).grace(minutes(30)).emit_on_close())
        .aggregate("hourly", || (0_i64, 0_i64), |_, n, total| *total = (total.0 + 1, total.1 + n))
        .updates()
        .map(|window, total| (format!("{}@{}", window.key, window.start), total))
        .to("hourly-sums", Json);
    let topology = app.build().unwrap();
    let (readings, dir) = (readings(5_000), tempfile::tempdir().unwrap());
    let log = open_log(dir.path());
    log.create_topics(&[TopicSpec { name: "quiet".into(), partitions: PARTITIONS, config: BTreeMap::new() }]).unwrap();
    feed(&*log, &readings);
    let mut settings = settings(dir.path(), 1);
    settings.max_source_idle = Duration::from_millis(100);

    let progress = Arc::new(Progress::default());
    let worker = {
        let (log, progress) = (log.clone(), progress.clone());
        thread::spawn(move || run(&topology, &log, &settings, Mode::Live, &progress).unwrap())
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while results(&*log, "hourly-sums").is_empty() {
        assert!(Instant::now() < deadline && !worker.is_finished(), "the windows did not close");
        thread::sleep(Duration::from_millis(10));
    }
    progress.stop();
    worker.join().unwrap();
    let expected = expected(&readings);
    for (window, sum) in results(&*log, "hourly-sums") {
        assert_eq!(Some(&sum), expected.get(&window), "{window}");
    }
}

/// Records in the repartition topic.
fn written(log: &dyn Log) -> i64 {
    let partitions: Vec<_> =
        (0..PARTITIONS).map(|partition| TopicPartition::new("rooms-by-room-repartition", partition)).collect();
    log.end_offsets(&partitions, Isolation::ReadCommitted).map_or(0, |ends| ends.values().sum())
}
