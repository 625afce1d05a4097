//! Names of places: topic partitions, tasks, offsets.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

/// A position in a partition: the first record is usually 0; the *end offset* is one past the last record.
pub type Offset = i64;

/// One partition of a topic. Prints as `topic-3`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// The partition `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A task: one sub-topology of the plan applied to one partition number. Prints as `0_3`, as in Kafka Streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskId {
    /// The sub-topology's number in the plan.
    pub subtopology: u32,
    /// The partition's number.
    pub partition: i32,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.subtopology, self.partition)
    }
}

/// Checks a name that becomes part of topics, stores and paths: 1 to 200 characters of `[A-Za-z0-9._-]`, and not
/// `.` or `..` (Kafka's own rule, with room left for our suffixes).
///
/// # Errors
/// `HW0101` naming `what` and the offending name.
pub fn check_name(what: &str, name: &str) -> Result<()> {
    let good = (1..=200).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if good {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Topology, "HW0101", format!("{what} {name:?} is not a usable name"))
        .help("use 1 to 200 characters out of A-Z a-z 0-9 . _ -, and not \".\" or \"..\""))
}
