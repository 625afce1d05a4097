//! One run of a topology, from its start to an orderly end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use headwater_core::{ErrorKind, Result, TaskId};
use headwater_dsl::{TimeSkew, Topology};
use headwater_log::{Consumer, EmbeddedConfig, EmbeddedLog, KafkaConfig, KafkaLog, Log};

use crate::{
    generation::{Generation, defect, start_thread},
    progress::Progress,
    settings::Settings,
    shared::Shared,
    stores::{Serving, Stores},
};

/// Until when a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Until it is stopped.
    Live,
    /// Up to the ends that the input topics have when it starts; then every window closes.
    Bounded,
}

/// What a run did.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// Input records processed.
    pub processed: u64,
    /// Transactions committed.
    pub commits: u64,
    /// The counters of all tasks, since the pipeline's beginning: `rule:<step>/<rule>`, `late:<store>` and so on.
    /// `null-key:<global table>` counts since this process began to read the table's topic.
    pub counters: BTreeMap<String, i64>,
    /// Of each task with several inputs: the greatest skew in event time between them that a commit found.
    pub time_skew: BTreeMap<TaskId, TimeSkew>,
    /// The most bytes that waited of one input partition, read and not yet taken: what
    /// [`Settings::max_buffered_bytes`] and [`Settings::max_waiting_bytes`] bound, up to a batch.
    pub most_waiting_bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// Opens the log that the settings and `brokers` name: Apache Kafka there, or the embedded log in the directory.
///
/// # Errors
/// `HW0301` if no broker answers, `HW0313` if another process holds the embedded log.
pub fn open_log(settings: &Settings, brokers: Option<&str>) -> Result<Arc<dyn Log>> {
    Ok(match brokers {
        Some(brokers) => KafkaLog::connect(brokers, KafkaConfig::default())?,
        None => EmbeddedLog::open(&settings.log_dir(), EmbeddedConfig::default(), settings.clock.clone())?,
    })
}

/// Runs a topology until it is stopped or, if bounded, complete. `progress` may be watched and stopped from elsewhere.
///
/// # Errors
/// The first failure of any thread. What was committed is safe; a later run goes on from there.
pub fn run(
    topology: &Topology,
    log: &Arc<dyn Log>,
    settings: &Settings,
    mode: Mode,
    progress: &Arc<Progress>,
) -> Result<RunReport> {
    App::launch(topology, log, settings, mode, progress)?.join()
}

/// A run that goes on beside its caller, who may look into its stores. Dropping it stops the run and waits for its end.
///
/// ```no_run
/// use headwater::{prelude::*, runtime::{App, Mode, Settings, open_log}};
///
/// let app = StreamsBuilder::new("shop");
/// app.stream::<String, i64>("sales", Json).group_by_key("by-item").count("sold");
/// let settings = Settings::in_dir("shop");
/// let app = App::start(&app.build()?, &open_log(&settings, None)?, &settings, Mode::Live)?;
/// let sold = app.stores().store::<String, i64>("sold")?;
/// println!("{:?}", sold.get(&"tea".to_owned())?);
/// app.stop()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct App {
    run: Arc<Run>,
    started: Instant,
    /// Ends with the run.
    supervisor: Option<JoinHandle<Totals>>,
}

/// What a run was given, and what outlives its threads.
pub(crate) struct Run {
    pub(crate) topology: Topology,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) settings: Settings,
    pub(crate) mode: Mode,
    pub(crate) progress: Arc<Progress>,
    pub(crate) serving: Arc<Serving>,
    /// The group members of threads that have ended, for those that follow: Kafka notices at once when a member subscribes
    /// to other topics.
    pub(crate) consumers: Mutex<BTreeMap<usize, Box<dyn Consumer>>>,
    /// Topics that match a pattern, but came later and do not fit the others.
    pub(crate) left_out: Mutex<BTreeSet<String>>,
}

/// What its tasks have counted.
#[derive(Default)]
struct Totals {
    counters: BTreeMap<String, i64>,
    time_skew: BTreeMap<TaskId, TimeSkew>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("topology", &self.run.topology).finish_non_exhaustive()
    }
}

impl App {
    /// Starts a run of `topology`. Returns when everything is checked, global tables are filled and the threads are
    /// started; the stores are readable a moment later, when the group has given the tasks to the threads.
    ///
    /// # Errors
    /// What keeps it from starting, as [`run`]; nothing was read then.
    pub fn start(topology: &Topology, log: &Arc<dyn Log>, settings: &Settings, mode: Mode) -> Result<Self> {
        Self::launch(topology, log, settings, mode, &Arc::new(Progress::default()))
    }

    fn launch(
        topology: &Topology,
        log: &Arc<dyn Log>,
        settings: &Settings,
        mode: Mode,
        progress: &Arc<Progress>,
    ) -> Result<Self> {
        let started = Instant::now();
        let (topology, log, settings, progress) = (topology.clone(), log.clone(), settings.clone(), progress.clone());
        let (serving, consumers, left_out) = (Arc::default(), Mutex::default(), Mutex::default());
        let run = Arc::new(Run { topology, log, settings, mode, progress, serving, consumers, left_out });
        let generation = Generation::start(&run)?;
        let supervised = run.clone();
        let supervisor = start_thread("supervisor", move || supervise(&supervised, generation))?;
        Ok(Self { run, started, supervisor: Some(supervisor) })
    }

    /// How far the run is, and the way to ask it to stop without waiting for it.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.run.progress
    }

    /// The stores of its tasks, to be read from any thread while it runs.
    pub fn stores(&self) -> Stores {
        Stores::new(self.run.topology.versioned(self.run.settings.version), self.run.serving.clone())
    }

    /// Asks the run to stop and waits: it finishes what it has, commits, and closes.
    ///
    /// # Errors
    /// As [`App::join`].
    pub fn stop(self) -> Result<RunReport> {
        self.progress().stop();
        self.join()
    }

    /// Waits until the run has ended: until it is told to stop or, if bounded, is complete.
    ///
    /// # Errors
    /// The first failure of any thread. What was committed is safe; a later run goes on from there.
    pub fn join(mut self) -> Result<RunReport> {
        let totals = self.wait();
        let progress = self.progress();
        match progress.take_failure() {
            Some(error) => Err(error),
            None => Ok(RunReport {
                processed: progress.processed(),
                commits: progress.commits(),
                counters: totals.counters,
                time_skew: totals.time_skew,
                most_waiting_bytes: progress.most_waiting_bytes(),
                elapsed: self.started.elapsed(),
            }),
        }
    }

    fn wait(&mut self) -> Totals {
        let Some(supervisor) = self.supervisor.take() else { return Totals::default() };
        supervisor.join().unwrap_or_else(|_| {
            self.run.progress.fail(defect());
            Totals::default()
        })
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if self.supervisor.is_some() {
            self.progress().stop();
            self.wait();
        }
    }
}

/// Waits for the end of the run. When there are new topics to read, its threads end in an orderly way and others follow
/// that read them: what a new topic changes is the same that it changes at a start.
fn supervise(run: &Arc<Run>, mut generation: Generation) -> Totals {
    let mut totals = Totals::default();
    loop {
        generation.wait();
        totals.add(&generation.shared);
        let others_follow = generation.shared.is_outdated() && !run.progress.is_stopping();
        // It lets go of the state directory.
        drop(generation);
        if !others_follow {
            break;
        }
        match start_again(run) {
            Ok(next) => generation = next,
            Err(error) => {
                run.progress.fail(error);
                break;
            }
        }
    }
    // Nobody follows those that have ended.
    run.consumers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    totals
}

/// As [`Generation::start`], in a run that went well so far: a log that does not answer is asked again.
fn start_again(run: &Arc<Run>) -> Result<Generation> {
    let mut attempt = 0;
    loop {
        match Generation::start(run) {
            Err(error) if error.kind() == ErrorKind::Unavailable && attempt < run.settings.max_recoveries => {
                attempt += 1;
                tracing::warn!(%error, attempt, "the run cannot go on with the new topics yet; trying again");
                std::thread::sleep(Duration::from_millis(100 << attempt.min(6)));
            }
            started => return started,
        }
    }
}

impl Totals {
    fn add(&mut self, shared: &Shared) {
        // Tasks count on from what was committed.
        self.counters.extend(shared.counters());
        for (task, skew) in shared.time_skew() {
            if self.time_skew.get(&task).is_none_or(|known| known.ms < skew.ms) {
                self.time_skew.insert(task, skew);
            }
        }
    }
}
