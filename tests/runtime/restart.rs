//! A run that is stopped, at any moment, goes on where it stood.

use std::{sync::Arc, time::Duration};

use headwater::runtime::{Mode, Progress, Settings, run};

use super::common::*;

/// Runs bounded, stopping after about `after` records; returns whether it had finished by itself.
fn run_until(dir: &std::path::Path, log: &Arc<dyn headwater::log::Log>, settings: &Settings, after: u64) -> bool {
    let _ = dir;
    let progress = Arc::new(Progress::default());
    let watched = progress.clone();
    let watcher = std::thread::spawn(move || {
        while watched.processed() < after && !watched.is_stopping() {
            std::thread::sleep(Duration::from_millis(1));
        }
        watched.stop();
    });
    let report = run(&topology(), log, settings, Mode::Bounded, &progress).unwrap();
    progress.stop();
    watcher.join().unwrap();
    report.processed == progress.total()
}

#[test]
fn stopping_and_starting_again_gives_each_result_once() {
    let readings = readings(20_000);
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    feed(&*log, &readings);
    let settings = settings(dir.path(), 2);
    for after in [1, 500, 3_000, 4_000] {
        run_until(dir.path(), &log, &settings, after);
    }
    run_bounded(&topology(), &log, &settings);
    assert_eq!(results(&*log, "hourly-sums"), expected(&readings));
    let again = run_bounded(&topology(), &log, &settings);
    assert_eq!(again.processed, 0);
    assert_eq!(results(&*log, "hourly-sums"), expected(&readings), "a complete run changes nothing");
}

#[test]
fn a_wiped_state_directory_is_restored_from_the_changelog() {
    let readings = readings(20_000);
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    feed(&*log, &readings);
    let settings = settings(dir.path(), 1);
    for after in [2_000, 5_000] {
        run_until(dir.path(), &log, &settings, after);
        std::fs::remove_dir_all(dir.path().join("state")).unwrap();
    }
    run_bounded(&topology(), &log, &settings);
    assert_eq!(results(&*log, "hourly-sums"), expected(&readings));
}

#[test]
fn records_fed_after_a_complete_run_are_taken_by_the_next() {
    let readings = readings(20_000);
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let (first, second) = readings.split_at(10_000);
    feed(&*log, first);
    let settings = settings(dir.path(), 2);
    run_bounded(&topology(), &log, &settings);
    assert_eq!(results(&*log, "hourly-sums"), expected(first));
    feed(&*log, second);
    let report = run_bounded(&topology(), &log, &settings);
    assert_eq!(report.processed, 10_000);
    // The windows that the first run closed at its end are final: what still came for them is late and counted.
    let mut all = expected(first);
    let late: i64 = expected(second)
        .into_iter()
        .map(|(window, sum)| match all.entry(window) {
            std::collections::btree_map::Entry::Occupied(_) => sum.0,
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(sum);
                0
            }
        })
        .sum();
    assert_eq!(results(&*log, "hourly-sums"), all);
    assert_eq!(report.counters.get("late:hourly").copied().unwrap_or_default(), late);
}
