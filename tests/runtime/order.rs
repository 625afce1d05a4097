//! In a bounded run the tasks of a thread go through time together.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use headwater::{
    log::{ProducerConfig, TopicSpec},
    prelude::*,
};
use headwater_core::{BatchBuilder, Headers, TopicPartition};

use super::common::*;

#[test]
fn a_short_partition_does_not_run_ahead_of_a_long_one() {
    const SPAN_MS: i64 = 10_000;
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    log.create_topics(&[TopicSpec { name: "ticks".into(), partitions: 2, config: BTreeMap::new() }]).unwrap();
    let mut producer = log.producer(&ProducerConfig::default()).unwrap();
    // The same span of time in both partitions, with ten times as many records in the second.
    for (partition, per_ms) in [(0, 1), (1, 10)] {
        let mut batch = BatchBuilder::new();
        for time in (0..SPAN_MS).flat_map(|time| (0..per_ms).map(move |_| time)) {
            batch.push(time, None, Some(time.to_string().as_bytes()), &Headers::new());
        }
        producer.send(&TopicPartition::new("ticks", partition), batch.take().unwrap()).unwrap();
    }
    producer.flush().unwrap();

    let seen = Arc::new(Mutex::new(Vec::new()));
    let app = StreamsBuilder::new("ticks");
    let note = seen.clone();
    app.stream::<Option<String>, i64>("ticks", Json).for_each(move |_, time| note.lock().unwrap().push(time));
    let report = run_bounded(&app.build().unwrap(), &log, &settings(dir.path(), 1));

    assert_eq!(report.processed, 11 * SPAN_MS.unsigned_abs());
    let (mut greatest, mut back) = (0, 0);
    for time in &*seen.lock().unwrap() {
        greatest = greatest.max(*time);
        back = back.max(greatest - *time);
    }
    assert!(back <= SPAN_MS / 4, "one task was {back} ms of {SPAN_MS} ms ahead of the other");
}
