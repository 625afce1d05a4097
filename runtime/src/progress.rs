//! What a run shows while it goes on, and how it is told to stop.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use headwater_core::Error;

/// Shared by all threads of a run and by whoever watches it.
#[derive(Debug)]
pub struct Progress {
    processed: AtomicU64,
    total: AtomicU64,
    commits: AtomicU64,
    most_waiting_bytes: AtomicU64,
    stop: AtomicBool,
    failure: Mutex<Option<Error>>,
    bucket: Mutex<Bucket>,
}

/// A token bucket: what a rate cap still allows.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            processed: AtomicU64::new(0),
            total: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            most_waiting_bytes: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            failure: Mutex::new(None),
            bucket: Mutex::new(Bucket { tokens: 0.0, filled: Instant::now() }),
        }
    }
}

impl Progress {
    /// Input records processed so far in this run.
    pub fn processed(&self) -> u64 {
        self.processed.load(Ordering::Relaxed)
    }

    /// Input records that a bounded run found waiting when it started; 0 in a live run.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Transactions committed so far.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// The most bytes that have waited of one input partition so far, read and not yet taken.
    pub fn most_waiting_bytes(&self) -> u64 {
        self.most_waiting_bytes.load(Ordering::Relaxed)
    }

    /// Asks the run to stop: it finishes what it has, commits, and closes.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Whether the run was asked to stop or has failed.
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    pub(crate) fn add(&self, records: u64) {
        self.processed.fetch_add(records, Ordering::Relaxed);
        if records > 0 {
            self.bucket.lock().unwrap_or_else(PoisonError::into_inner).tokens -= records as f64;
        }
    }

    pub(crate) fn expect(&self, records: u64) {
        self.total.store(records, Ordering::Relaxed);
    }

    /// So many bytes wait of one input partition.
    pub(crate) fn note_waiting(&self, bytes: usize) {
        self.most_waiting_bytes.fetch_max(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn committed(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    /// How many records a cap of `per_second` still allows now; `usize::MAX` without a cap.
    pub(crate) fn allowance(&self, per_second: Option<u64>) -> usize {
        let Some(per_second) = per_second else { return usize::MAX };
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = per_second as f64;
        // Time not used for records is not saved up beyond a tenth of a second.
        bucket.tokens = (bucket.tokens + bucket.filled.elapsed().as_secs_f64() * rate).min((rate / 10.0).max(1.0));
        bucket.filled = Instant::now();
        bucket.tokens.max(0.0) as usize
    }

    /// Keeps the first failure and stops the run.
    pub(crate) fn fail(&self, error: Error) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.stop();
    }

    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
