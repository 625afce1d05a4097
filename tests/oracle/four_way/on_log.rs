//! A case on the embedded log.

use std::{
    cell::Cell,
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use headwater::{
    Result,
    log::{ConsumerConfig, EmbeddedConfig, EmbeddedLog, Isolation, Log, Polled, Producer, ProducerConfig, TopicSpec},
    prelude::*,
    runtime::{Mode, Progress, RunReport, Settings, run},
    state::{StateDirectory, StoreMemory, TaskStore},
};
use headwater_core::{BatchBuilder, ManualClock, StoreReader, SystemClock, TopicPartition};

use super::{
    feed::{Placed, placed},
    outcome::{Outcome, Rows},
};
use crate::oracle::{case::Case, generate, random::Random, twin::named_topology};

/// Nothing takes so long unless it stands still for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory with a log on which many cases run, one after the other or at once.
pub struct Place {
    dir: tempfile::TempDir,
    log: Arc<dyn Log>,
    made: AtomicUsize,
}

impl Place {
    /// In memory where the system has a file system for that: nothing here is to outlast the test.
    pub fn open() -> Self {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let config = EmbeddedConfig { durable: false, memory_bytes: 4 << 20, ..EmbeddedConfig::default() };
        let log = EmbeddedLog::open(&dir.path().join("log"), config, Arc::new(SystemClock)).unwrap();
        Self { dir, log, made: AtomicUsize::new(0) }
    }
}

/// How the log runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Everything is there; up to its end.
    Bounded,
    /// As `Bounded`, but stopped now and then, and started again.
    Interrupted,
    /// Records are appended while it runs. Then it is stopped, and a bounded run ends its input.
    Live,
}

/// A case on topics of `width` partitions of one log, as an application with several versions.
pub struct OnLog<'a> {
    place: &'a Place,
    case: &'a Case,
    prefix: String,
    topology: Topology,
    settings: Settings,
    fed: Cell<usize>,
    width: i32,
}

impl<'a> OnLog<'a> {
    /// Makes the topics. `None` if `build()` refuses the topology.
    pub fn new(place: &'a Place, case: &'a Case, width: i32) -> Option<Self> {
        let app = format!("c{}", place.made.fetch_add(1, Ordering::Relaxed));
        let prefix = format!("{app}-");
        let topology = named_topology(case, &app, &prefix).ok()?;
        let spec =
            |name: String| TopicSpec { name: prefix.clone() + &name, partitions: width, config: BTreeMap::new() };
        let written = case.shown().into_iter().map(|node| format!("out-{node}"));
        let topics: Vec<_> = generate::topics(case).into_iter().chain(written).map(spec).collect();
        place.log.create_topics(&topics).unwrap();
        let settings = Settings { create_output_topics: true, ..Settings::in_dir(place.dir.path()) };
        Some(Self { place, case, prefix, topology, settings, fed: Cell::new(0), width })
    }

    /// What version `version` makes of it. What has not been appended yet is appended.
    pub fn run(&self, version: u32, threads: usize, way: Way, seed: u64) -> Outcome {
        let mut random = Random::new(seed);
        let commit_interval = Duration::from_millis(*random.choose(&[1, 5, 20, 10_000]));
        // Now a single record waits, now all of them.
        let max_buffered_bytes = *random.choose(&[1, 1_000, 4 << 20]);
        let mut settings = Settings { version, threads, commit_interval, max_buffered_bytes, ..self.settings.clone() };
        let report = match way {
            Way::Bounded => {
                self.feed(usize::MAX, &mut random);
                self.bounded(&settings)
            }
            Way::Interrupted => {
                self.feed(usize::MAX, &mut random);
                for _ in 0..2 {
                    let after = random.below(self.fed.get() + 1) as u64;
                    if let Err(error) = self.stopped(&settings, Mode::Bounded, |progress| progress.processed() >= after)
                    {
                        return Outcome::failed(&error.to_string());
                    }
                }
                self.bounded(&settings)
            }
            Way::Live => {
                // A live run commits now and then, or nobody downstream would hear of anything.
                settings.commit_interval = settings.commit_interval.min(Duration::from_millis(20));
                self.live(&settings, &mut random).and_then(|_| self.bounded(&settings))
            }
        };
        match report {
            Ok(report) => self.outcome(version, report),
            Err(error) => Outcome::failed(&error.to_string()),
        }
    }

    fn bounded(&self, settings: &Settings) -> Result<RunReport> {
        self.stopped(settings, Mode::Bounded, |_| false)
    }

    /// Runs until `enough`, which is asked again and again, or to the end.
    fn stopped(&self, settings: &Settings, mode: Mode, mut enough: impl FnMut(&Progress) -> bool) -> Result<RunReport> {
        let progress = Arc::new(Progress::default());
        let (topology, log) = (&self.topology, &self.place.log);
        // The wall clock stands still, so no timer goes by it; but each run has another time.
        let clock = Arc::new(ManualClock::at(self.place.made.fetch_add(1, Ordering::Relaxed) as i64));
        let settings = &Settings { clock, ..settings.clone() };
        thread::scope(|scope| {
            let worker = scope.spawn(|| run(topology, log, settings, mode, &progress));
            let begun = Instant::now();
            let mut stands_still = false;
            while !worker.is_finished() && !stands_still && !enough(&progress) {
                stands_still = begun.elapsed() > PATIENCE;
                thread::sleep(Duration::from_micros(300));
            }
            progress.stop();
            let report = worker.join().unwrap();
            assert!(!stands_still, "{} stands still: {progress:?}", self.prefix);
            report
        })
    }

    fn live(&self, settings: &Settings, random: &mut Random) -> Result<RunReport> {
        // Some records are there before it starts, most come while it runs.
        self.feed(random.below(20), random);
        let all = placed(self.case, self.width).len();
        self.stopped(settings, Mode::Live, |_| {
            if self.fed.get() == all {
                return self.has_read_all(settings.version);
            }
            let some = random.between(1, 40) as usize;
            self.feed(some, random);
            false
        })
    }

    /// Whether every record of every topic that the application reads has been taken, with all that came of it.
    fn has_read_all(&self, version: u32) -> bool {
        let topology = self.topology.versioned(version);
        let plan = topology.plan();
        let log = &self.place.log;
        let inputs: Vec<&str> =
            (0..plan.subtopologies.len()).flat_map(|part| plan.inputs_of(part)).map(|(_, topic)| topic).collect();
        let partitions: Vec<_> = log
            .topics()
            .unwrap()
            .into_iter()
            .filter(|topic| inputs.contains(&topic.name.as_str()))
            .flat_map(|topic| (0..topic.partitions).map(move |at| TopicPartition::new(topic.name.as_str(), at)))
            .collect();
        let ends = || log.end_offsets(&partitions, Isolation::ReadCommitted).unwrap();
        let before = ends();
        let committed = log.committed(&plan.app, &partitions).unwrap();
        let taken = |at: &TopicPartition| committed.get(at).map_or(0, |committed| committed.offset);
        // What is under way ends in a commit, and that would move an end or a position.
        before.iter().all(|(at, end)| taken(at) == *end) && ends() == before
    }

    /// Appends the next `count` records, in batches as they come.
    fn feed(&self, count: usize, random: &mut Random) {
        let records = placed(self.case, self.width);
        let mut producer = self.place.log.producer(&ProducerConfig::default()).unwrap();
        let mut rest = records.get(self.fed.get()..).unwrap_or_default();
        rest = &rest[..count.min(rest.len())];
        self.fed.set(self.fed.get() + rest.len());
        while !rest.is_empty() {
            let (now, later) = rest.split_at(random.between(1, 30).min(rest.len() as i64) as usize);
            self.send(&mut *producer, now);
            rest = later;
        }
        producer.flush().unwrap();
    }

    fn send(&self, producer: &mut dyn Producer, records: &[Placed<'_>]) {
        let mut batches: BTreeMap<(&str, i32), BatchBuilder> = BTreeMap::new();
        for placed in records {
            let record = placed.record;
            let batch = batches.entry((&record.topic, placed.partition)).or_default();
            let bytes = |text: &'_ Option<String>| text.as_ref().map(|text| text.as_bytes().to_vec());
            let (key, value) = (bytes(&record.key), bytes(&record.value));
            batch.push(record.ts, key.as_deref(), value.as_deref(), &placed.headers());
        }
        for ((topic, partition), mut batch) in batches {
            let to = TopicPartition::new(format!("{}{topic}", self.prefix), partition);
            producer.send(&to, batch.take().unwrap()).unwrap();
        }
    }

    fn outcome(&self, version: u32, report: RunReport) -> Outcome {
        let topology = self.topology.versioned(version);
        let plan = topology.plan();
        let mark = if version > 1 { format!("__v{version}") } else { String::new() };
        let mut outcome = Outcome { counters: self.unprefixed(report.counters), ..Outcome::default() };
        for node in self.case.shown() {
            let records = read(&*self.place.log, &format!("{}out-{node}{mark}", self.prefix));
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let shown = records.into_iter().map(|(key, value, time, headers)| {
                let headers = headers.iter().map(|header| (header.name.clone(), header.value.as_deref().map(text)));
                (key.as_deref().map(text), value.as_deref().map(text), time, headers.collect())
            });
            outcome.out.insert(node, shown.collect());
        }
        let directory = StateDirectory::lock(&self.settings.state_dir(&plan.app)).unwrap();
        let memory = StoreMemory::new(1 << 20, 1 << 19);
        for task in directory.tasks().unwrap() {
            let tasks = TaskStore::open(&directory.task_dir(task), &[], &memory).unwrap();
            for store in tasks.stores() {
                outcome.stores.entry(store.clone()).or_default().extend(rows(&tasks.reader(store).unwrap()));
            }
        }
        for (name, store) in &plan.stores {
            let rows = outcome.stores.entry(name.clone()).or_default();
            rows.sort();
            let restored = compacted(&*self.place.log, &store.changelog);
            if *rows != restored {
                return Outcome::failed(&format!("store {name} is not what its changelog says"));
            }
        }
        outcome
    }

    /// Names without what tells the applications apart.
    fn unprefixed(&self, counters: BTreeMap<String, i64>) -> BTreeMap<String, i64> {
        counters.into_iter().map(|(name, count)| (name.replace(&self.prefix, ""), count)).collect()
    }
}

impl Drop for OnLog<'_> {
    /// What no later case needs.
    fn drop(&mut self) {
        let topics = self.place.log.topics().unwrap().into_iter().map(|topic| topic.name);
        let own: Vec<_> = topics.filter(|name| name.starts_with(&self.prefix)).collect();
        let _ = self.place.log.delete_topics(&own);
        for version in 1..=3 {
            let app = self.topology.versioned(version).plan().app.clone();
            let _ = std::fs::remove_dir_all(self.settings.state_dir(&app));
        }
    }
}

fn rows(store: &impl StoreReader) -> Rows {
    let mut rows = Vec::new();
    store
        .range(&[], None, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    rows
}

type Read = (Option<Vec<u8>>, Option<Vec<u8>>, i64, Headers);

/// Every committed record of a topic, partition by partition.
fn read(log: &dyn Log, topic: &str) -> Vec<Read> {
    read_partitions(log, topic).into_values().flatten().collect()
}

/// What is left of a changelog's records: all partitions' latest rows, in order.
fn compacted(log: &dyn Log, topic: &str) -> Rows {
    let mut all = Vec::new();
    for records in read_partitions(log, topic).into_values() {
        let mut latest = BTreeMap::new();
        for (key, value, ..) in records {
            latest.insert(key.unwrap(), value);
        }
        all.extend(latest.into_iter().filter_map(|(key, value)| Some((key, value?))));
    }
    all.sort();
    all
}

fn read_partitions(log: &dyn Log, topic: &str) -> BTreeMap<i32, Vec<Read>> {
    let partitions = log.topics().unwrap().into_iter().find(|found| found.name == topic).unwrap().partitions;
    let all: Vec<_> = (0..partitions).map(|partition| TopicPartition::new(topic, partition)).collect();
    let ends = log.end_offsets(&all, Isolation::ReadCommitted).unwrap();
    let mut consumer = log.consumer(&ConsumerConfig::default()).unwrap();
    consumer.assign(&log.start_offsets(&all).unwrap().into_iter().collect::<Vec<_>>()).unwrap();
    let mut records: BTreeMap<i32, Vec<Read>> = BTreeMap::new();
    while all.iter().any(|at| consumer.position(at) < ends.get(at).copied()) {
        let Polled::Records(batches) = consumer.poll(Duration::from_millis(100)).unwrap() else { continue };
        for (at, batch) in &batches {
            for record in batch {
                let record = record.unwrap();
                let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
                let read = (bytes(record.key), bytes(record.value), record.timestamp, record.headers.clone());
                records.entry(at.partition).or_default().push(read);
            }
        }
    }
    records
}
