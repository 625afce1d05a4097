//! The border to places outside the log that take records exactly once.
//!
//! A sink works in two phases. *Writers* belong to a task thread and its transaction: they take rows, and
//! [`SinkWriter::prepare`] turns what they hold into a durable but invisible [`Descriptor`]. The descriptor travels
//! through the same log transaction as the input offsets, in the topic `<app>-<sink>-commits`. The one *committer* of
//! the sink reads the committed descriptors in order and makes them visible, idempotently: it records the range of
//! descriptor offsets it has applied in the target itself, and after a crash continues from there.
//!
//! So data and offsets agree at every instant: what was prepared but not committed is never described, and what is
//! described is applied once.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Headers, Offset, Result, TaskId, Timestamp, TopicPartition};

/// A record as a sink sees it.
#[derive(Debug)]
pub struct SinkRecord<'a, K, V> {
    /// The record's key.
    pub key: &'a K,
    /// The record's value.
    pub value: &'a V,
    /// The record's event time.
    pub timestamp: Timestamp,
    /// The record's headers.
    pub headers: &'a Headers,
    /// The partition of the input record that led to this one.
    pub partition: i32,
    /// The offset of the input record that led to this one; -1 for a result of a window's closing or a timer.
    pub offset: Offset,
}

/// What a sink is to the plan: plain words, the same in every run of the same program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkSpec {
    /// The kind of sink, such as `iceberg`.
    pub kind: String,
    /// What it writes to, such as `air.flights`.
    pub target: String,
}

/// Who is asking a sink for a writer or a committer.
#[derive(Debug, Clone)]
pub struct SinkContext {
    /// The application id, with its version suffix: `flights` or `flights__v2`.
    pub app: String,
    /// The pipeline's version, from 1. A sink adds `__v<N>` to its target from version 2 on.
    pub version: u32,
    /// The sink's name in the plan.
    pub sink: String,
    /// The directory of the program's lake: `DIR/lake`.
    pub lake_dir: std::path::PathBuf,
    /// The number of the task thread, for file names.
    pub thread: usize,
}

impl SinkContext {
    /// `target` in version 1, `target__v2` in version 2 and so on.
    pub fn versioned(&self, target: &str) -> String {
        if self.version <= 1 { target.to_owned() } else { format!("{target}__v{}", self.version) }
    }
}

/// A sink for rows of type `(K, V)`: the recipe from which the runtime makes writers and the committer.
pub trait Sink<K, V>: Send + Sync + 'static {
    /// What the plan shows.
    fn spec(&self) -> SinkSpec;

    /// Checks and, where missing, creates the target, before anything is read or written. Called once per start.
    ///
    /// # Errors
    /// Of kind `Config` if the target exists and does not fit.
    fn open(&self, context: &SinkContext) -> Result<()>;

    /// A writer for one task thread.
    ///
    /// # Errors
    /// Of kind `Sink` or `Storage`.
    fn writer(&self, context: &SinkContext) -> Result<Box<dyn SinkWriter<K, V>>>;

    /// The committer; the runtime sees to it that one is at work at a time.
    ///
    /// # Errors
    /// Of kind `Sink` or `Storage`.
    fn committer(&self, context: &SinkContext) -> Result<Box<dyn SinkCommitter>>;

    /// The committed rows of a version's target, to compare two versions. `None` if this sink cannot be read back.
    ///
    /// # Errors
    /// Of kind `Sink` if the target cannot be read.
    fn read(&self, context: &SinkContext) -> Result<Option<Table>> {
        let _ = context;
        Ok(None)
    }
}

/// A sink's content, read back for comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The target read, such as `air.flights__v2`.
    pub name: String,
    /// The columns' names in order.
    pub columns: Vec<String>,
    /// Every row, in no particular order.
    pub rows: Vec<TableRow>,
}

/// A row as text cells; `None` is a null.
pub type TableRow = Vec<Option<String>>;

/// Takes the rows of one task thread, transaction by transaction.
pub trait SinkWriter<K, V> {
    /// Takes one record. May buffer or write to an invisible place; must bound its memory.
    ///
    /// # Errors
    /// Of kind `Sink` or `Storage`; the transaction is aborted and its input read again.
    fn write(&mut self, record: SinkRecord<'_, K, V>) -> Result<()>;

    /// Makes everything written since the last `prepare` or `abort` durable and returns its description, or `None`
    /// if nothing was written. `lineage` is what this transaction read.
    ///
    /// # Errors
    /// As `write`.
    fn prepare(&mut self, lineage: &[LineageRange]) -> Result<Option<Descriptor>>;

    /// Forgets (and deletes, where it can) everything since the last `prepare`, and what that `prepare` returned if
    /// its transaction did not commit.
    fn abort(&mut self);

    /// The transaction that carried the last `prepare`'s descriptor has committed: what it describes is no longer
    /// this writer's to delete.
    fn committed(&mut self) {}
}

/// Input read by a transaction: the records of a partition from `from` up to but not including `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineageRange {
    /// The task that read it.
    pub task: TaskId,
    /// Where from.
    pub partition: TopicPartition,
    /// The first offset.
    pub from: Offset,
    /// One past the last offset.
    pub to: Offset,
    /// The task's stream time after it, or `None` if it has seen no record.
    pub stream_time: Option<Timestamp>,
}

/// What `prepare` returned: an opaque description, usually JSON, that the committer can apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor(pub Arc<[u8]>);

/// Up to where descriptors have been applied.
pub type CommitPosition = Option<Offset>;

/// Applies descriptors to the target, in order, each once.
pub trait SinkCommitter: Send {
    /// Where to continue: one past the offset of the last descriptor that the target holds, as recorded in the
    /// target itself; `None` if it has none.
    ///
    /// # Errors
    /// Of kind `Sink`; with code `HW0510` if the target's own records disagree (somebody rolled it back).
    fn recover(&mut self) -> Result<CommitPosition>;

    /// Applies the descriptors found at the given offsets, which follow directly on the last ones applied, as one
    /// commit. Must be idempotent: an offset below the recorded position is skipped. An unknown outcome is resolved
    /// by looking at the target before returning.
    ///
    /// # Errors
    /// Of kind `Sink`, `Unavailable` (call again) or `Storage`. Nothing is half applied.
    fn commit(&mut self, descriptors: &[(Offset, Descriptor)]) -> Result<()>;

    /// Makes everything that was applied visible now; called when a run ends. A committer that gathers small files
    /// into larger ones before they appear publishes them here. Default: does nothing.
    ///
    /// # Errors
    /// As `commit`.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
