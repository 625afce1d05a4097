//! Five stateless operators and a count over a thousand keys, in one task that is driven as the runtime drives it:
//! from a batch's bytes through decoding, operators and write buffer to the changed rows of a commit.

use std::{hint::black_box, time::Duration};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use headwater::{dsl::decode_row, prelude::*};
use headwater_core::{BatchBuilder, Headers, RecordBatch};

use crate::{
    Effort, Outcome,
    measure::{Spread, interleave, on_thread},
    outcome::{Figure, Goal},
    pipeline::Pipeline,
    pipeline_env::State,
};

/// Different keys.
const KEYS: i64 = 1_000;
/// Records per batch.
const BATCH: usize = 500;
/// Records of one pass over the batches, which ends with a commit.
const PASS: usize = 1_000_000;

/// Measures the chain.
///
/// # Errors
/// If the counts are wrong, which makes the figures void.
pub fn measure(effort: Effort) -> Outcome<Vec<Figure>> {
    let batches = batches(PASS / effort.shrink)?;
    let passes = 8;
    let records = passes * PASS / effort.shrink;
    let chain = chain()?;
    let source = source_only()?;
    let full = interleave(effort.pairs, || drive(&chain, &batches, passes), || bare(&batches, passes))?;
    let parts = interleave(effort.pairs, || drive(&source, &batches, passes), || walk(&batches, passes))?;
    let figure = Figure::new(
        "driver chain: 5 stateless operators + count, i64 keys and values, one task",
        Spread::millions_per_second(&full.ours, records),
        "M records/s per core",
        Some(Goal::AtLeast(5.0)),
    )
    .part("CPU against a bare loop: same batches, inlined, hash map", full.cost(), "x")
    .part("all of it", Spread::ns_per_record(&full.ours, records), "ns/record")
    .part("the source alone: batch, decoding, driver", Spread::ns_per_record(&parts.ours, records), "ns/record")
    .part("the batch alone: finding records in its bytes", Spread::ns_per_record(&parts.rival, records), "ns/record")
    .part("operators and count, without decoding", without(&full.ours, &parts.ours, records), "ns/record")
    .part("the bare loop", Spread::ns_per_record(&full.rival, records), "ns/record");
    Ok(vec![figure])
}

fn without(all: &[f64], source: &[f64], records: usize) -> Spread {
    let rest: Vec<f64> = all.iter().zip(source).map(|(all, source)| all - source).collect();
    Spread::ns_per_record(&rest, records)
}

/// One run, for counting instructions; returns its number of records.
///
/// # Errors
/// If the counts are wrong.
pub fn once() -> Outcome<usize> {
    let records = PASS / 5;
    drive(&chain()?, &batches(records)?, 1)?;
    Ok(records)
}

/// The topology measured, also by the whole runtime.
///
/// # Errors
/// Never: it is a right one.
pub fn chain() -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new("chain");
    app.stream::<i64, i64>("numbers", Auto)
        .filter(|_, value| *value % 10 != 0)
        .map_values(|value| value.wrapping_mul(3))
        .peek(|_, value| {
            black_box(value);
        })
        .filter_not(|key, value| key == value)
        .map_values(|value| value ^ 1)
        .group_by_key("by-key")
        .count("counts");
    app.build()
}

/// What [`chain`] does to a record, in one expression.
fn kept(key: i64, value: i64) -> Option<i64> {
    let tripled = value.wrapping_mul(3);
    black_box(tripled);
    (value % 10 != 0 && key != tripled).then_some(tripled ^ 1)
}

fn source_only() -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new("source");
    app.stream::<i64, i64>("numbers", Auto).for_each(|key, value| {
        black_box((key, value));
    });
    app.build()
}

/// The key and value of record `number`.
pub fn record(number: usize) -> (i64, i64) {
    let number = number as i64;
    (number.wrapping_mul(7_919) % KEYS, number)
}

/// The records in batches, as a log hands them out.
///
/// # Errors
/// Never: a batch of records is a batch.
pub fn batches(records: usize) -> Outcome<Vec<RecordBatch>> {
    let none = Headers::new();
    let mut batches = Vec::with_capacity(records / BATCH);
    for base in (0..records).step_by(BATCH) {
        let mut builder = BatchBuilder::new();
        for number in base..base + BATCH {
            let (key, value) = record(number);
            builder.push(number as i64, Some(&key.to_be_bytes()), Some(&value.to_be_bytes()), &none);
        }
        batches.push(builder.take().ok_or("an empty batch")?.at(base as i64));
    }
    Ok(batches)
}

/// Runs the batches through a new task, with a commit after each pass.
fn drive(topology: &Topology, batches: &[RecordBatch], passes: usize) -> Outcome<Duration> {
    let mut pipeline = Pipeline::new(topology, State::InMemory)?;
    let time = on_thread(|| {
        for _ in 0..passes {
            batches.iter().for_each(|batch| pipeline.feed("numbers", batch));
            pipeline.settle()?;
        }
        Ok(())
    })?;
    if topology.plan().stores.contains_key("counts") {
        let mut counted = 0;
        for (_, row) in pipeline.rows("counts")? {
            let (_, value) = decode_row(&row).ok_or("a row of the store cannot be read")?;
            counted += Serde::<i64>::decode(&Postcard, Some(value))?;
        }
        check(counted, batches, passes)?;
    }
    Ok(time)
}

/// The same work by hand.
fn bare(batches: &[RecordBatch], passes: usize) -> Outcome<Duration> {
    let mut counts = HashMap::with_hasher(FixedState::with_seed(0));
    let time = on_thread(|| {
        let mut batches = batches.iter().cycle().take(batches.len() * passes);
        batches.try_for_each(|batch| count_by_hand(batch, &mut counts))
    })?;
    check(counts.values().sum(), batches, passes)?;
    Ok(time)
}

/// Decodes a batch and counts what [`chain`] counts.
///
/// # Errors
/// If the bytes are not those of [`record`]s.
pub fn count_by_hand(batch: &RecordBatch, counts: &mut HashMap<i64, i64, FixedState>) -> Outcome<()> {
    let mut position = batch.start();
    while let Some((record, after)) = batch.read_at(position)? {
        position = after;
        let (key, value) = (number(record.key)?, number(record.value)?);
        if kept(key, value).is_some() {
            *counts.entry(key).or_insert(0) += 1;
        }
    }
    Ok(())
}

fn number(bytes: Option<&[u8]>) -> Outcome<i64> {
    Ok(i64::from_be_bytes(bytes.ok_or("a null")?.try_into()?))
}

/// Finds the records and does nothing with them.
fn walk(batches: &[RecordBatch], passes: usize) -> Outcome<Duration> {
    on_thread(|| {
        for batch in batches.iter().cycle().take(batches.len() * passes) {
            let mut position = batch.start();
            while let Some((record, after)) = batch.read_at(position)? {
                black_box(&record);
                position = after;
            }
        }
        Ok(())
    })
}

/// How many of the first `records` records are counted.
pub fn expected(records: usize) -> i64 {
    let counted = (0..records).map(record).filter(|(key, value)| kept(*key, *value).is_some()).count();
    counted as i64
}

fn check(counted: i64, batches: &[RecordBatch], passes: usize) -> Outcome<()> {
    let records = batches.iter().map(RecordBatch::len).sum();
    let expected = expected(records) * passes as i64;
    if counted == expected { Ok(()) } else { Err(format!("{counted} records were counted, not {expected}").into()) }
}
