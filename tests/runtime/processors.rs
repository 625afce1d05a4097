//! Processors, timers and asynchronous steps on the embedded log: what they do on the driver, they do here.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use headwater::{
    log::{ConsumerConfig, Log, Polled},
    prelude::*,
    runtime::{Mode, Progress, Settings, run},
};
use headwater_core::{ManualClock, TopicPartition};

use super::common::*;

type Cx<'a> = ProcessorContext<'a, String, (i64, i64)>;

/// Sums per sensor, told by a timer of stream time and at last by one of the wall clock.
struct Sums {
    sums: KeyValueStore<String, (i64, i64)>,
    hourly: Option<Timer>,
}

impl Processor<String, i64> for Sums {
    type KeyOut = String;
    type ValueOut = (i64, i64);

    fn init(&mut self, cx: &mut Cx<'_>) -> UserResult<()> {
        self.hourly = Some(cx.schedule(hours(1), Punctuation::StreamTime)?);
        cx.schedule(minutes(1), Punctuation::WallClock)?;
        Ok(())
    }

    fn process(&mut self, _: &mut Cx<'_>, record: Record<'_, String, i64>) -> UserResult<()> {
        let (count, sum) = self.sums.get(&record.key)?.unwrap_or_default();
        self.sums.put(record.key, (count + 1, sum + record.value))?;
        Ok(())
    }

    fn punctuate(&mut self, cx: &mut Cx<'_>, timer: Timer, now: Timestamp) -> UserResult<()> {
        let which = if Some(timer) == self.hourly { "hourly" } else { "clock" };
        for (sensor, sums) in self.sums.all()? {
            self.sums.delete(&sensor)?;
            cx.forward(Record::new(format!("{which} {sensor}@{now}"), sums, now))?;
        }
        Ok(())
    }
}

pub fn sums() -> Topology {
    let app = StreamsBuilder::new("sums");
    let sums = app.store::<String, (i64, i64)>("sums");
    app.stream::<String, i64>("readings", Json)
        .map_async("checked", 16, |_, n| async move { n })
        .process("sums", sums, |sums| Sums { sums, hourly: None })
        .to("hourly-sums", Json);
    app.build().unwrap()
}

/// What the driver says of the readings, read in the log's order of each partition.
pub fn on_the_driver(readings: &[(String, i64, i64)]) -> std::collections::BTreeMap<String, (i64, i64)> {
    let mut driver = TopologyTestDriver::new(sums()).unwrap().with_partitions(PARTITIONS).unwrap();
    let mut input = driver.input::<String, i64>("readings", Json);
    for (sensor, n, time) in readings {
        input.pipe(&mut driver, sensor.clone(), *n, *time).unwrap();
    }
    let read = driver.output::<String, (i64, i64)>("hourly-sums", Json).read_key_values(&mut driver).unwrap();
    read.into_iter().collect()
}

#[test]
fn a_bounded_run_fires_stream_timers_where_the_driver_does_whatever_the_batches() {
    let readings = readings(3_000);
    let expected = on_the_driver(&readings);
    assert!(expected.len() > 300 && expected.keys().all(|key| key.starts_with("hourly")));
    for threads in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let log = open_log(dir.path());
        feed(&*log, &readings);
        run_bounded(&sums(), &log, &settings(dir.path(), threads));
        assert_eq!(results(&*log, "hourly-sums"), expected, "{threads} threads");
    }
}

/// How many records `topic` has, over all partitions.
fn waiting(log: &dyn Log, topic: &str) -> i64 {
    let all: Vec<_> = (0..PARTITIONS).map(|partition| TopicPartition::new(topic, partition)).collect();
    let ends = log.end_offsets(&all, headwater::log::Isolation::ReadCommitted).unwrap();
    ends.values().sum()
}

pub fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_live_run_fires_wall_clock_timers_without_records_and_commits_what_they_did() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let readings: Vec<_> = (0..40).map(|n| (format!("sensor-{n}"), n, 5)).collect();
    feed(&*log, &readings);
    let clock = Arc::new(ManualClock::at(1_000_000));
    let settings = Settings { clock: clock.clone(), ..settings(dir.path(), 1) };
    let progress = Arc::new(Progress::default());
    let running = {
        let (log, progress) = (log.clone(), progress.clone());
        std::thread::spawn(move || run(&sums(), &log, &settings, Mode::Live, &progress).unwrap())
    };
    wait_for("reading", || progress.processed() == 40);
    // The first record of each task makes its stream timer due at once; the others wait for the clock.
    wait_for("the stream timers", || waiting(&*log, "hourly-sums") == i64::from(PARTITIONS));
    clock.advance(minutes(1));
    wait_for("the wall-clock timers", || waiting(&*log, "hourly-sums") == 40);
    progress.stop();
    running.join().unwrap();
    let results = results(&*log, "hourly-sums");
    let by_clock = results.keys().filter(|key| key.starts_with("clock") && key.ends_with("@1060000")).count();
    assert_eq!((results.len(), by_clock), (40, 36), "{results:?}");
    // Nothing is left in the store: what the timers deleted was committed.
    let mut consumer = log.consumer(&ConsumerConfig::default()).unwrap();
    let changelog: Vec<_> =
        (0..PARTITIONS).map(|partition| TopicPartition::new("sums-sums-changelog", partition)).collect();
    consumer.assign(&log.start_offsets(&changelog).unwrap().into_iter().collect::<Vec<_>>()).unwrap();
    let mut rows = std::collections::BTreeMap::new();
    while let Polled::Records(batches) = consumer.poll(Duration::from_millis(50)).unwrap() {
        for record in batches.iter().flat_map(|(_, batch)| batch).map(Result::unwrap) {
            rows.insert(record.key.unwrap().to_vec(), record.value.is_some());
        }
    }
    assert!(rows.values().all(|is_there| !is_there), "{rows:?}");
}

#[test]
fn a_commit_that_a_processor_asks_for_does_not_wait_for_the_interval() {
    struct Eager;
    impl Processor<String, i64> for Eager {
        type KeyOut = String;
        type ValueOut = (i64, i64);
        fn process(&mut self, cx: &mut Cx<'_>, record: Record<'_, String, i64>) -> UserResult<()> {
            cx.commit();
            let value = (1, record.value);
            Ok(cx.forward(record.with_value(value))?)
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    feed(&*log, &[("sensor".to_owned(), 7, 5)]);
    let app = StreamsBuilder::new("eager");
    app.stream::<String, i64>("readings", Json).process("eager", (), |()| Eager).to("hourly-sums", Json);
    let topology = app.build().unwrap();
    let settings = Settings { commit_interval: Duration::from_secs(3_600), ..settings(dir.path(), 1) };
    let progress = Arc::new(Progress::default());
    let running = {
        let (log, progress) = (log.clone(), progress.clone());
        std::thread::spawn(move || run(&topology, &log, &settings, Mode::Live, &progress).unwrap())
    };
    wait_for("the commit", || waiting(&*log, "hourly-sums") == 1);
    progress.stop();
    running.join().unwrap();
}
