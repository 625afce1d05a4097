//! Records and how they are read.

use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_core::{BatchBuilder, ErrorKind, Headers};
use headwater_log::{ConsumerConfig, OffsetReset, Polled};

use super::{Read, World, batch, poll, poll_until, read_to_end, records};

pub fn everything_of_a_record_comes_back(world: &World) {
    let topic = world.topic("t", 2, &[]);
    let mut headers = Headers::new();
    headers.push("twice", Some(Bytes::from_static(b"1")));
    headers.push("twice", Some(Bytes::from_static(&[0, 255, 10])));
    headers.push("null", None);
    headers.push("empty", Some(Bytes::new()));
    let none = Headers::new();
    let expected = [
        (1_357_034_400_000, Some(b"key".to_vec()), Some(b"value".to_vec()), &headers),
        (5, None, Some(vec![0, 159, 146, 150]), &none),
        (i64::from(i32::MAX), Some(vec![]), Some(vec![]), &none),
        (7, Some(b"tombstone".to_vec()), None, &none),
    ];
    let mut builder = BatchBuilder::new();
    for (timestamp, key, value, headers) in &expected {
        builder.push(*timestamp, key.as_deref(), value.as_deref(), headers);
    }
    let mut producer = world.producer();
    producer.send(&topic[1], builder.take().unwrap()).unwrap();
    let receipt = producer.flush().unwrap();
    assert_eq!(receipt.next_offsets.get(&topic[1]), Some(&4));
    let read = read_to_end(&*world.log, &mut *world.reader(&topic), &topic[1]);
    let expected: Vec<Read> = expected
        .into_iter()
        .enumerate()
        .map(|(index, (timestamp, key, value, headers))| Read {
            offset: index as i64,
            timestamp,
            key,
            value,
            headers: headers.clone(),
        })
        .collect();
    assert_eq!(read, expected);
}

pub fn many_records_are_read_back_whole_and_in_order(world: &World) {
    const RECORDS: u64 = 60_000;
    let topic = world.topic("t", 3, &[]);
    let mut producer = world.producer();
    let mut builders = vec![BatchBuilder::new(); 3];
    for n in 0..RECORDS {
        let builder = &mut builders[(n % 3) as usize];
        builder.push(n as i64, Some(&n.to_be_bytes()), Some(&[b'x'; 50]), &Headers::new());
        if builder.len() == 250 {
            producer.send(&topic[(n % 3) as usize], builder.take().unwrap()).unwrap();
        }
    }
    for (partition, builder) in topic.iter().zip(&mut builders) {
        if let Some(batch) = builder.take() {
            producer.send(partition, batch).unwrap();
        }
    }
    producer.flush().unwrap();
    let mut reader = world.reader(&topic);
    let mut next = [0_u64, 1, 2];
    let mut seen = 0;
    while seen < RECORDS {
        let batches = poll_until(&mut *reader, "records", |polled| match polled.unwrap() {
            Polled::Records(batches) => Some(batches),
            _ => None,
        });
        for (partition, batch) in &batches {
            for record in batch {
                let record = record.unwrap();
                let next = &mut next[partition.partition as usize];
                assert_eq!(record.key, Some(next.to_be_bytes().as_slice()), "{partition}@{}", record.offset);
                assert_eq!(record.offset, (*next / 3) as i64);
                *next += 3;
                seen += 1;
            }
        }
    }
    assert_eq!(topic.iter().map(|p| world.end(p)).sum::<i64>(), RECORDS as i64);
}

pub fn reading_starts_in_the_middle_of_a_batch(world: &World) {
    let topic = world.topic("t", 1, &[]);
    world.write(&topic[0], &["0", "1", "2", "3", "4"]);
    world.write(&topic[0], &["5", "6"]);
    let mut reader = world.reader(&[]);
    reader.assign(&[(topic[0].clone(), 3)]).unwrap();
    assert_eq!(reader.position(&topic[0]), Some(3));
    let read = read_to_end(&*world.log, &mut *reader, &topic[0]);
    assert_eq!(
        read.iter().map(|r| (r.offset, r.value())).collect::<Vec<_>>(),
        [(3, "3".into()), (4, "4".into()), (5, "5".into()), (6, "6".into())]
    );
    assert_eq!(read[0].timestamp, 1_003);
}

pub fn records_up_to_the_topics_limit_pass_and_larger_ones_are_refused(world: &World) {
    let topic = world.topic("t", 1, &[("max.message.bytes", "6000000")]);
    let mut producer = world.producer();
    let mut builder = BatchBuilder::new();
    let large = vec![b'x'; 5_000_000];
    builder.push(1, None, Some(&large), &Headers::new());
    producer.send(&topic[0], builder.take().unwrap()).unwrap();
    producer.flush().unwrap();
    let read = read_to_end(&*world.log, &mut *world.reader(&topic), &topic[0]);
    assert_eq!(read[0].value.as_ref().map(Vec::len), Some(large.len()));
    let mut builder = BatchBuilder::new();
    builder.push(1, None, Some(&[b'x'; 7_000_000]), &Headers::new());
    let refused = producer.send(&topic[0], builder.take().unwrap()).and_then(|()| producer.flush());
    let error = refused.unwrap_err();
    assert_eq!((error.code(), error.kind()), ("HW0308", ErrorKind::Log), "{error}");
    assert!(error.to_string().contains(&*topic[0].topic), "{error}");
    assert_eq!(world.end(&topic[0]), 1);
}

pub fn a_waiting_poll_wakes_on_new_records(world: &World) {
    let topic = world.topic("t", 1, &[]);
    world.write(&topic[0], &["first"]);
    let mut reader = world.reader(&topic);
    read_to_end(&*world.log, &mut *reader, &topic[0]);
    let mut producer = world.producer();
    let (waiting, started) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            waiting.send(()).unwrap();
            let polled = reader.poll(Duration::from_secs(20)).unwrap();
            assert!(matches!(polled, Polled::Records(_)), "{polled:?}");
            Instant::now()
        });
        started.recv().unwrap();
        let sent = Instant::now();
        producer.send(&topic[0], batch(&["second"])).unwrap();
        producer.flush().unwrap();
        let woken = reading.join().unwrap();
        assert!(woken.saturating_duration_since(sent) < Duration::from_secs(5), "a poll slept through its record");
    });
}

pub fn paused_partitions_are_silent_until_resumed(world: &World) {
    let topic = world.topic("t", 2, &[]);
    let mut reader = world.reader(&topic);
    reader.pause(&topic[..1]).unwrap();
    world.write(&topic[0], &["paused"]);
    world.write(&topic[1], &["open"]);
    let open = read_to_end(&*world.log, &mut *reader, &topic[1]);
    assert_eq!(open.len(), 1);
    assert_eq!(reader.position(&topic[0]), Some(0), "a paused partition was read");
    reader.resume(&topic[..1]).unwrap();
    assert_eq!(read_to_end(&*world.log, &mut *reader, &topic[0])[0].value(), "paused");
    let error = world.reader(&[]).pause(&topic).unwrap_err();
    assert_eq!(error.code(), "HW0318");
}

pub fn seeking_moves_in_both_directions(world: &World) {
    let topic = world.topic("t", 1, &[]);
    world.write(&topic[0], &["0", "1", "2", "3"]);
    let mut reader = world.reader(&topic);
    assert_eq!(read_to_end(&*world.log, &mut *reader, &topic[0]).len(), 4);
    reader.seek(&topic[0], 1).unwrap();
    assert_eq!(reader.position(&topic[0]), Some(1));
    assert_eq!(read_to_end(&*world.log, &mut *reader, &topic[0])[0].value(), "1");
    reader.seek(&topic[0], 0).unwrap();
    reader.seek(&topic[0], 3).unwrap();
    let read = read_to_end(&*world.log, &mut *reader, &topic[0]);
    assert_eq!(read.iter().map(Read::value).collect::<Vec<_>>(), ["3"]);
}

pub fn a_position_out_of_range_follows_the_reset_policy(world: &World) {
    let topic = world.topic("t", 1, &[]);
    world.write(&topic[0], &["0", "1", "2", "3"]);
    world.log.delete_records(&[(topic[0].clone(), 2)]).unwrap();
    let start = |reset| {
        let mut reader = world.log.consumer(&ConsumerConfig { reset, ..ConsumerConfig::default() }).unwrap();
        reader.assign(&[(topic[0].clone(), 0)]).unwrap();
        reader
    };
    let mut earliest = start(OffsetReset::Earliest);
    assert_eq!(read_to_end(&*world.log, &mut *earliest, &topic[0])[0].offset, 2);
    let mut latest = start(OffsetReset::Latest);
    assert!(matches!(latest.poll(Duration::from_secs(2)).unwrap(), Polled::Nothing));
    world.write(&topic[0], &["4"]);
    let read = poll_until(&mut *latest, "the next record", |polled| match polled.unwrap() {
        Polled::Records(batches) => records(&batches).remove(&topic[0]),
        _ => None,
    });
    assert_eq!(read[0].value(), "4");
    let mut fail = start(OffsetReset::Fail);
    let error = poll_until(&mut *fail, "an error", Result::err);
    assert_eq!(error.code(), "HW0306", "{error}");
}

pub fn a_poll_keeps_to_its_budget_and_serves_every_partition(world: &World) {
    let topic = world.topic("t", 3, &[]);
    for partition in &topic {
        let mut producer = world.producer();
        for _ in 0..40 {
            producer.send(partition, batch(&["x".repeat(1_000).as_str(); 10])).unwrap();
        }
        producer.flush().unwrap();
    }
    let budget = 100_000;
    let config = ConsumerConfig { max_poll_bytes: budget, ..ConsumerConfig::default() };
    let mut reader = world.reader_of(&topic, &config);
    let mut left = 1_200;
    while left > 0 {
        let Polled::Records(batches) = poll(&mut *reader) else { continue };
        let bytes: usize = batches.iter().map(|(_, batch)| batch.as_bytes().len()).sum();
        // At least one batch comes, so one of about 10 kB may go over it.
        assert!(bytes <= budget + 30_000, "{bytes} bytes");
        left -= batches.iter().map(|(_, batch)| batch.len()).sum::<usize>();
        let positions: Vec<_> = topic.iter().map(|p| reader.position(p).unwrap()).collect();
        if left == 0 {
            assert_eq!(positions, [400, 400, 400]);
        }
    }
}
