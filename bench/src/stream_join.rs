//! A join of two streams within a second: each pair once.

use std::{
    collections::VecDeque,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use headwater::prelude::*;
use headwater_core::RecordBatch;

use crate::{
    Effort, Outcome,
    disorder::{Event, GRACE_MS, batches, event, mix},
    drive::drive,
    measure::{Spread, interleave, on_thread},
    outcome::{Figure, Goal},
    pipeline::Pipeline,
    pipeline_env::State,
};

/// Records of both streams together.
const RECORDS: usize = 1_000_000;
const PER_COMMIT: usize = 100_000;
const COUNTED: usize = 200_000;
const WITHIN_MS: i64 = seconds(1);

/// Measures the join.
///
/// # Errors
/// If the pairs are wrong, which makes the figure void.
pub fn measure(effort: Effort) -> Outcome<Vec<Figure>> {
    let records = RECORDS / effort.shrink;
    let join = Join::new(records)?;
    let times = interleave(effort.pairs, || join.run(), || join.run_by_hand())?;
    let figure = Figure::new(
        "stream-stream join: within 1 s, grace 30 s, 1,000 keys, 5 % late, about a partner per record",
        Spread::millions_per_second(&times.ours, records),
        "M records/s per core",
        Some(Goal::AtLeast(0.5)),
    )
    .part("CPU against joining by hand", times.cost(), "x")
    .part("all of it", Spread::ns_per_record(&times.ours, records), "ns/record")
    .part("by hand", Spread::ns_per_record(&times.rival, records), "ns/record");
    Ok(vec![figure])
}

/// One run, for counting instructions; returns its number of records.
///
/// # Errors
/// If the pairs are wrong.
pub fn once() -> Outcome<usize> {
    Join::new(COUNTED)?.run()?;
    Ok(COUNTED)
}

struct Join {
    topology: Topology,
    /// The sum over all pairs that came out.
    pairs: Arc<AtomicU64>,
    left: Vec<RecordBatch>,
    right: Vec<RecordBatch>,
    /// What it must be.
    expected: u64,
    records: usize,
}

impl Join {
    fn new(records: usize) -> Outcome<Self> {
        let pairs = Arc::new(AtomicU64::new(0));
        let into = pairs.clone();
        let app = StreamsBuilder::new("join");
        let left = app.stream::<i64, i64>("left", Auto);
        let right = app.stream::<i64, i64>("right", Auto);
        let within = JoinWindows::of(WITHIN_MS).grace(GRACE_MS);
        left.join_stream(&right, pair, within, "pairs").for_each(move |_, pair| {
            // Read and written by one thread.
            into.store(into.load(Ordering::Relaxed).wrapping_add(pair), Ordering::Relaxed);
        });
        let even = |number: &usize| number.is_multiple_of(2);
        let left = batches((0..records).filter(even), event)?;
        let right = batches((0..records).filter(|number| !even(number)), event)?;
        let expected = by_hand(records);
        Ok(Self { topology: app.build()?, pairs, left, right, expected, records })
    }

    fn run(&self) -> Outcome<Duration> {
        self.pairs.store(0, Ordering::Relaxed);
        let mut pipeline = Pipeline::new(&self.topology, State::InMemory)?;
        let time = drive(&mut pipeline, &[("left", &self.left), ("right", &self.right)], PER_COMMIT)?;
        self.check(self.pairs.load(Ordering::Relaxed))?;
        Ok(time)
    }

    fn run_by_hand(&self) -> Outcome<Duration> {
        let mut sum = 0;
        let time = on_thread(|| {
            sum = by_hand(self.records);
            Ok(())
        })?;
        self.check(sum)?;
        Ok(time)
    }

    fn check(&self, sum: u64) -> Outcome<()> {
        if sum == self.expected { Ok(()) } else { Err("the pairs are wrong".into()) }
    }
}

/// What stands for a pair: sums of it are equal only if the pairs are.
fn pair(left: i64, right: i64) -> u64 {
    mix((left as u64) << 32 | right as u64)
}

/// The sum over all pairs, found without Headwater: per key the rows of both sides, youngest last, those gone that no
/// record can meet any more. Nothing is decoded.
fn by_hand(records: usize) -> u64 {
    type Rows = VecDeque<(i64, i64)>;
    let mut rows: HashMap<i64, [Rows; 2], FixedState> = HashMap::default();
    let (mut sum, mut now) = (0_u64, i64::MIN);
    for number in 0..records {
        let Event { time, key, value } = black_box(event(number));
        now = now.max(time);
        let [left, right] = rows.entry(key).or_default();
        let is_left = number % 2 == 0;
        let (this, other) = if is_left { (left, right) } else { (right, left) };
        while other.front().is_some_and(|(time, _)| *time < now - 2 * WITHIN_MS - GRACE_MS) {
            other.pop_front();
        }
        for (_, partner) in other.iter().filter(|(at, _)| (at - time).abs() <= WITHIN_MS) {
            sum = sum.wrapping_add(if is_left { pair(value, *partner) } else { pair(*partner, value) });
        }
        this.push_back((time, value));
    }
    sum
}
