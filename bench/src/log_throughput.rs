//! The embedded log against bare RocksDB: records of 100 bytes in batches of 500.

use std::{cell::RefCell, hint::black_box, time::Duration};

use headwater::log::{Log, ProducerConfig, TopicSpec};
use headwater_core::{BatchBuilder, Headers, RecordBatch, TopicPartition};
use tempfile::TempDir;

use crate::{
    Effort, Outcome,
    fed_log::{drain, open},
    measure::{Pairs, Spread, in_process, interleave},
    outcome::{Figure, Goal},
    rocks_rival::BareRocks,
};

const BATCH: usize = 500;
const TOPIC: &str = "records";

/// Measures the log.
///
/// # Errors
/// If a record is missing, which makes the figures void.
pub fn measure(effort: Effort) -> Outcome<Vec<Figure>> {
    let records = 3_000_000 / effort.shrink;
    let values = values();
    let batches = batches(&values, records)?;
    // What is measured on the way: writing alone, reading alone, by both rivals.
    let (writes, reads) = (RefCell::new(Pairs::default()), RefCell::new(Pairs::default()));
    let total = interleave(
        effort.pairs,
        || {
            let (write, read, total) = through_log(&values, records)?;
            writes.borrow_mut().ours.push(write.as_secs_f64());
            reads.borrow_mut().ours.push(read.as_secs_f64());
            Ok(total)
        },
        || {
            let (write, read) = through_rocks(&batches)?;
            writes.borrow_mut().rival.push(write.as_secs_f64());
            reads.borrow_mut().rival.push(read.as_secs_f64());
            Ok(write)
        },
    )?;
    let (writes, reads) = (without_warm_up(writes.into_inner()), without_warm_up(reads.into_inner()));
    let both = Pairs {
        ours: total.ours.clone(),
        rival: writes.rival.iter().zip(&reads.rival).map(|(write, read)| write + read).collect(),
    };
    let figure = Figure::new(
        "embedded log: produce and consume 100 B records through Log, batches of 500",
        total.share(),
        "of bare RocksDB's batch writes of the same bytes",
        Some(Goal::AtLeast(0.6)),
    )
    .part("against bare writes and a bare scan", both.share(), "of bare RocksDB")
    .part("producing alone, flush included, against bare writes", writes.share(), "of bare RocksDB")
    .part("produce and consume", Spread::ns_per_record(&total.ours, records), "ns/record")
    .part("produce", Spread::ns_per_record(&writes.ours, records), "ns/record")
    .part("consume", Spread::ns_per_record(&reads.ours, records), "ns/record")
    .part("bare writes", Spread::ns_per_record(&writes.rival, records), "ns/record")
    .part("bare scan", Spread::ns_per_record(&reads.rival, records), "ns/record");
    Ok(vec![figure])
}

fn without_warm_up(mut pairs: Pairs) -> Pairs {
    pairs.ours.remove(0);
    pairs.rival.remove(0);
    pairs
}

/// A hundred bytes each that no compression would shrink.
fn values() -> Vec<[u8; 100]> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..1_000).map(|_| std::array::from_fn(|_| byte())).collect()
}

fn batch(values: &[[u8; 100]], base: usize) -> Outcome<RecordBatch> {
    let none = Headers::new();
    let mut builder = BatchBuilder::new();
    for (number, value) in (base..base + BATCH).zip(values.iter().cycle().skip(base % values.len())) {
        builder.push(number as i64, Some(&number.to_be_bytes()), Some(value), &none);
    }
    Ok(builder.take().ok_or("an empty batch")?.at(base as i64))
}

fn batches(values: &[[u8; 100]], records: usize) -> Outcome<Vec<RecordBatch>> {
    (0..records).step_by(BATCH).map(|base| batch(values, base)).collect()
}

/// CPU times of producing (with the flush at closing), of consuming, and of both.
fn through_log(values: &[[u8; 100]], records: usize) -> Outcome<(Duration, Duration, Duration)> {
    let dir = TempDir::with_prefix("headwater-bench-")?;
    let log = open(dir.path())?;
    log.create_topics(&[TopicSpec { name: TOPIC.to_owned(), partitions: 1, config: [].into() }])?;
    let partition = TopicPartition::new(TOPIC, 0);
    let produce = in_process(|| {
        let mut producer = log.producer(&ProducerConfig::default())?;
        for base in (0..records).step_by(BATCH) {
            producer.send(&partition, batch(values, base)?)?;
        }
        producer.flush()?;
        Ok(())
    })?;
    let consume = in_process(|| {
        drain(&*log, TOPIC, records, |batch| {
            for record in batch {
                black_box(record?);
            }
            Ok(())
        })
    })?;
    let close = in_process(|| {
        drop(log);
        Ok(())
    })?;
    Ok((produce + close, consume, produce + consume + close))
}

/// CPU times of writing (with the flush at closing) and of scanning.
fn through_rocks(batches: &[RecordBatch]) -> Outcome<(Duration, Duration)> {
    let dir = TempDir::with_prefix("headwater-bench-")?;
    let rocks = BareRocks::open(dir.path())?;
    let write = in_process(|| rocks.write(batches))?;
    let scan = in_process(|| {
        let bytes: usize = batches.iter().map(|batch| batch.as_bytes().len()).sum();
        if rocks.scan()? == bytes { Ok(()) } else { Err("bytes are missing".into()) }
    })?;
    let close = in_process(|| rocks.close())?;
    Ok((write + close, scan))
}
