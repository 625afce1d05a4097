//! A broker that dies with kill -9 and comes back: what was committed is there once, whole, with its offset.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod conformance;

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use conformance::{World, batch, groups::Member};
use headwater_core::{ErrorKind, TopicPartition};
use headwater_log::{KafkaConfig, KafkaLog, OffsetCommit, Polled, Producer, testkit::KafkaServer};

/// Writes transaction `n`, one record and the input offset `n + 1`, without committing it. While the membership is
/// outdated, it aborts, polls and tries again.
fn write(producer: &mut dyn Producer, member: &mut Member, input: &TopicPartition, output: &TopicPartition, n: i64) {
    let deadline = Instant::now() + conformance::PATIENCE;
    loop {
        producer.begin().unwrap();
        producer.send(output, batch(&[&n.to_string()])).unwrap();
        let offset = OffsetCommit { partition: input.clone(), offset: n + 1, metadata: String::new() };
        let Err(error) = producer.send_offsets(&[offset], &member.consumer.group_metadata().unwrap()) else { return };
        assert_eq!((error.code(), error.kind()), ("HW0310", ErrorKind::Unavailable), "{error}");
        producer.abort().unwrap();
        assert!(Instant::now() < deadline, "the membership does not recover");
        match member.consumer.poll(Duration::from_millis(100)).unwrap() {
            Polled::Revoked(partitions) => member.consumer.release(&partitions).unwrap(),
            other => println!("after the outage: {other:?}"),
        }
    }
}

#[test]
fn transactions_survive_a_broker_that_is_killed_and_comes_back() {
    let server = Mutex::new(KafkaServer::start().unwrap());
    let brokers = server.lock().unwrap().brokers().to_owned();
    let world = World::new(KafkaLog::connect(&brokers, KafkaConfig::default()).unwrap(), "killed", None);
    let (input, output) = (world.topic("in", 1, &[]), world.topic("out", 1, &[]));
    let mut member = Member::join(&world, "group", Some("a"), &[&input]);
    let mut producer = world.transactional("p");
    for n in 0..3 {
        write(&mut *producer, &mut member, &input[0], &output[0], n);
        producer.commit().unwrap();
    }
    // The broker dies while a transaction is open, and returns while its commit is asked for.
    write(&mut *producer, &mut member, &input[0], &output[0], 3);
    server.lock().unwrap().kill();
    let started = Instant::now();
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| server.lock().unwrap().restart().unwrap());
        producer.commit()
    });
    println!("the commit took {:?}: {outcome:?}", started.elapsed());
    if let Err(error) = &outcome {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        // As told: a new producer settles it, and the committed offset tells how.
        producer = world.transactional("p");
    }
    let group = member.group();
    let done = world.log.committed(&group, &input).unwrap()[&input[0]].offset;
    assert!(outcome.is_err() || done == 4, "acknowledged, and {done} is committed");
    for n in done..6 {
        write(&mut *producer, &mut member, &input[0], &output[0], n);
        producer.commit().unwrap();
    }
    assert_eq!(world.values(&output[0]), ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(world.log.committed(&group, &input).unwrap()[&input[0]].offset, 6);
}
