//! A small pipeline with a repartition: readings of sensors, keyed by sensor, summed by room and hour.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use headwater::{
    log::{ConsumerConfig, EmbeddedConfig, EmbeddedLog, Isolation, Log, Polled, ProducerConfig, TopicSpec},
    prelude::*,
    runtime::{Mode, Progress, RunReport, Settings, run},
};
use headwater_core::{BatchBuilder, Headers, SystemClock, TopicPartition, partition_for_key};

pub const PARTITIONS: i32 = 4;

/// Readings are numbers; the room is the number modulo 7.
pub fn topology() -> Topology {
    topology_with(|n| n)
}

pub fn topology_with(change: impl Fn(i64) -> i64 + Send + Sync + 'static) -> Topology {
    let app = StreamsBuilder::new("rooms");
    rooms(&app, change);
    app.build().unwrap()
}

pub fn rooms(app: &StreamsBuilder, change: impl Fn(i64) -> i64 + Send + Sync + 'static) {
    app.stream::<String, i64>("readings", Json)
        .map_values(change)
        .group_by(|_, n| n % 7, "by-room")
        .windowed_by(Tumbling::of(hours(1)).grace(minutes(30)).emit_on_close())
        .aggregate("hourly", || (0_i64, 0_i64), |_, n, total| *total = (total.0 + 1, total.1 + n))
        .updates()
        .map(|window, total| (format!("{}@{}", window.key, window.start), total))
        .to("hourly-sums", Json);
}

/// `count` readings of 20 sensors over some days, mildly out of order; deterministic.
pub fn readings(count: usize) -> Vec<(String, i64, i64)> {
    let mut random = 42_u64;
    (0..count)
        .map(|i| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let jitter = (random >> 33) as i64 % minutes(25);
            let time = (i as i64) * 60_000 - jitter + days(1);
            (format!("sensor-{}", (random >> 20) % 20), (random >> 40) as i64 % 1_000, time)
        })
        .collect()
}

/// What the pipeline must say of `readings`: per room and hour the count and the sum. None of them is late.
pub fn expected(readings: &[(String, i64, i64)]) -> BTreeMap<String, (i64, i64)> {
    let mut sums = BTreeMap::new();
    for (_, n, time) in readings {
        let start = time - time.rem_euclid(hours(1));
        let sum: &mut (i64, i64) = sums.entry(format!("{}@{start}", n % 7)).or_default();
        *sum = (sum.0 + 1, sum.1 + n);
    }
    sums
}

pub fn open_log(dir: &Path) -> Arc<dyn Log> {
    let config = EmbeddedConfig { durable: false, ..EmbeddedConfig::default() };
    EmbeddedLog::open(&dir.join("log"), config, Arc::new(SystemClock)).unwrap()
}

/// Creates the topics and writes the readings, each sensor to its partition.
pub fn feed(log: &dyn Log, readings: &[(String, i64, i64)]) {
    let spec = |name: &str| TopicSpec { name: name.into(), partitions: PARTITIONS, config: BTreeMap::new() };
    log.create_topics(&[spec("readings"), spec("hourly-sums")]).unwrap();
    let mut batches: BTreeMap<i32, BatchBuilder> = BTreeMap::new();
    for (sensor, n, time) in readings {
        let partition = partition_for_key(sensor.as_bytes(), PARTITIONS);
        let value = n.to_string();
        batches.entry(partition).or_default().push(
            *time,
            Some(sensor.as_bytes()),
            Some(value.as_bytes()),
            &Headers::new(),
        );
    }
    let mut producer = log.producer(&ProducerConfig::default()).unwrap();
    for (partition, mut batch) in batches {
        producer.send(&TopicPartition::new("readings", partition), batch.take().unwrap()).unwrap();
    }
    producer.flush().unwrap();
}

pub fn settings(dir: &Path, threads: usize) -> Settings {
    Settings { threads, commit_interval: Duration::from_millis(20), ..Settings::in_dir(dir) }
}

pub fn run_bounded(topology: &Topology, log: &Arc<dyn Log>, settings: &Settings) -> RunReport {
    run(topology, log, settings, Mode::Bounded, &Arc::new(Progress::default())).unwrap()
}

/// How many committed records a topic holds.
pub fn count(log: &dyn Log, topic: &str) -> usize {
    read_all(log, topic).len()
}

/// Every committed record of a topic, as (key, value); panics if a key occurs twice.
pub fn results(log: &dyn Log, topic: &str) -> BTreeMap<String, (i64, i64)> {
    let mut results = BTreeMap::new();
    for (key, value) in read_all(log, topic) {
        let key = String::from_utf8(key).unwrap();
        let value = serde_json::from_slice(&value).unwrap();
        assert_eq!(results.insert(key.clone(), value), None, "{key} was emitted twice");
    }
    results
}

pub fn read_all(log: &dyn Log, topic: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let partitions = log.topics().unwrap().into_iter().find(|t| t.name == topic).unwrap().partitions;
    let all: Vec<_> = (0..partitions).map(|partition| TopicPartition::new(topic, partition)).collect();
    let ends = log.end_offsets(&all, Isolation::ReadCommitted).unwrap();
    let mut consumer = log.consumer(&ConsumerConfig::default()).unwrap();
    consumer.assign(&log.start_offsets(&all).unwrap().into_iter().collect::<Vec<_>>()).unwrap();
    let mut records = Vec::new();
    while all.iter().any(|at| consumer.position(at) < ends.get(at).copied()) {
        let Polled::Records(batches) = consumer.poll(Duration::from_millis(100)).unwrap() else { continue };
        for record in batches.iter().flat_map(|(_, batch)| batch) {
            let record = record.unwrap();
            records.push((record.key.unwrap().to_vec(), record.value.unwrap().to_vec()));
        }
    }
    records
}
