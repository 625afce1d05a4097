//! A task driven as the runtime drives it, on one thread and with nothing around it: from batches' bytes through
//! decoding, operators and write buffer to the changed rows of a commit.

use std::time::Duration;

use headwater::{
    dsl::{Memo, PanicGuard, ProcessorTask},
    prelude::*,
};
use headwater_core::{RecordBatch, RecordRef, TaskId};

use crate::{Outcome, chain_env::MemoryEnv, measure::on_thread};

/// A task, and where its changes go.
pub struct Driven<'a> {
    task: ProcessorTask,
    guard: PanicGuard,
    env: &'a MemoryEnv,
}

impl<'a> Driven<'a> {
    /// A new task of `topology`, which must be one sub-topology.
    ///
    /// # Errors
    /// If its stores cannot be opened.
    pub fn new(topology: &Topology, env: &'a MemoryEnv) -> Outcome<Self> {
        let id = TaskId { subtopology: 0, partition: 0 };
        let task = ProcessorTask::new(topology, id, Memo::default(), env)?;
        Ok(Self { guard: task.panic_guard(), task, env })
    }

    /// Takes the records of the only source.
    ///
    /// # Errors
    /// If a step fails.
    pub fn push(&mut self, batch: &RecordBatch) -> Outcome<()> {
        let task = &mut self.task;
        self.guard.run(|| {
            let mut position = batch.start();
            while let Some((record, after)) = batch.read_at(position)? {
                task.process(0, 0, &record)?;
                position = after;
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Takes up to `limit` records, each time the oldest head among the sources' batches; returns how many.
    fn push_oldest(&mut self, sources: &mut [Cursor<'_>], limit: usize) -> Outcome<usize> {
        let task = &mut self.task;
        let taken = self.guard.run(|| {
            for taken in 0..limit {
                let heads = sources.iter().enumerate().filter_map(|(at, cursor)| Some((cursor.head()?.timestamp, at)));
                let Some((_, at)) = heads.min() else { return Ok(taken) };
                let Some(cursor) = sources.get_mut(at) else { return Ok(taken) };
                if let Some(record) = cursor.head() {
                    task.process(at, 0, record)?;
                }
                cursor.step()?;
            }
            Ok(limit)
        })?;
        Ok(taken)
    }

    /// A commit: its changes go to the store.
    ///
    /// # Errors
    /// If a step fails.
    pub fn commit(&mut self) -> Outcome<()> {
        self.guard.run(|| self.task.before_commit())?;
        self.env.apply(&self.task)?;
        self.task.committed();
        Ok(())
    }

    /// The end of the input, with the commit that closes what is open.
    ///
    /// # Errors
    /// If a step fails.
    pub fn end(&mut self) -> Outcome<()> {
        self.task.end_of_input();
        self.commit()
    }
}

/// Runs the records of `sources`, one a topic of the plan, through a new task of `topology`, with a commit after each
/// `per_commit` of them and one at the end of input. Returns the thread's CPU time.
///
/// # Errors
/// If a step fails.
pub fn drive(topology: &Topology, env: &MemoryEnv, sources: &[&[RecordBatch]], per_commit: usize) -> Outcome<Duration> {
    let mut driven = Driven::new(topology, env)?;
    on_thread(|| {
        if let [batches] = sources {
            let mut uncommitted = 0;
            for batch in *batches {
                driven.push(batch)?;
                uncommitted += batch.len();
                if uncommitted >= per_commit {
                    uncommitted = 0;
                    driven.commit()?;
                }
            }
            return driven.end();
        }
        let mut cursors = sources.iter().map(|batches| Cursor::new(batches)).collect::<Outcome<Vec<_>>>()?;
        while driven.push_oldest(&mut cursors, per_commit)? == per_commit {
            driven.commit()?;
        }
        driven.end()
    })
}

/// Where a source's next record is.
struct Cursor<'a> {
    batches: std::slice::Iter<'a, RecordBatch>,
    at: Option<(&'a RecordBatch, usize)>,
    head: Option<RecordRef<'a>>,
}

impl<'a> Cursor<'a> {
    fn new(batches: &'a [RecordBatch]) -> Outcome<Self> {
        let mut cursor = Self { batches: batches.iter(), at: None, head: None };
        cursor.step()?;
        Ok(cursor)
    }

    fn head(&self) -> Option<&RecordRef<'a>> {
        self.head.as_ref()
    }

    fn step(&mut self) -> headwater::Result<()> {
        loop {
            if let Some((batch, position)) = self.at
                && let Some((record, after)) = batch.read_at(position)?
            {
                self.at = Some((batch, after));
                self.head = Some(record);
                return Ok(());
            }
            let next = self.batches.next();
            self.at = next.map(|batch| (batch, batch.start()));
            if next.is_none() {
                self.head = None;
                return Ok(());
            }
        }
    }
}
