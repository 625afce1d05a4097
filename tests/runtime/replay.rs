//! A replay runs beside the first version and gives the same answer.

use super::common::*;
use headwater::runtime::Settings;

#[test]
fn a_replay_gives_the_same_results_and_leaves_the_first_version_alone() {
    let readings = readings(10_000);
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    feed(&*log, &readings);
    let first = settings(dir.path(), 2);
    run_bounded(&topology(), &log, &first);
    let second = Settings { version: 2, create_output_topics: true, threads: 1, ..first };
    let report = run_bounded(&topology(), &log, &second);
    assert_eq!(report.processed, 10_000, "a replay begins at the beginning");
    let expected = expected(&readings);
    assert_eq!(results(&*log, "hourly-sums__v2"), expected);
    assert_eq!(results(&*log, "hourly-sums"), expected);
}

#[test]
fn a_changed_topology_gives_other_results_beside_the_first() {
    let readings = readings(5_000);
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    feed(&*log, &readings);
    let first = settings(dir.path(), 1);
    run_bounded(&topology(), &log, &first);
    let second = Settings { version: 2, create_output_topics: true, ..first };
    run_bounded(&topology_with(|n| n + 7), &log, &second);
    let (old, new) = (results(&*log, "hourly-sums"), results(&*log, "hourly-sums__v2"));
    assert_eq!(old.len(), new.len());
    for (window, (count, sum)) in old {
        assert_eq!(new[&window], (count, sum + 7 * count), "{window}");
    }
}
