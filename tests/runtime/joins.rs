//! Joins on the embedded log: several tasks and threads give one answer.

use std::{collections::BTreeMap, path::Path};

use headwater::{
    log::{ConsumerConfig, Isolation, Log, Polled, ProducerConfig, TopicSpec},
    prelude::*,
    runtime::Settings,
};
use headwater_core::{BatchBuilder, Headers, TopicPartition, partition_for_key};

use super::common::{open_log, run_bounded, settings};

/// Key, value, time.
type Record = (String, Option<String>, i64);

/// Creates the topics and writes the records, each key to its partition.
fn feed(log: &dyn Log, topics: &[(&str, i32, &[Record])]) {
    for (topic, partitions, records) in topics {
        let spec = TopicSpec { name: (*topic).into(), partitions: *partitions, config: BTreeMap::new() };
        log.create_topics(&[spec]).unwrap();
        let mut batches: BTreeMap<i32, BatchBuilder> = BTreeMap::new();
        for (key, value, time) in *records {
            let partition = partition_for_key(key.as_bytes(), *partitions);
            let value = value.as_ref().map(String::as_bytes);
            batches.entry(partition).or_default().push(*time, Some(key.as_bytes()), value, &Headers::new());
        }
        let mut producer = log.producer(&ProducerConfig::default()).unwrap();
        for (partition, mut batch) in batches {
            producer.send(&TopicPartition::new(*topic, partition), batch.take().unwrap()).unwrap();
        }
        producer.flush().unwrap();
    }
}

/// Every committed record of a topic, partition by partition in its order.
fn written(log: &dyn Log, topic: &str) -> Vec<Vec<(String, Option<String>)>> {
    let partitions = log.topics().unwrap().into_iter().find(|t| t.name == topic).unwrap().partitions;
    let all: Vec<_> = (0..partitions).map(|partition| TopicPartition::new(topic, partition)).collect();
    let ends = log.end_offsets(&all, Isolation::ReadCommitted).unwrap();
    let mut consumer = log.consumer(&ConsumerConfig::default()).unwrap();
    consumer.assign(&log.start_offsets(&all).unwrap().into_iter().collect::<Vec<_>>()).unwrap();
    let mut records = BTreeMap::from_iter((0..partitions).map(|partition| (partition, Vec::new())));
    while all.iter().any(|at| consumer.position(at) < ends.get(at).copied()) {
        let Polled::Records(batches) = consumer.poll(std::time::Duration::from_millis(100)).unwrap() else { continue };
        for (at, batch) in &batches {
            for record in batch {
                let record = record.unwrap();
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let row = (text(record.key.unwrap()), record.value.map(text));
                records.get_mut(&at.partition).unwrap().push(row);
            }
        }
    }
    records.into_values().collect()
}

/// Deterministic numbers below `bound`.
fn numbers(seed: u64, bound: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(seed), |n| {
        Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    })
    .map(move |n| (n >> 33) % bound)
}

fn keyed(topology: &StreamsBuilder, topic: &str) -> KStream<String, String> {
    topology.stream::<String, String>(topic, (Text, Text)).map(|_, value| (value[..2].to_owned(), value))
}

fn records(name: &str, seed: u64) -> Vec<Record> {
    let choices = numbers(seed, 1_000_000);
    (0_i64..)
        .zip(choices)
        .take(3_000)
        .map(|(n, choice)| {
            let value = format!("k{}{name}{n}", choice % 7);
            let time = n * 1_000 - (choice / 300 % 20_000) as i64 + hours(1);
            (format!("{name}-{}", choice / 7 % 40), Some(value), time)
        })
        .collect()
}

fn stream_table() -> Topology {
    let app = StreamsBuilder::new("joins");
    let rows = keyed(&app, "right")
        .map_values(Some)
        .to_table(Grouped::with("rows-by-key", Text, Text), Materialized::with("rows", Text, Text));
    let words = Joined::with("with-row", Text, Text);
    keyed(&app, "left")
        .left_join_table(&rows, |l, r| format!("{l}/{}", r.unwrap_or_default()), words)
        .to("out", (Text, Text));
    app.build().unwrap()
}

#[test]
fn with_too_little_room_to_wait_a_run_still_comes_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let (left, right) = (records("l", 1), records("r", 2));
    feed(&*log, &[("left", 4, &left), ("right", 3, &right), ("out", 4, &[])]);
    let settings = Settings { max_waiting_bytes: 0, ..settings(dir.path(), 2) };
    run_bounded(&stream_table(), &log, &settings);
    assert_eq!(written(&*log, "out").iter().map(Vec::len).sum::<usize>(), left.len());
}

#[test]
fn a_join_behind_repartitions_writes_the_same_in_every_replay_and_with_any_number_of_threads() {
    let (left, right) = (records("l", 1), records("r", 2));
    let mut first = None;
    for threads in [1, 2, 2] {
        let dir = tempfile::tempdir().unwrap();
        let log = open_log(dir.path());
        feed(&*log, &[("left", 4, &left), ("right", 3, &right), ("out", 4, &[])]);
        let report = run_bounded(&stream_table(), &log, &settings(dir.path(), threads));
        assert!(!report.counters.keys().any(|name| name.starts_with("out-of-order:")), "{:?}", report.counters);
        let found = written(&*log, "out");
        assert_eq!(found.iter().map(Vec::len).sum::<usize>(), left.len());
        assert!(first.get_or_insert_with(|| found.clone()) == &found, "{threads} threads wrote something else");
    }
}

fn foreign_key_join(
    dir: &Path,
    threads: usize,
    widths: (i32, i32),
    orders: &[Record],
    names: &[Record],
) -> BTreeMap<String, Option<String>> {
    let log = open_log(dir);
    feed(&*log, &[("orders", widths.0, orders), ("names", widths.1, names), ("out", widths.0, &[])]);
    let app = StreamsBuilder::new("shop");
    let rows = app.table::<String, String>("orders", Text, Materialized::with("latest-orders", Text, Text));
    let others = app.table::<String, String>("names", Text, Materialized::with("latest-names", Text, Text));
    let words = TableJoined::with("of", (Text, Text), (Text, Text));
    let join = |row: String, name: String| format!("{row}/{name}");
    let store = Materialized::with("joined", Text, Text);
    rows.join_on_foreign_key(&others, |_, row| Some(row[..1].to_owned()), join, words, store)
        .to_stream()
        .to("out", Text);
    run_bounded(&app.build().unwrap(), &log, &settings(dir, threads));
    written(&*log, "out").into_iter().flatten().collect()
}

#[test]
fn a_foreign_key_join_ends_with_its_input_and_gives_the_joined_table() {
    let choices: Vec<_> = numbers(7, 1_000_000).take(2_000).collect();
    let orders: Vec<Record> = (0_i64..)
        .zip(&choices)
        .map(|(n, choice)| {
            let value =
                (choice % 10 > 0).then(|| format!("{}{n}", ["a", "b", "c", "d", "e"][(choice / 10 % 5) as usize]));
            (format!("o{}", choice / 50 % 60), value, n)
        })
        .collect();
    let names: Vec<Record> = (0_i64..)
        .zip(&choices)
        .take(300)
        .map(|(n, choice)| {
            let value = (choice % 3 > 0).then(|| format!("N{n}"));
            (["a", "b", "c", "d"][(choice / 3 % 4) as usize].to_owned(), value, n)
        })
        .collect();
    let latest = |records: &[Record]| -> BTreeMap<String, String> {
        let rows: BTreeMap<_, _> = records.iter().map(|(key, value, _)| (key.clone(), value.clone())).collect();
        rows.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    };
    let (rows, others) = (latest(&orders), latest(&names));
    let joined = rows.iter().filter_map(|(key, row)| Some((key.clone(), format!("{row}/{}", others.get(&row[..1])?))));
    let expected: BTreeMap<String, String> = joined.collect();
    assert!(expected.len() > 10 && expected.len() < rows.len());
    for (threads, widths) in [(1, (1, 1)), (2, (3, 2)), (3, (2, 4))] {
        let dir = tempfile::tempdir().unwrap();
        let found = foreign_key_join(dir.path(), threads, widths, &orders, &names);
        let found: BTreeMap<String, String> = found.into_iter().filter_map(|(key, row)| Some((key, row?))).collect();
        assert_eq!(found, expected, "{threads} threads, {widths:?} partitions");
    }
}
