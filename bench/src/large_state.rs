//! A count over a million keys in RocksDB, more than the write buffer keeps in memory: what a store costs that is read
//! and written at every commit.

use std::time::Duration;

use headwater::{dsl::decode_row, prelude::*};
use headwater_core::RecordBatch;
use rocksdb::{DB, Options, WriteBatch, WriteOptions};
use tempfile::TempDir;

use crate::{
    Effort, Outcome,
    disorder::{Event, batches, event, for_each, mix},
    drive::drive,
    measure::{Spread, in_process, interleave},
    outcome::Figure,
    pipeline::Pipeline,
    pipeline_env::State,
};

const RECORDS: usize = 2_000_000;
const KEYS: u64 = 1_000_000;
const PER_COMMIT: usize = 100_000;

/// Measures the count over many keys and over few.
///
/// # Errors
/// If the counts are wrong, which makes the figure void.
pub fn measure(effort: Effort) -> Outcome<Vec<Figure>> {
    let records = RECORDS / effort.shrink;
    let topology = topology()?;
    let [many, few] =
        [KEYS / effort.shrink as u64, 1_000].map(|keys| batches(0..records, |number| among(number, keys)));
    let (many, few) = (many?, few?);
    let pairs = effort.pairs.min(3);
    let times = interleave(pairs, || run(&topology, &many), || bare(&many))?;
    let small = interleave(pairs, || run(&topology, &few), || run(&topology, &few))?;
    let figure = Figure::new(
        "state larger than memory: count over 1,000,000 keys in RocksDB, commits each 100,000 records",
        Spread::millions_per_second(&times.ours, records),
        "M records/s per core",
        None,
    )
    .part("CPU against RocksDB by hand: a get and a put per record", times.cost(), "x")
    .part("all of it, with RocksDB's own threads", Spread::ns_per_record(&times.ours, records), "ns/record")
    .part("the same over 1,000 keys", Spread::ns_per_record(&small.ours, records), "ns/record")
    .part("RocksDB by hand", Spread::ns_per_record(&times.rival, records), "ns/record");
    Ok(vec![figure])
}

/// A record of one of `keys` keys.
fn among(number: usize, keys: u64) -> Event {
    Event { key: (mix(number as u64 ^ 0xabcd) % keys) as i64, ..event(number) }
}

fn topology() -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new("large-state");
    app.stream::<i64, i64>("numbers", Auto).group_by_key("by-key").count("counts");
    app.build()
}

fn run(topology: &Topology, input: &[RecordBatch]) -> Outcome<Duration> {
    let dir = TempDir::with_prefix("headwater-bench-")?;
    let mut pipeline = Pipeline::new(topology, State::OnDisk(dir.path()))?;
    let time = in_process(|| drive(&mut pipeline, &[("numbers", input)], PER_COMMIT).map(drop))?;
    let mut counted = 0;
    for (_, row) in pipeline.rows("counts")? {
        let (_, value) = decode_row(&row).ok_or("a row of the store cannot be read")?;
        counted += Serde::<i64>::decode(&Postcard, Some(value))?;
    }
    check(counted, input)?;
    Ok(time)
}

fn bare(input: &[RecordBatch]) -> Outcome<Duration> {
    let dir = TempDir::with_prefix("headwater-bench-")?;
    let mut options = Options::default();
    options.create_if_missing(true);
    let db = DB::open(&options, dir.path())?;
    let mut unlogged = WriteOptions::default();
    unlogged.disable_wal(true);
    let mut counted = 0;
    let time = in_process(|| {
        let mut failed = None;
        for_each(input, |event| {
            let key = event.key.to_be_bytes();
            let add = || -> Outcome<()> {
                let before = db
                    .get_pinned(key)?
                    .map_or(Ok(0), |row| Outcome::Ok(i64::from_be_bytes(row.as_ref().try_into()?)))?;
                let mut batch = WriteBatch::default();
                batch.put(key, (before + 1).to_be_bytes());
                Ok(db.write_opt(batch, &unlogged)?)
            };
            if let Err(error) = add() {
                failed = Some(error);
            }
        })?;
        failed.map_or(Ok(()), Err)
    })?;
    for row in db.iterator(rocksdb::IteratorMode::Start) {
        counted += i64::from_be_bytes(row?.1.as_ref().try_into()?);
    }
    check(counted, input)?;
    Ok(time)
}

fn check(counted: i64, input: &[RecordBatch]) -> Outcome<()> {
    let expected: usize = input.iter().map(RecordBatch::len).sum();
    if counted == expected as i64 {
        Ok(())
    } else {
        Err(format!("{counted} records were counted, not {expected}").into())
    }
}
