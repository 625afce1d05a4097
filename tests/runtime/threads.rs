//! Any number of threads gives the same final results.

use super::common::*;

#[test]
fn one_two_and_four_threads_give_identical_final_results() {
    let readings = readings(20_000);
    let expected = expected(&readings);
    for threads in [1, 2, 4] {
        let dir = tempfile::tempdir().unwrap();
        let log = open_log(dir.path());
        feed(&*log, &readings);
        let report = run_bounded(&topology(), &log, &settings(dir.path(), threads));
        assert_eq!(report.processed, 20_000, "{threads} threads");
        assert_eq!(report.counters.get("late:hourly"), None, "{threads} threads: {:?}", report.counters);
        assert_eq!(results(&*log, "hourly-sums"), expected, "{threads} threads");
    }
}

#[test]
fn a_slow_rate_cap_changes_nothing_but_the_time() {
    let readings = readings(2_000);
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    feed(&*log, &readings);
    let mut settings = settings(dir.path(), 2);
    settings.max_records_per_second = Some(2_000);
    let report = run_bounded(&topology(), &log, &settings);
    assert!(report.elapsed.as_millis() >= 800, "the cap was not kept: {:?}", report.elapsed);
    assert_eq!(results(&*log, "hourly-sums"), expected(&readings));
}
