//! All tasks of a topology on one thread, each topic of one partition: driven as the runtime drives them, from batches of
//! bytes to batches of bytes, through repartition topics, with commits. Topics are in memory.

use std::{
    collections::{BTreeMap, VecDeque},
    hint::black_box,
    sync::Arc,
};

use headwater::dsl::{Memo, ProcessorTask, Topology};
use headwater_core::{ManualClock, RecordBatch, Result, TaskId, Timestamp};

use crate::pipeline_env::{PipelineEnv, State};

/// The tasks, and what has left them.
pub struct Pipeline {
    tasks: Vec<Task>,
    clock: Arc<ManualClock>,
    /// What was written to topics that no task reads.
    outputs: BTreeMap<String, Vec<RecordBatch>>,
}

struct Task {
    processor: ProcessorTask,
    env: PipelineEnv,
    inputs: Vec<Input>,
    /// Whether it takes records in the order of their senders' time.
    in_order: bool,
    /// What a commit would write of the memo.
    numbers: Vec<(u32, i64)>,
}

/// What waits of one topic.
struct Input {
    topic: String,
    batches: VecDeque<RecordBatch>,
    /// Where the head is in the first batch.
    position: usize,
    head_time: Option<Timestamp>,
}

impl Pipeline {
    /// The tasks of `topology`, which have never run. Their clock stands at 0.
    ///
    /// # Errors
    /// If operators cannot be set up.
    pub fn new(topology: &Topology, state: State<'_>) -> Result<Self> {
        let clock = Arc::new(ManualClock::at(0));
        let parts = 0..topology.plan().subtopologies.len() as u32;
        let tasks = parts.map(|part| Task::new(topology, part, state, clock.clone())).collect::<Result<_>>()?;
        Ok(Self { tasks, clock, outputs: BTreeMap::new() })
    }

    /// The clock of all tasks.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Appends a batch to `topic`.
    pub fn feed(&mut self, topic: &str, batch: &RecordBatch) {
        let mut is_read = false;
        for input in self.tasks.iter_mut().flat_map(|task| &mut task.inputs).filter(|input| input.topic == topic) {
            input.append(batch.clone());
            is_read = true;
        }
        if !is_read {
            self.outputs.entry(topic.to_owned()).or_default().push(batch.clone());
        }
    }

    /// Runs all tasks until nothing waits. Each takes all it has and commits; then the next one can see it.
    ///
    /// # Errors
    /// If a step fails.
    pub fn settle(&mut self) -> Result<()> {
        let mut moved = true;
        while moved {
            moved = false;
            for place in 0..self.tasks.len() {
                let Some(task) = self.tasks.get_mut(place).filter(|task| task.has_input()) else { continue };
                task.take_all()?;
                self.commit(place)?;
                moved = true;
            }
        }
        Ok(())
    }

    /// The input ends: every window closes.
    ///
    /// # Errors
    /// If a step fails.
    pub fn end(&mut self) -> Result<()> {
        let mut moved = true;
        while moved {
            moved = false;
            for place in 0..self.tasks.len() {
                self.settle()?;
                let Some(task) = self.tasks.get_mut(place) else { continue };
                if task.end()? {
                    self.commit(place)?;
                    moved = true;
                }
            }
        }
        self.settle()
    }

    fn commit(&mut self, place: usize) -> Result<()> {
        let Some(task) = self.tasks.get_mut(place) else { return Ok(()) };
        for (topic, batch) in task.commit()? {
            self.feed(&topic, &batch);
        }
        Ok(())
    }

    /// What was written to `topic` since this was last called.
    pub fn take_output(&mut self, topic: &str) -> Vec<RecordBatch> {
        self.outputs.remove(topic).unwrap_or_default()
    }

    /// The committed rows of a store.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn rows(&self, store: &str) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.tasks.iter().try_fold(Vec::new(), |mut rows, task| {
            rows.extend(task.env.rows(store)?);
            Ok(rows)
        })
    }

    /// What was counted, such as `late:<store>`.
    pub fn counters(&self) -> BTreeMap<String, i64> {
        let counted = self.tasks.iter().flat_map(|task| task.processor.memo().named());
        counted.filter(|(name, count)| name.starts_with("late:") && *count > 0).collect()
    }
}

impl Task {
    fn new(topology: &Topology, subtopology: u32, state: State<'_>, clock: Arc<ManualClock>) -> Result<Self> {
        let stores = topology.plan().subtopologies.get(subtopology as usize).map(|part| part.stores.as_slice());
        let env = PipelineEnv::new(subtopology, stores.unwrap_or_default(), state, clock)?;
        let id = TaskId { subtopology, partition: 0 };
        let processor = ProcessorTask::new(topology, id, Memo::default(), &env)?;
        let inputs = processor.sources().iter().map(|source| Input::new(&source.topic)).collect();
        let in_order = (0..processor.sources().len()).any(|source| processor.order_of(source).is_some());
        Ok(Self { processor, env, inputs, in_order, numbers: Vec::new() })
    }

    fn has_input(&self) -> bool {
        self.inputs.iter().any(|input| !input.batches.is_empty())
    }

    fn take_all(&mut self) -> Result<()> {
        let guard = self.processor.panic_guard();
        guard.run(|| {
            if let [input] = self.inputs.as_mut_slice() {
                for batch in input.batches.drain(..) {
                    let mut position = batch.start();
                    while let Some((record, after)) = batch.read_at(position)? {
                        self.processor.process(0, 0, &record)?;
                        position = after;
                    }
                }
                return self.processor.end_of_batch();
            }
            while let Some(place) = self.oldest()? {
                let Some(input) = self.inputs.get_mut(place) else { break };
                let Some((record, after)) = input.head()? else { continue };
                self.processor.process(place, 0, &record)?;
                drop(record);
                input.advance(after);
            }
            self.processor.end_of_batch()
        })
    }

    /// The input whose head is the oldest record that waits.
    fn oldest(&mut self) -> Result<Option<usize>> {
        let mut oldest: Option<(Timestamp, usize)> = None;
        for (place, input) in self.inputs.iter_mut().enumerate() {
            if input.head_time.is_none() {
                let Some((record, _)) = input.head()? else { continue };
                let sent = self.processor.order_of(place).and_then(|_| self.processor.sender(place, &record));
                input.head_time = Some(match sent {
                    Some((_, time)) => time,
                    None if self.in_order => self.processor.time_with(place, &record)?,
                    None => self.processor.timestamp(place, &record),
                });
            }
            let Some(time) = input.head_time else { continue };
            if oldest.is_none_or(|(least, _)| time < least) {
                oldest = Some((time, place));
            }
        }
        Ok(oldest.map(|(_, place)| place))
    }

    /// Commits; returns what was written to topics.
    fn commit(&mut self) -> Result<Vec<(String, RecordBatch)>> {
        let guard = self.processor.panic_guard();
        guard.run(|| {
            self.processor.before_commit()?;
            self.env.apply(&self.processor)
        })?;
        self.processor.memo().copy_to(&mut self.numbers);
        black_box(&self.numbers);
        self.processor.committed();
        Ok(self.env.topics.take())
    }

    /// Tells the operators which inputs have ended; false if there is nothing to tell.
    fn end(&mut self) -> Result<bool> {
        if self.processor.has_ended() {
            return Ok(false);
        }
        let (mut moved, mut all) = (false, true);
        for source in 0..self.inputs.len() {
            let waits = self.inputs.get(source).is_some_and(|input| !input.batches.is_empty());
            if waits || !self.processor.upstreams_ended(source)? {
                all = false;
            } else {
                moved |= self.processor.end_source(source)?;
            }
        }
        if all {
            self.processor.end_of_input();
        }
        Ok(moved || all)
    }
}

impl Input {
    fn new(topic: &str) -> Self {
        Self { topic: topic.to_owned(), batches: VecDeque::new(), position: 0, head_time: None }
    }

    fn append(&mut self, batch: RecordBatch) {
        if self.batches.is_empty() {
            self.position = batch.start();
        }
        self.batches.push_back(batch);
    }

    /// The head and the position after it; `None` if nothing waits.
    fn head(&mut self) -> Result<Option<(headwater_core::RecordRef<'_>, usize)>> {
        self.batches.front().map_or(Ok(None), |batch| batch.read_at(self.position))
    }

    /// The head was taken.
    fn advance(&mut self, after: usize) {
        self.position = after;
        self.head_time = None;
        if self.batches.front().is_some_and(|batch| after >= batch.as_bytes().len()) {
            self.batches.pop_front();
            self.position = self.batches.front().map_or(0, RecordBatch::start);
        }
    }
}
