//! What internal topics keep, and what they are set to.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use headwater::{
    log::{Log, TopicSpec},
    prelude::*,
    runtime::Settings,
};
use headwater_core::TopicPartition;

use super::{common::*, processors::wait_for, sources};

const REPARTITION: &str = "rooms-by-room-repartition";

/// A run in two parts that deletes what has been read after each commit.
pub fn check_that_read_repartition_records_go(log: &Arc<dyn Log>, dir: &Path) {
    let settings = Settings { repartition_purge_interval: Duration::ZERO, ..settings(dir, 2) };
    let (mut all, partitions) = (readings(2_000), partitions());
    let mut later = all.split_off(1_000);
    // A bounded run closes its windows; the second one's are other ones.
    later.iter_mut().for_each(|(_, _, time)| *time += days(10));
    let mut deleted: BTreeMap<TopicPartition, i64> = BTreeMap::new();
    for part in [&all, &later] {
        feed(&**log, part);
        run_bounded(&topology(), log, &settings);
        let committed = log.committed("rooms", &partitions).unwrap();
        let committed = committed.into_iter().map(|(partition, committed)| (partition, committed.offset)).collect();
        let starts = log.start_offsets(&partitions).unwrap();
        assert_eq!(starts, committed);
        let grown = starts.iter().filter(|(partition, start)| *start > deleted.get(partition).unwrap_or(&0));
        assert_eq!(grown.count(), partitions.len(), "each partition has got records, and let go of them");
        deleted = starts;
    }
    all.append(&mut later);
    wait_for("all results", || results(&**log, "hourly-sums").len() == expected(&all).len());
    assert_eq!(results(&**log, "hourly-sums"), expected(&all));
}

fn partitions() -> Vec<TopicPartition> {
    (0..PARTITIONS).map(|partition| TopicPartition::new(REPARTITION, partition)).collect()
}

/// Records go through a repartition topic and stores' changelogs with times hundreds of years ahead, which a broker's
/// defaults refuse, and come out with them.
pub fn check_that_any_time_passes(log: &Arc<dyn Log>, dir: &Path) {
    const AHEAD: i64 = 10_000_000_000_000;
    sources::write(&**log, "in", &[(1, 10), (2, 20), (3, 30)]);
    let config = BTreeMap::from([("message.timestamp.after.max.ms".to_owned(), i64::MAX.to_string())]);
    log.create_topics(&[TopicSpec { name: "out".into(), partitions: 1, config }]).unwrap();
    let app = StreamsBuilder::new("ahead");
    app.stream("in", Consumed::<String, i64>::json().timestamp_by(|arrival| arrival.timestamp + AHEAD))
        .group_by(|_, n| n % 2, "by-parity")
        .windowed_by(Tumbling::of(1_000).no_grace().emit_on_close())
        .count("counts")
        .updates()
        .map(|window, n| (format!("{}@{}", window.key, window.start), (n, 0)))
        .to("out", Json);
    run_bounded(&app.build().unwrap(), log, &settings(dir, 1));
    wait_for("both results", || count(&**log, "out") == 2);
    let row = |key: i64, n: i64| (format!("{key}@{AHEAD}"), (n, 0));
    assert_eq!(results(&**log, "out"), BTreeMap::from([row(0, 1), row(1, 2)]));
}

#[test]
fn repartition_records_go_once_their_reader_has_committed_them() {
    let dir = tempfile::tempdir().unwrap();
    check_that_read_repartition_records_go(&open_log(dir.path()), dir.path());
}

#[test]
fn records_with_times_far_ahead_pass_internal_topics() {
    let dir = tempfile::tempdir().unwrap();
    check_that_any_time_passes(&open_log(dir.path()), dir.path());
}
