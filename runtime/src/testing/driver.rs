//! The driver.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use headwater_core::{
    Clock, Error, ErrorKind, ManualClock, RecordRef, Result, StoredRow, TaskId, Timestamp, partition_for_key,
};
use headwater_dsl::{Consumed, Materialized, Produced, Topology};

use super::{
    env::{DrivenStores, GlobalRows, Surroundings},
    input::TestInput,
    memory_topic::MemoryTopics,
    output::TestOutput,
    sinks::DrivenSinks,
    store::{TestSessionStore, TestStore, TestVersionedStore, TestWindowStore},
    task::DrivenTask,
};
use crate::stores::{Stores, unknown};

/// After this long without a record a task that has caught up says that nobody need wait for it.
const MAX_SOURCE_IDLE_MS: i64 = 30_000;

#[derive(Debug, Clone)]
struct Options {
    partitions: i32,
    /// Topics with a partition count of their own.
    of_topics: BTreeMap<String, i32>,
    lake_dir: PathBuf,
    auto_commit: bool,
    stepping: bool,
    bounded: bool,
    wall_clock_ms: Timestamp,
}

/// A topic that the topology reads: all that is asked when a record is piped.
struct Inlet {
    /// Its number.
    topic: usize,
    partitions: i32,
    /// The global tables it feeds.
    globals: Vec<Arc<GlobalRows>>,
}

/// Runs a topology in a test: records in, results out, stores to look into. No broker, no files, no threads.
///
/// After each piped record everything runs until it is quiet, through all repartition topics, with a commit after each
/// record of each task, as Kafka's driver does. A failure leaves things as they are in production: what was not committed
/// is gone, and the record that failed comes again.
///
/// ```
/// use headwater::prelude::*;
///
/// let app = StreamsBuilder::new("shop");
/// app.stream::<String, i64>("sales", Json).group_by(|_, cents| *cents / 100, "by-price").count("sold").updates().to("sold", Json);
/// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
/// let mut sales = driver.input::<String, i64>("sales", Json);
/// sales.pipe(&mut driver, "tea".into(), 350, 0).unwrap();
/// sales.pipe(&mut driver, "salt".into(), 310, 1).unwrap();
/// assert_eq!(driver.output::<i64, i64>("sold", Json).read_key_values(&mut driver).unwrap(), [(3, 1), (3, 2)]);
/// assert_eq!(driver.store::<i64, i64>("sold").unwrap().get(&3).unwrap(), Some(2));
/// ```
pub struct TopologyTestDriver {
    options: Options,
    pub(super) around: Surroundings,
    pub(super) topics: MemoryTopics,
    /// The topics that the topology reads.
    inlets: BTreeMap<String, Inlet>,
    /// In the order of their ids.
    pub(super) tasks: Vec<DrivenTask>,
    pub(super) sinks: DrivenSinks,
    /// Whether the run has ended; the next record starts another one.
    ended: bool,
}

impl std::fmt::Debug for TopologyTestDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopologyTestDriver").field("options", &self.options).field("tasks", &self.tasks()).finish()
    }
}

impl TopologyTestDriver {
    /// A driver for `topology`. Every topic has 1 partition.
    ///
    /// # Errors
    /// If a task's operators or a sink cannot be set up.
    pub fn new(topology: Topology) -> Result<Self> {
        let options = Options {
            partitions: 1,
            of_topics: BTreeMap::new(),
            lake_dir: std::env::temp_dir().join("headwater-test-driver"),
            auto_commit: true,
            stepping: false,
            bounded: false,
            wall_clock_ms: 0,
        };
        Self::start(topology, options)
    }

    /// Gives every input topic `partitions` partitions, and so as many tasks to what reads it. Starts anew: call it
    /// before the first record. Output topics keep 1 partition. Default: 1.
    ///
    /// # Errors
    /// `HW0111` if topics that must agree no longer do.
    pub fn with_partitions(self, partitions: i32) -> Result<Self> {
        Self::start(self.around.topology, Options { partitions: partitions.max(1), ..self.options })
    }

    /// Gives `topic`, which is read or written, `partitions` partitions. Starts anew: call it before the first record.
    ///
    /// # Errors
    /// `HW0111` if topics that must agree no longer do.
    pub fn with_topic_partitions(mut self, topic: &str, partitions: i32) -> Result<Self> {
        self.options.of_topics.insert(topic.to_owned(), partitions.max(1));
        Self::start(self.around.topology, self.options)
    }

    /// Where sinks that write files find the lake. Starts anew: call it before the first record. Default: a directory
    /// below the system's temporary directory; a sink that writes no files never touches it.
    ///
    /// # Errors
    /// If a sink cannot be opened there.
    pub fn with_lake_dir(self, dir: &Path) -> Result<Self> {
        Self::start(self.around.topology, Options { lake_dir: dir.to_owned(), ..self.options })
    }

    /// Where the driver's wall clock stands at first, in milliseconds since 1970. Starts anew: call it before the first
    /// record. Default: 0.
    ///
    /// # Errors
    /// If a task's operators cannot be set up.
    pub fn with_wall_clock(self, at_ms: Timestamp) -> Result<Self> {
        Self::start(self.around.topology, Options { wall_clock_ms: at_ms, ..self.options })
    }

    /// Commits only when told by [`TopologyTestDriver::commit`] or asked by a processor. Until then outputs, stores and what is behind a
    /// repartition topic do not see what was piped. Default: a commit after each record.
    #[must_use]
    pub fn without_auto_commit(mut self) -> Self {
        self.options.auto_commit = false;
        self
    }

    /// Does nothing by itself: piped records wait until [`TopologyTestDriver::step`] takes them. For tests of what must
    /// not depend on the order in which tasks run.
    #[must_use]
    pub fn stepping(mut self) -> Self {
        self.options.stepping = true;
        self
    }

    /// What is piped is a whole, finished input, as in a bounded run or a replay: a step behind a repartition topic that
    /// minds the order of its records, such as a join, takes them in the order of their senders' time, and waits for
    /// senders that may still send older ones. Meant for [`TopologyTestDriver::stepping`]. Starts anew: call it before the
    /// first record. Default: as live, nobody is waited for.
    ///
    /// # Errors
    /// If a task's operators cannot be set up.
    pub fn bounded(self) -> Result<Self> {
        Self::start(self.around.topology, Options { bounded: true, ..self.options })
    }

    fn start(topology: Topology, options: Options) -> Result<Self> {
        let topology = topology.with_topics(options.of_topics.keys().map(String::as_str));
        let plan = topology.plan();
        let count = |topic: &str| options.of_topics.get(topic).copied();
        let mut counts = plan.partition_counts(&|topic| count(topic).or(Some(options.partitions)))?;
        for topic in plan.output_topics() {
            counts.insert(topic.to_owned(), count(topic).unwrap_or(1));
        }
        let globals = plan.global_stores.keys().map(|store| (store.clone(), Arc::<GlobalRows>::default())).collect();
        let lake_dir = options.lake_dir.clone();
        let clock = Arc::new(ManualClock::at(options.wall_clock_ms));
        let around = Surroundings { topology, counts, globals, lake_dir, bounded: options.bounded, run_id: 1, clock };
        let sinks = DrivenSinks::open(&around)?;
        let mut tasks = Vec::new();
        for id in task_ids(&around) {
            tasks.push(DrivenTask::start(&around, id, tasks.len())?);
        }
        let topics = MemoryTopics::new(around.counts.values().copied());
        Ok(Self { options, topics, inlets: inlets_of(&around), around, tasks, sinks, ended: false })
    }

    /// A way to write to `topic`, which the topology reads.
    pub fn input<K, V>(&self, topic: &str, produced: impl Into<Produced<K, V>>) -> TestInput<K, V>
    where
        K: headwater_dsl::Data,
        V: headwater_dsl::Data,
    {
        TestInput::new(topic, &produced.into())
    }

    /// A way to read `topic`, which the topology writes.
    pub fn output<K, V>(&self, topic: &str, consumed: impl Into<Consumed<K, V>>) -> TestOutput<K, V>
    where
        K: headwater_dsl::Data,
        V: headwater_dsl::Data,
    {
        TestOutput::new(topic, &consumed.into())
    }

    /// Its stores, as a running application gives them out: the rows committed last, whenever they are asked for.
    pub fn stores(&self) -> Stores {
        let stores = self.tasks.iter().map(|task| (task.id(), task.stores().clone())).collect();
        Stores::new(self.around.topology.clone(), Arc::new(DrivenStores(stores)))
    }

    /// How many entries a store has, committed, in all tasks: one per row, and one per row in the index by time of a
    /// store that has one. For tests of what is forgotten.
    ///
    /// # Errors
    /// `HW0120` if the topology has no such store.
    pub fn store_entries(&self, store: &str) -> Result<usize> {
        Ok(self.store_bytes(store)?.len())
    }

    /// The committed entries of a store as they are stored, key and value in bytes, task by task in the order of the keys.
    /// For tests of what must be the same to the byte, whatever it ran on.
    ///
    /// # Errors
    /// `HW0120` if the topology has no such store.
    pub fn store_bytes(&self, store: &str) -> Result<Vec<StoredRow>> {
        self.stores().rows(store)?.entries()
    }

    /// The committed rows of a store, of all tasks.
    ///
    /// # Errors
    /// `HW0120` if the topology has no such store, `HW0652` if it has one of other types, formats or another kind.
    pub fn store<K, V>(&self, store: impl Into<Materialized<K, V>>) -> Result<TestStore<K, V>>
    where
        K: headwater_dsl::Data,
        V: headwater_dsl::Data,
    {
        Ok(TestStore::new(self.stores().store(store)?))
    }

    /// The committed rows of a windowed store, of all tasks.
    ///
    /// # Errors
    /// As [`TopologyTestDriver::store`].
    pub fn window_store<K, V>(&self, store: impl Into<Materialized<K, V>>) -> Result<TestWindowStore<K, V>>
    where
        K: headwater_dsl::Data,
        V: headwater_dsl::Data,
    {
        Ok(TestWindowStore::new(self.stores().window_store(store)?))
    }

    /// The committed rows of a store of sessions, of all tasks.
    ///
    /// # Errors
    /// As [`TopologyTestDriver::store`].
    pub fn session_store<K, V>(&self, store: impl Into<Materialized<K, V>>) -> Result<TestSessionStore<K, V>>
    where
        K: headwater_dsl::Data,
        V: headwater_dsl::Data,
    {
        Ok(TestSessionStore::new(self.stores().session_store(store)?))
    }

    /// The committed rows of a store with history, of all tasks.
    ///
    /// # Errors
    /// As [`TopologyTestDriver::store`].
    pub fn versioned_store<K, V>(&self, store: impl Into<Materialized<K, V>>) -> Result<TestVersionedStore<K, V>>
    where
        K: headwater_dsl::Data,
        V: headwater_dsl::Data,
    {
        Ok(TestVersionedStore::new(self.stores().versioned_store(store)?))
    }

    /// Commits everything and lets it flow on until it is quiet.
    ///
    /// # Errors
    /// If a step fails.
    pub fn commit(&mut self) -> Result<()> {
        self.or_restart(|driver| {
            loop {
                for place in 0..driver.tasks.len() {
                    driver.commit_at(place)?;
                }
                if driver.options.stepping || !driver.settle()? {
                    return Ok(());
                }
            }
        })
    }

    /// The input ends, as at the end of a bounded run: windows that emit when they close do so, and sinks are flushed.
    /// The next piped record starts another run over the same state.
    ///
    /// # Errors
    /// If a step fails.
    pub fn end_of_input(&mut self) -> Result<()> {
        self.or_restart(|driver| {
            driver.settle()?;
            loop {
                let mut moved = false;
                for place in 0..driver.tasks.len() {
                    driver.commit_at(place)?;
                    driver.settle()?;
                    moved |= driver.end_at(place)?;
                    driver.settle()?;
                }
                if !moved {
                    break;
                }
            }
            driver.ended = true;
            driver.sinks.flush()
        })
    }

    /// Moves the driver's wall clock and fires the wall-clock timers that are due then, each once. Nobody waits
    /// any longer for an input topic that has had no record for 30 seconds: in a live run the windows behind a repartition
    /// then close without it.
    ///
    /// # Errors
    /// If a step fails.
    pub fn advance_wall_clock(&mut self, by_ms: i64) -> Result<()> {
        self.around.clock.advance(by_ms);
        let now_ms = self.around.clock.now_ms();
        self.or_restart(|driver| {
            let mut fell_idle = false;
            let mut fired = false;
            for task in &mut driver.tasks {
                fell_idle |= task.fall_idle_after(MAX_SOURCE_IDLE_MS, now_ms, &driver.topics)?;
                fired |= task.punctuate_wall_clock()?;
            }
            if driver.options.stepping || !(fell_idle || fired && driver.options.auto_commit) {
                return Ok(());
            }
            for place in 0..driver.tasks.len() {
                driver.commit_at(place)?;
            }
            driver.settle().map(drop)
        })
    }

    /// What was counted, summed over all tasks and global tables: `rule:<validate>/<rule>`, `late:<store>`, `null-key:<step>` and so on.
    pub fn counters(&self) -> BTreeMap<String, i64> {
        let mut sums = BTreeMap::new();
        for (name, count) in self.tasks.iter().flat_map(DrivenTask::counters) {
            *sums.entry(name).or_default() += count;
        }
        let nulls = self.around.globals.iter().map(|(name, rows)| (format!("null-key:{name}"), rows.null_keys()));
        sums.extend(nulls.filter(|(_, count)| *count > 0));
        sums
    }

    /// Writes a record to `topic`; without `partition` to the one of its key, or to 0 if it has none.
    pub(super) fn pipe(&mut self, topic: &str, partition: Option<i32>, record: RecordRef<'_>) -> Result<()> {
        let Some(inlet) = self.inlets.get(topic) else {
            return Err(unknown("topic", topic, "reads", &self.around.topology.plan().input_topics()));
        };
        let partitions = inlet.partitions;
        let partition = partition.unwrap_or_else(|| record.key.map_or(0, |key| partition_for_key(key, partitions)));
        if !(0..partitions).contains(&partition) {
            let message = format!("topic {topic} has no partition {partition}, it has {partitions}");
            return Err(Error::new(ErrorKind::Config, "HW0121", message)
                .help("give it more with TopologyTestDriver::with_partitions or with_topic_partitions"));
        }
        inlet.globals.iter().for_each(|rows| rows.put(record.key, record.value));
        self.topics.append(inlet.topic, partition, record);
        self.or_restart(|driver| {
            if std::mem::take(&mut driver.ended) {
                driver.around.run_id += 1;
                driver.restart()?;
            }
            if driver.options.stepping { Ok(()) } else { driver.settle().map(drop) }
        })
    }

    /// Runs everything until no record waits; true if there was any. Sub-topologies in order, then again for what they
    /// sent each other.
    fn settle(&mut self) -> Result<bool> {
        let mut any = false;
        loop {
            let mut moved = false;
            for place in 0..self.tasks.len() {
                while self.step_at(place)? {
                    moved = true;
                    if self.options.auto_commit || self.options.stepping || self.commit_requested(place) {
                        self.commit_at(place)?;
                    }
                }
            }
            any |= moved;
            if !moved {
                return Ok(any);
            }
        }
    }

    pub(super) fn step_at(&mut self, place: usize) -> Result<bool> {
        let now_ms = self.around.clock.now_ms();
        self.tasks.get_mut(place).map_or(Ok(false), |task| task.step(&self.around, &self.topics, now_ms))
    }

    fn commit_requested(&self, place: usize) -> bool {
        self.tasks.get(place).is_some_and(DrivenTask::commit_requested)
    }

    pub(super) fn commit_at(&mut self, place: usize) -> Result<()> {
        let Some(task) = self.tasks.get_mut(place) else { return Ok(()) };
        let descriptors = task.commit(&mut self.topics)?;
        self.sinks.apply(descriptors)
    }

    /// Ends those inputs of the task at `place` that have come to their end; false if none has.
    pub(super) fn end_at(&mut self, place: usize) -> Result<bool> {
        let Some(task) = self.tasks.get_mut(place) else { return Ok(false) };
        if !task.end_what_has_ended(&self.topics)? {
            return Ok(false);
        }
        self.commit_at(place)?;
        Ok(true)
    }

    /// After a failure everything starts again from what is committed, as in production.
    pub(super) fn or_restart<R>(&mut self, work: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        work(self).inspect_err(|_| {
            // The first failure is the one to tell of. A task that cannot start again fails again when it is used.
            let _ = self.restart();
        })
    }

    fn restart(&mut self) -> Result<()> {
        self.tasks.iter_mut().try_for_each(|task| task.restart(&self.around))
    }
}

fn task_ids(around: &Surroundings) -> Vec<TaskId> {
    let plan = around.topology.plan();
    let parts = (0_u32..).take(plan.subtopologies.len());
    parts
        .flat_map(|subtopology| {
            let count = plan.task_count(subtopology as usize, &around.counts).unwrap_or_default();
            (0..count).map(move |partition| TaskId { subtopology, partition })
        })
        .collect()
}

fn inlets_of(around: &Surroundings) -> BTreeMap<String, Inlet> {
    let plan = around.topology.plan();
    let inlet = |name: &str| {
        let fed = plan.global_stores.iter().filter(|(_, global)| global.topic == name);
        let globals = fed.filter_map(|(store, _)| around.globals.get(store).cloned()).collect();
        Some(Inlet { topic: around.topic(name)?, partitions: *around.counts.get(name)?, globals })
    };
    plan.input_topics().into_iter().filter_map(|name| Some((name.to_owned(), inlet(name)?))).collect()
}
