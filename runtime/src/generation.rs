//! The threads of a run, from one look at the log's topics to the next.

use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use headwater_core::{Error, ErrorKind, Result};

use crate::{
    app::{Mode, Run},
    committer, new_topics,
    opening::open,
    progress::Progress,
    shared::Shared,
    thread::StreamThread,
};

/// What runs between two looks at the topics. Dropping it stops the run.
pub(crate) struct Generation {
    pub(crate) shared: Arc<Shared>,
    threads: Threads,
    /// Those that end when the task threads have ended, and how they are told.
    others: Threads,
    finish: Arc<AtomicBool>,
}

impl Generation {
    /// Checks everything and starts the threads.
    ///
    /// # Errors
    /// What keeps the run from starting; nothing was read then.
    pub(crate) fn start(run: &Arc<Run>) -> Result<Self> {
        let shared = Arc::new(open(run)?);
        let finish = Arc::new(AtomicBool::new(false));
        // From here on its drop ends what was started.
        let mut this = Self { shared, threads: Vec::new(), others: Vec::new(), finish };
        start_committers(&this.shared, &this.finish, &mut this.others)?;
        if run.mode == Mode::Live {
            follow_globals(&this.shared, &mut this.others)?;
            watch_topics(&this.shared, run, &mut this.others)?;
        }
        start_threads(&this.shared, run, &mut this.threads)?;
        Ok(this)
    }

    /// Waits until the threads have ended.
    pub(crate) fn wait(&mut self) {
        join_all(std::mem::take(&mut self.threads), &self.shared.progress);
        self.finish.store(true, Ordering::SeqCst);
        join_all(std::mem::take(&mut self.others), &self.shared.progress);
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        if !self.threads.is_empty() || !self.others.is_empty() {
            self.shared.progress.stop();
            self.wait();
        }
    }
}

type Threads = Vec<JoinHandle<()>>;

fn start_threads(shared: &Arc<Shared>, run: &Arc<Run>, started: &mut Threads) -> Result<()> {
    for number in 0..shared.settings.threads.max(1) {
        let (thread_shared, run) = (shared.clone(), run.clone());
        started.push(spawn(shared, &format!("tasks-{number}"), move || {
            let consumers = || run.consumers.lock().unwrap_or_else(PoisonError::into_inner);
            let handed_on = consumers().remove(&number);
            let hand_on = StreamThread::start(number, thread_shared, handed_on)?.run()?;
            consumers().extend(hand_on.map(|consumer| (number, consumer)));
            Ok(())
        })?);
    }
    Ok(())
}

fn start_committers(shared: &Arc<Shared>, finish: &Arc<AtomicBool>, started: &mut Threads) -> Result<()> {
    for (name, sink) in shared.topology.sinks() {
        let (name, sink) = (name.to_owned(), sink.clone());
        let (thread_shared, finish) = (shared.clone(), finish.clone());
        started.push(spawn(shared, &format!("commit-{name}"), move || {
            committer::run(&thread_shared, &name, &sink, &finish).map_err(|error| error.at_node(name))
        })?);
    }
    Ok(())
}

fn follow_globals(shared: &Arc<Shared>, started: &mut Threads) -> Result<()> {
    for (name, store) in &shared.globals {
        let (name, store, thread_shared) = (name.clone(), store.clone(), shared.clone());
        started.push(spawn(shared, &format!("global-{name}"), move || {
            let topic = thread_shared.plan().global_stores.get(&name).map(|global| global.topic.clone());
            let partitions = topic.and_then(|topic| thread_shared.counts.get(&topic).copied()).unwrap_or(1);
            store.follow(&*thread_shared.log, partitions, &|| thread_shared.is_ending())
        })?);
    }
    Ok(())
}

/// Looks for new topics, if there is a source that reads by pattern.
fn watch_topics(shared: &Arc<Shared>, run: &Arc<Run>, started: &mut Threads) -> Result<()> {
    if shared.plan().patterns().next().is_none() {
        return Ok(());
    }
    let (thread_shared, run) = (shared.clone(), run.clone());
    started.push(spawn(shared, "topics", move || {
        new_topics::watch(&thread_shared, &run);
        Ok(())
    })?);
    Ok(())
}

/// A named thread whose failure stops the run.
fn spawn(
    shared: &Arc<Shared>,
    name: &str,
    work: impl FnOnce() -> Result<()> + Send + 'static,
) -> Result<JoinHandle<()>> {
    let progress = shared.progress.clone();
    start_thread(name, move || work().unwrap_or_else(|error| progress.fail(error)))
}

/// A named thread.
///
/// # Errors
/// `HW0608` if there can be no more.
pub(crate) fn start_thread<R: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<JoinHandle<R>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|error| {
        Error::new(ErrorKind::Internal, "HW0608", format!("the thread {name} could not be started")).caused_by(error)
    })
}

fn join_all(threads: Threads, progress: &Progress) {
    for thread in threads {
        if thread.join().is_err() {
            progress.fail(defect());
        }
    }
}

/// The error of a thread of ours that panicked.
pub(crate) fn defect() -> Error {
    Error::new(ErrorKind::Internal, "HW0609", "a thread of the runtime panicked")
        .help("please report this; what was committed is safe")
}
