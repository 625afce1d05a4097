//! What the threads of one run share.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use headwater_core::{Offset, TaskId, TopicPartition};
use headwater_dsl::{Plan, TimeSkew, Topology};
use headwater_log::Log;
use headwater_state::{StateDirectory, StoreMemory};

use crate::{global::GlobalStore, progress::Progress, settings::Settings, stores::Serving};

/// One run: a topology on a log, with its settings.
pub(crate) struct Shared {
    pub(crate) topology: Topology,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) settings: Settings,
    pub(crate) progress: Arc<Progress>,
    /// Partition counts of every topic the run reads or writes.
    pub(crate) counts: BTreeMap<String, i32>,
    /// Where a bounded run ends, by input partition; `None` in a live run.
    pub(crate) bounds: Option<BTreeMap<TopicPartition, Offset>>,
    pub(crate) directory: StateDirectory,
    pub(crate) memory: StoreMemory,
    pub(crate) globals: BTreeMap<String, Arc<GlobalStore>>,
    /// The tasks' stores, for readers.
    pub(crate) serving: Arc<Serving>,
    /// Marks this run's ends of input.
    pub(crate) run_id: u64,
    /// Whether there are new topics to read, which threads that start from now on would.
    outdated: AtomicBool,
    /// Tasks whose end of input has been committed.
    complete: Mutex<BTreeSet<TaskId>>,
    /// The counters each task had when it was last committed.
    counters: Mutex<BTreeMap<TaskId, BTreeMap<String, i64>>>,
    /// The greatest skew of each task's inputs.
    time_skew: Mutex<BTreeMap<TaskId, TimeSkew>>,
}

impl Shared {
    #[expect(clippy::too_many_arguments, reason = "one constructor of a plain record")]
    pub(crate) fn new(
        topology: Topology,
        log: Arc<dyn Log>,
        settings: Settings,
        progress: Arc<Progress>,
        counts: BTreeMap<String, i32>,
        bounds: Option<BTreeMap<TopicPartition, Offset>>,
        directory: StateDirectory,
        memory: StoreMemory,
        globals: BTreeMap<String, Arc<GlobalStore>>,
        run_id: u64,
    ) -> Self {
        Self {
            topology,
            log,
            settings,
            progress,
            counts,
            bounds,
            directory,
            memory,
            globals,
            serving: Arc::default(),
            run_id,
            outdated: AtomicBool::new(false),
            complete: Mutex::default(),
            counters: Mutex::default(),
            time_skew: Mutex::default(),
        }
    }

    /// Gives readers the tasks through `serving`.
    pub(crate) fn serving(self, serving: &Arc<Serving>) -> Self {
        let parts = 0..self.plan().subtopologies.len();
        serving.set_task_counts(parts.map(|part| self.plan().task_count(part, &self.counts).unwrap_or_default()));
        Self { serving: serving.clone(), ..self }
    }

    /// There are new topics to read: the threads are to end.
    pub(crate) fn outdate(&self) {
        self.outdated.store(true, Ordering::SeqCst);
    }

    /// Whether the threads end so that others read new topics.
    pub(crate) fn is_outdated(&self) -> bool {
        self.outdated.load(Ordering::SeqCst)
    }

    /// Whether the threads are to end, because the run does or others follow.
    pub(crate) fn is_ending(&self) -> bool {
        self.progress.is_stopping() || self.is_outdated()
    }

    pub(crate) fn plan(&self) -> &Plan {
        self.topology.plan()
    }

    pub(crate) fn app(&self) -> &str {
        &self.plan().app
    }

    /// All tasks of the plan.
    pub(crate) fn tasks(&self) -> Vec<TaskId> {
        let parts = 0..self.plan().subtopologies.len();
        let tasks = parts.flat_map(|part| {
            let count = self.plan().task_count(part, &self.counts).unwrap_or_default();
            (0..count).map(move |partition| TaskId { subtopology: part as u32, partition })
        });
        tasks.collect()
    }

    /// The input partitions of `task`, with the place of each topic among the sub-topology's sources.
    pub(crate) fn inputs(&self, task: TaskId) -> Vec<(usize, TopicPartition)> {
        let topics = self.plan().inputs_of(task.subtopology as usize).map(|(_, topic)| topic);
        topics
            .enumerate()
            .filter(|(_, topic)| self.counts.get(*topic).is_some_and(|count| task.partition < *count))
            .map(|(source, topic)| (source, TopicPartition::new(topic, task.partition)))
            .collect()
    }

    /// The topics that tasks read.
    pub(crate) fn subscribed_topics(&self) -> Vec<String> {
        let parts = 0..self.plan().subtopologies.len();
        let mut topics: Vec<_> =
            parts.flat_map(|part| self.plan().inputs_of(part)).map(|(_, topic)| topic.to_owned()).collect();
        topics.sort();
        topics.dedup();
        topics
    }

    /// How many tasks write to the repartition `topic`.
    pub(crate) fn upstream_tasks(&self, topic: &str) -> usize {
        let plan = self.plan();
        let count = plan.writer_of(topic).and_then(|part| plan.task_count(part, &self.counts));
        usize::try_from(count.unwrap_or(1)).unwrap_or(1)
    }

    /// The end of `task`'s input has been committed.
    pub(crate) fn complete(&self, task: TaskId) {
        self.complete.lock().unwrap_or_else(PoisonError::into_inner).insert(task);
    }

    /// Whether every task of the plan has reached the end of its input.
    pub(crate) fn all_complete(&self) -> bool {
        self.complete.lock().unwrap_or_else(PoisonError::into_inner).len() == self.tasks().len()
    }

    /// Notes a task's counters as of a commit.
    pub(crate) fn note_counters(&self, task: TaskId, counters: BTreeMap<String, i64>) {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).insert(task, counters);
    }

    /// Notes how far apart a task's inputs were at a commit, if they never were so far apart before.
    pub(crate) fn note_time_skew(&self, task: TaskId, skew: TimeSkew) {
        let mut known = self.time_skew.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(&task).is_none_or(|known| known.ms < skew.ms) {
            known.insert(task, skew);
        }
    }

    /// The greatest skew of each task's inputs.
    pub(crate) fn time_skew(&self) -> BTreeMap<TaskId, TimeSkew> {
        self.time_skew.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The sum of all tasks' counters, and those of the global tables.
    pub(crate) fn counters(&self) -> BTreeMap<String, i64> {
        let mut sums = BTreeMap::new();
        for counters in self.counters.lock().unwrap_or_else(PoisonError::into_inner).values() {
            for (name, count) in counters {
                *sums.entry(name.clone()).or_default() += count;
            }
        }
        let nulls = self.globals.iter().map(|(name, global)| (format!("null-key:{name}"), global.null_keys()));
        sums.extend(nulls.filter(|(_, count)| *count > 0));
        sums
    }
}

/// The sink's topic of descriptors.
pub(crate) fn commits_topic(app: &str, sink: &str) -> String {
    format!("{app}-{sink}-commits")
}
