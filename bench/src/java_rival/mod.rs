//! Kafka Streams' test driver on the same records, in the same run. Both are timed by the CPU of the one thread that
//! works; the JVM's compilers and collectors are not counted.

mod jvm;
mod workloads;

use std::time::Duration;

use headwater::prelude::*;
use headwater_core::RecordBatch;

pub use self::jvm::is_possible;
use self::{
    jvm::Jvm,
    workloads::{Marks, Workload, marks_of, record},
};
use crate::{
    Effort, Outcome,
    measure::{Spread, interleave, on_thread},
    outcome::{Figure, Goal},
    pipeline::Pipeline,
    pipeline_env::State,
};

/// Records of one run of either side.
const RECORDS: usize = 30_000;
/// Headwater is timed over so many runs, each over a new task: one would be short for a clock.
const RUNS: u32 = 10;
const BATCH: usize = 500;
/// The JVM is warm when so many runs in a row ...
const ALIKE: usize = 3;
/// ... differ by no more than this part, ...
const WITHIN: f64 = 0.03;
/// ... or after so many runs.
const AT_MOST: usize = 15;

const STORES: [&str; 2] = ["memory", "rocksdb"];
const WORKLOADS: [(Workload, &str); 6] = [
    (Workload::Count, "filter, map and count"),
    (Workload::Chain, "5 stateless operators and count"),
    (Workload::Tumbling, "tumbling count, 10 s"),
    (Workload::Hopping, "hopping count, 60 s / 5 s"),
    (Workload::Session, "session count, gap 1.5 s"),
    (Workload::Join, "stream-stream join, 1 s"),
];

/// Measures all workloads. A JVM of its own runs each on each kind of store; the faster of the two is the rival.
///
/// # Errors
/// If there is no JDK or no Maven, or the two sides' results differ, which makes the figures void.
pub fn measure(effort: Effort) -> Outcome<Vec<Figure>> {
    WORKLOADS.iter().map(|(workload, what)| figure(*workload, what, effort)).collect()
}

fn figure(workload: Workload, what: &'static str, effort: Effort) -> Outcome<Figure> {
    eprintln!("measuring: {what}");
    let records = RECORDS / effort.shrink;
    let mut ours = Ours { workload, batches: workload.batches(records, BATCH)?, marks: Marks::default() };
    ours.run()?;
    let mut rivals = Vec::new();
    for store in STORES {
        let mut rival = Rival { jvm: Jvm::start()?, workload, store, records, marks: ours.marks };
        let time = rival.warm_up(effort)?;
        rivals.push((time, rival));
    }
    let in_store = |place: usize| Spread::of(rivals.get(place).map(|(time, _)| time * 1e9 / records as f64));
    let (in_memory, in_rocksdb) = (in_store(0), in_store(1));
    rivals.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (_, rival) = rivals.first_mut().ok_or("no JVM")?;
    let times = interleave(effort.pairs, || ours.run(), || rival.run())?;
    let goal = (workload == Workload::Count).then_some(Goal::AtLeast(20.0));
    let figure = Figure::new(what, times.share(), "x as fast as Kafka Streams' test driver", goal)
        .part(
            "Headwater: tasks driven by batches, one commit",
            Spread::ns_per_record(&times.ours, records),
            "ns/record",
        )
        .part(
            "Kafka Streams, on the faster of its two stores",
            Spread::ns_per_record(&times.rival, records),
            "ns/record",
        )
        .part("Kafka Streams when it was warm, rows in memory", in_memory, "ns/record")
        .part("Kafka Streams when it was warm, rows in RocksDB", in_rocksdb, "ns/record");
    if workload != Workload::Count {
        return Ok(figure);
    }
    let alike = interleave(effort.pairs, || own_test_driver(records, ours.marks), || rival.run())?;
    Ok(figure.part("Headwater's own test driver, each record piped and committed", alike.share(), "x as fast").part(
        "of it",
        Spread::ns_per_record(&alike.ours, records),
        "ns/record",
    ))
}

/// Headwater's side.
struct Ours {
    workload: Workload,
    batches: Vec<(&'static str, RecordBatch)>,
    marks: Marks,
}

impl Ours {
    /// The time of one run over all records.
    fn run(&mut self) -> Outcome<Duration> {
        let mut spent = Duration::ZERO;
        for _ in 0..RUNS {
            let built = self.workload.build()?;
            let mut pipeline = Pipeline::new(&built.topology, State::InMemory)?;
            spent += on_thread(|| {
                self.batches.iter().for_each(|(topic, batch)| pipeline.feed(topic, batch));
                Ok(pipeline.settle()?)
            })?;
            self.marks = built.marks(&pipeline)?;
        }
        Ok(spent / RUNS)
    }
}

/// Kafka Streams' side.
struct Rival {
    jvm: Jvm,
    workload: Workload,
    store: &'static str,
    records: usize,
    /// Headwater's result.
    marks: Marks,
}

impl Rival {
    fn run(&mut self) -> Outcome<Duration> {
        let (time, marks) = self.jvm.run(self.workload.name(), self.store, self.records)?;
        same(self.workload, marks, self.marks)?;
        Ok(time)
    }

    /// Runs until the times no longer fall; returns the last one in seconds.
    fn warm_up(&mut self, effort: Effort) -> Outcome<f64> {
        let mut times = Vec::new();
        for _ in 0..(AT_MOST / effort.shrink).max(ALIKE) {
            times.push(self.run()?.as_secs_f64());
            let last = times.get(times.len().saturating_sub(ALIKE)..).unwrap_or_default();
            let spread = Spread::of(last.iter().copied());
            if last.len() == ALIKE && spread.greatest <= spread.least * (1.0 + WITHIN) {
                break;
            }
        }
        times.last().copied().ok_or_else(|| "no run".into())
    }
}

fn same(workload: Workload, theirs: Marks, ours: Marks) -> Outcome<()> {
    if theirs == ours && ours.rows > 0 {
        return Ok(());
    }
    Err(format!("{workload:?}: Kafka Streams has {theirs:?}, Headwater {ours:?}").into())
}

/// The count, record by record, as Kafka Streams' driver does it: encoded, piped, committed.
fn own_test_driver(records: usize, marks: Marks) -> Outcome<Duration> {
    let mut driver = TopologyTestDriver::new(Workload::Count.build()?.topology)?;
    let mut numbers = driver.input::<i64, i64>("numbers", Auto);
    let time = on_thread(|| {
        for number in 0..records {
            let (key, value, time) = record(number);
            numbers.pipe(&mut driver, key, value, time)?;
        }
        Ok(())
    })?;
    same(Workload::Count, marks_of(&driver.store::<i64, i64>("rows")?.all()?), marks)?;
    Ok(time)
}
