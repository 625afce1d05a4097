//! What a run is told beside its topology.

use std::{path::PathBuf, sync::Arc, time::Duration};

use headwater_core::{Clock, SinkContext, SystemClock};

/// The name of a process that is alone.
pub(crate) const MAIN_INSTANCE: &str = "main";

/// Settings of a run. All bounds are per process unless they say otherwise.
#[derive(Clone)]
pub struct Settings {
    /// The directory of everything local: embedded log, state, lake, snapshots. Default: `.headwater`.
    pub dir: PathBuf,
    /// The pipeline's version; from 2 on everything it owns is marked `__v<N>`. Default: 1.
    pub version: u32,
    /// Task threads. Default: 1.
    pub threads: usize,
    /// Time between commits. Default: 1 s.
    pub commit_interval: Duration,
    /// Time between deletions of repartition records that their reader has committed, which nobody needs any more: without
    /// them a repartition topic would grow for ever. Kafka Streams' `repartition.purge.interval.ms`. Default: 30 s.
    pub repartition_purge_interval: Duration,
    /// Cap of input records processed per second, over all threads. Default: none.
    pub max_records_per_second: Option<u64>,
    /// Tells two processes of the same application apart, and is the same after a restart: part of transactional ids
    /// and group membership, so that a restarted process takes over at once (on Kafka, if it reads the same topics as
    /// before; otherwise when its old membership has ended, after 10 s), and of the state's place, so that they may
    /// share `dir` and with it the lake. Default: `main`.
    pub instance: String,
    /// Creates output and dead-letter topics that do not exist, as wide as the widest input. Default: false.
    pub create_output_topics: bool,
    /// An input that the task has caught up with and hears nothing of for so long is no longer waited for, nor is a task
    /// whose inputs are all so quiet (live runs). Default: 30 s.
    pub max_source_idle: Duration,
    /// How often a live run looks for new topics that match the pattern of a source. Its threads then commit, end, and
    /// start again with them, which takes about as long as a restart. Default: 30 s.
    pub topic_check_interval: Duration,
    /// Bytes of records waiting in memory per partition before its fetching pauses. Default: 4 MiB.
    pub max_buffered_bytes: usize,
    /// Bytes of records per repartition partition that may wait in memory for a slower sender, where a bounded run takes
    /// them in the order of their senders' time. When more wait, nobody is waited for until there is room again, and the
    /// counter `out-of-order:<topic>` says for how many records: the result may then differ from that of another run.
    /// Default: 256 MiB.
    pub max_waiting_bytes: usize,
    /// Bytes of output and changed rows that force a commit before its time. Default: 64 MiB.
    pub max_transaction_bytes: usize,
    /// Failed commits in a row after which a run gives up. Default: 10.
    pub max_recoveries: u32,
    /// The clock. Default: the machine's.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("dir", &self.dir)
            .field("version", &self.version)
            .field("threads", &self.threads)
            .field("commit_interval", &self.commit_interval)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// The defaults, in `dir`.
    pub fn in_dir(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            version: 1,
            threads: 1,
            commit_interval: Duration::from_secs(1),
            repartition_purge_interval: Duration::from_secs(30),
            max_records_per_second: None,
            instance: MAIN_INSTANCE.to_owned(),
            create_output_topics: false,
            max_source_idle: Duration::from_secs(30),
            topic_check_interval: Duration::from_secs(30),
            max_buffered_bytes: 4 << 20,
            max_waiting_bytes: 256 << 20,
            max_transaction_bytes: 64 << 20,
            max_recoveries: 10,
            clock: Arc::new(SystemClock),
        }
    }

    /// `DIR/log`: the embedded log.
    pub fn log_dir(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// `DIR/state/<app>`: the task stores of one version of the application; of another instance than `main`
    /// `DIR/state/<app>~<instance>`.
    pub fn state_dir(&self, app: &str) -> PathBuf {
        let state = self.dir.join("state");
        match self.instance.as_str() {
            MAIN_INSTANCE => state.join(app),
            // No name has this character.
            instance => state.join(format!("{app}~{instance}")),
        }
    }

    /// `DIR/lake`: the sinks' files.
    pub fn lake_dir(&self) -> PathBuf {
        self.dir.join("lake")
    }

    /// `DIR/snapshots`.
    pub fn snapshot_dir(&self) -> PathBuf {
        self.dir.join("snapshots")
    }

    /// What the sink called `sink` of application `app` is opened with.
    pub fn sink_context(&self, app: &str, sink: &str, thread: usize) -> SinkContext {
        SinkContext {
            app: app.to_owned(),
            version: self.version,
            sink: sink.to_owned(),
            lake_dir: self.lake_dir(),
            thread,
        }
    }
}
