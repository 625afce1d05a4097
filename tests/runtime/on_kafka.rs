//! The same on Apache Kafka.

use std::{sync::Arc, time::Duration};

use headwater::{
    log::{KafkaConfig, KafkaLog, Log, testkit::KafkaServer},
    prelude::*,
    runtime::{Mode, Progress, Settings, run},
};
use headwater_core::ManualClock;

use super::{common::*, internal_topics, processors, sources};

fn connect(server: &KafkaServer) -> Arc<dyn Log> {
    KafkaLog::connect(server.brokers(), KafkaConfig::default()).unwrap()
}

#[test]
fn processors_timers_and_asynchronous_steps_do_on_kafka_what_they_do_on_the_driver() {
    let server = KafkaServer::start().unwrap();
    let (dir, log) = (tempfile::tempdir().unwrap(), connect(&server));
    let readings = readings(1_000);
    let expected = processors::on_the_driver(&readings);
    feed(&*log, &readings);
    run_bounded(&processors::sums(), &log, &settings(dir.path(), 2));
    // What is committed shows a moment later.
    processors::wait_for("all results", || results(&*log, "hourly-sums").len() == expected.len());
    assert_eq!(results(&*log, "hourly-sums"), expected);
}

#[test]
fn wall_clock_timers_fire_without_records_on_kafka_and_a_source_begins_at_the_latest_record() {
    let server = KafkaServer::start().unwrap();
    let (dir, log) = (tempfile::tempdir().unwrap(), connect(&server));
    sources::write(&*log, "in", &[(1, 10), (2, 20)]);
    sources::create(&*log, "out");
    let clock = Arc::new(ManualClock::at(1_000_000));
    let settings = Settings { clock: clock.clone(), ..settings(dir.path(), 1) };
    let app = StreamsBuilder::new("ticks");
    let consumed = Consumed::<String, i64>::json().reset(OffsetReset::Latest);
    app.stream("in", consumed).process("ticks", (), |()| Ticks).to("out", Json);
    let topology = app.build().unwrap();
    let progress = Arc::new(Progress::default());
    let running = {
        let (log, progress) = (log.clone(), progress.clone());
        std::thread::spawn(move || run(&topology, &log, &settings, Mode::Live, &progress).unwrap())
    };
    processors::wait_for("the first tick", || {
        clock.advance(1_000);
        std::thread::sleep(Duration::from_millis(100));
        !results(&*log, "out").is_empty()
    });
    // Once a timer has fired the task is there, and where it begins is settled.
    sources::write(&*log, "in", &[(3, 30)]);
    processors::wait_for("the record", || results(&*log, "out").contains_key("3"));
    progress.stop();
    running.join().unwrap();
    let results = results(&*log, "out");
    assert!(!results.contains_key("1") && !results.contains_key("2"), "{results:?}");
}

#[test]
fn a_run_on_kafka_that_follows_at_once_reads_the_topics_that_are_new() {
    let server = KafkaServer::start().unwrap();
    let (dir, log) = (tempfile::tempdir().unwrap(), connect(&server));
    sources::reads_the_topics_there_are_when_it_starts(&log, dir.path());
}

#[test]
fn a_live_run_on_kafka_reads_topics_that_are_made_while_it_runs() {
    let server = KafkaServer::start().unwrap();
    let (dir, log) = (tempfile::tempdir().unwrap(), connect(&server));
    sources::takes_in_new_topics(&log, dir.path());
}

#[test]
fn on_kafka_too_internal_topics_let_go_of_what_was_read_and_take_any_time() {
    let server = KafkaServer::start().unwrap();
    let (dir, log) = (tempfile::tempdir().unwrap(), connect(&server));
    internal_topics::check_that_read_repartition_records_go(&log, dir.path());
    internal_topics::check_that_any_time_passes(&log, dir.path());
}

/// Passes records on, and tells every tick of the wall clock.
struct Ticks;

type Cx<'a> = ProcessorContext<'a, String, (i64, i64)>;

impl Processor<String, i64> for Ticks {
    type KeyOut = String;
    type ValueOut = (i64, i64);

    fn init(&mut self, cx: &mut Cx<'_>) -> UserResult<()> {
        cx.schedule(1_000, Punctuation::WallClock)?;
        Ok(())
    }

    fn process(&mut self, cx: &mut Cx<'_>, record: Record<'_, String, i64>) -> UserResult<()> {
        let value = (record.value, record.value);
        Ok(cx.forward(record.with_value(value))?)
    }

    fn punctuate(&mut self, cx: &mut Cx<'_>, _: Timer, now: Timestamp) -> UserResult<()> {
        Ok(cx.forward(Record::new(format!("tick {now}"), (now, now), now))?)
    }
}
