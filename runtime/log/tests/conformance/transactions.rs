//! Transactions.

use std::time::{Duration, Instant};

use headwater_core::ErrorKind;
use headwater_log::{ConsumerConfig, Isolation, OffsetCommit, Polled, ProducerConfig};

use super::{PATIENCE, Read, World, batch, groups::Member, poll, read_to_end, records};

pub fn a_commit_makes_all_of_it_visible(world: &World) {
    let topic = world.topic("t", 2, &[]);
    let mut producer = world.transactional("p");
    for round in 0..3 {
        producer.begin().unwrap();
        producer.send(&topic[0], batch(&["a", "b"])).unwrap();
        producer.send(&topic[1], batch(&["c"])).unwrap();
        producer.send(&topic[0], batch(&["d"])).unwrap();
        let receipt = producer.commit().unwrap();
        assert_eq!(receipt.next_offsets.len(), 2, "round {round}");
        assert!(receipt.next_offsets[&topic[0]] <= world.end(&topic[0]));
    }
    assert_eq!(world.values(&topic[0]), ["a", "b", "d"].repeat(3));
    assert_eq!(world.values(&topic[1]), ["c"; 3]);
    producer.begin().unwrap();
    assert!(producer.commit().unwrap().next_offsets.is_empty(), "an empty transaction commits");
}

pub fn an_abort_leaves_nothing_to_be_seen(world: &World) {
    let topic = world.topic("t", 1, &[]);
    let mut producer = world.transactional("p");
    producer.begin().unwrap();
    producer.send(&topic[0], batch(&["aborted"; 20])).unwrap();
    producer.abort().unwrap();
    producer.begin().unwrap();
    producer.send(&topic[0], batch(&["committed"])).unwrap();
    producer.commit().unwrap();
    assert_eq!(world.values(&topic[0]), ["committed"]);
    producer.abort().unwrap();
}

pub fn an_open_transaction_is_not_seen(world: &World) {
    let topic = world.topic("t", 1, &[]);
    let mut open = world.transactional("open");
    let mut other = world.transactional("other");
    open.begin().unwrap();
    open.send(&topic[0], batch(&["open"])).unwrap();
    other.begin().unwrap();
    other.send(&topic[0], batch(&["other"])).unwrap();
    other.commit().unwrap();
    let mut reader = world.reader(&topic);
    let asked = Instant::now();
    while asked.elapsed() < Duration::from_millis(300) {
        if let Polled::Records(batches) = poll(&mut *reader) {
            let seen = records(&batches).remove(&topic[0]).unwrap();
            assert!(seen.iter().all(|record| record.value() == "other"), "{seen:?}");
        }
    }
    open.commit().unwrap();
    let mut all = world.values(&topic[0]);
    all.sort();
    assert_eq!(all, ["open", "other"]);
}

pub fn positions_pass_what_is_not_a_record(world: &World) {
    let topic = world.topic("t", 1, &[]);
    let mut producer = world.transactional("p");
    let mut reader = world.reader(&topic);
    for round in 0..3 {
        producer.begin().unwrap();
        producer.send(&topic[0], batch(&["seen"])).unwrap();
        producer.commit().unwrap();
        producer.begin().unwrap();
        producer.send(&topic[0], batch(&["aborted", "aborted"])).unwrap();
        producer.abort().unwrap();
        let end = world.end(&topic[0]);
        let read = read_to_end(&*world.log, &mut *reader, &topic[0]);
        assert_eq!(read.len(), 1, "round {round}");
        // Or past the last marker, if that was still on its way.
        assert!(reader.position(&topic[0]) >= Some(end), "round {round}");
    }
}

pub fn offsets_commit_and_abort_with_the_transaction(world: &World) {
    let input = world.topic("in", 2, &[]);
    let output = world.topic("out", 1, &[]);
    let member = Member::join(world, "group", None, &[&input]);
    let group = member.group();
    let commit = |offset| OffsetCommit { partition: input[0].clone(), offset, metadata: format!("at {offset}") };
    let mut producer = world.transactional("p");
    producer.begin().unwrap();
    producer.send(&output[0], batch(&["one"])).unwrap();
    producer.send_offsets(&[commit(5)], &member.consumer.group_metadata().unwrap()).unwrap();
    producer.commit().unwrap();
    let committed = world.log.committed(&group, &input).unwrap();
    assert_eq!((committed.len(), committed[&input[0]].offset), (1, 5));
    assert_eq!(committed[&input[0]].metadata, "at 5");
    producer.begin().unwrap();
    producer.send(&output[0], batch(&["two"])).unwrap();
    producer.send_offsets(&[commit(9)], &member.consumer.group_metadata().unwrap()).unwrap();
    producer.abort().unwrap();
    assert_eq!(world.log.committed(&group, &input).unwrap()[&input[0]].offset, 5);
    producer.begin().unwrap();
    producer.send_offsets(&[commit(6)], &member.consumer.group_metadata().unwrap()).unwrap();
    producer.commit().unwrap();
    assert_eq!(world.log.committed(&group, &input).unwrap()[&input[0]].offset, 6, "offsets alone commit too");
    assert_eq!(world.values(&output[0]), ["one"]);
}

pub fn a_second_producer_fences_the_first(world: &World) {
    let topic = world.topic("t", 1, &[]);
    let mut first = world.transactional("p");
    first.begin().unwrap();
    first.send(&topic[0], batch(&["zombie"])).unwrap();
    let mut second = world.transactional("p");
    second.begin().unwrap();
    second.send(&topic[0], batch(&["heir"])).unwrap();
    second.commit().unwrap();
    let error = first.send(&topic[0], batch(&["more"])).and_then(|()| first.commit()).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("HW0312", ErrorKind::Fenced), "{error}");
    for error in [first.begin().unwrap_err(), first.commit().unwrap_err(), first.abort().unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    }
    assert_eq!(world.values(&topic[0]), ["heir"]);
    second.begin().unwrap();
    second.send(&topic[0], batch(&["goes on"])).unwrap();
    second.commit().unwrap();
    assert_eq!(world.values(&topic[0]), ["heir", "goes on"]);
}

pub fn a_transaction_left_open_is_aborted_by_its_timeout(world: &World) {
    let topic = world.topic("t", 1, &[]);
    let mut stale = world
        .log
        .producer(&ProducerConfig {
            transactional_id: Some(format!("{}-stale", world.name)),
            transaction_timeout: Duration::from_secs(1),
            ..ProducerConfig::default()
        })
        .unwrap();
    stale.begin().unwrap();
    stale.send(&topic[0], batch(&["stale"])).unwrap();
    let mut other = world.transactional("other");
    other.begin().unwrap();
    other.send(&topic[0], batch(&["other"])).unwrap();
    other.commit().unwrap();
    // Whoever reads gets past the stale transaction.
    let mut reader = world.reader(&topic);
    let deadline = Instant::now() + PATIENCE;
    let opened = Instant::now();
    let mut seen = Vec::new();
    while seen.is_empty() || opened.elapsed() < Duration::from_millis(1_100) {
        if let Polled::Records(batches) = poll(&mut *reader) {
            seen.extend(records(&batches).remove(&topic[0]).unwrap_or_default());
        }
        assert!(Instant::now() < deadline, "the stale transaction still holds readers up");
    }
    assert_eq!(seen.iter().map(Read::value).collect::<Vec<_>>(), ["other"]);
    let error = stale.commit().unwrap_err();
    assert_eq!((error.code(), error.kind()), ("HW0312", ErrorKind::Fenced), "{error}");
    let config = ConsumerConfig { isolation: Isolation::ReadCommitted, ..ConsumerConfig::default() };
    let mut reader = world.reader_of(&topic, &config);
    assert_eq!(read_to_end(&*world.log, &mut *reader, &topic[0]).len(), 1);
}

pub fn calls_out_of_order_are_refused(world: &World) {
    let topic = world.topic("t", 1, &[]);
    let mut plain = world.producer();
    let mut producer = world.transactional("p");
    let mut errors = vec![
        plain.begin().unwrap_err(),
        plain.commit().unwrap_err(),
        producer.commit().unwrap_err(),
        producer.send(&topic[0], batch(&["x"])).unwrap_err(),
    ];
    producer.begin().unwrap();
    errors.push(producer.begin().unwrap_err());
    for error in errors {
        assert_eq!(error.code(), "HW0318", "{error}");
    }
    producer.send(&topic[0], batch(&["fine"])).unwrap();
    producer.commit().unwrap();
    assert_eq!(world.values(&topic[0]), ["fine"]);
}
