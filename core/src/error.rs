//! One error for all of Headwater: a kind that says what the caller should do, a stable code, where it happened,
//! and a `help:` line.

use std::fmt;

use crate::{Offset, TaskId, TopicPartition};

/// `Result` with Headwater's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure this is, and so what the caller should do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting, argument or file given by the user is wrong. Correct it and start again.
    Config,
    /// The topology cannot run as written. Correct the program.
    Topology,
    /// Bytes could not be decoded or a value could not be encoded. Mend the record or choose a handler.
    Serde,
    /// The log is unreachable or busy. The same call may succeed later; nothing was lost.
    Unavailable,
    /// The log refused the call for good. Read the message; trying again will not help.
    Log,
    /// Another producer with the same transactional id took over. Stop this one; its work is not visible.
    Fenced,
    /// Local state is unreadable, damaged or held by another process.
    State,
    /// A sink could not write or commit. Committed data is safe; the uncommitted part will be written again.
    Sink,
    /// A user's closure failed or panicked on a record.
    User,
    /// The disk is full or a directory cannot be written. Make room and start again; committed work is safe.
    Storage,
    /// A defect in Headwater. Please report it.
    Internal,
}

/// Where an error happened, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// The task that was running.
    pub task: Option<TaskId>,
    /// The name of the plan's node.
    pub node: Option<String>,
    /// The record's topic and partition.
    pub partition: Option<TopicPartition>,
    /// The record's offset in that partition.
    pub offset: Option<Offset>,
}

/// A failure somewhere in Headwater.
///
/// Prints as `[HW0201] message (task 0_1, node counts, flights-2@17); help: ...`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(Box<Inner>);

#[derive(Debug, thiserror::Error)]
struct Inner {
    kind: ErrorKind,
    code: &'static str,
    message: String,
    context: Context,
    help: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` with its stable `code` (`HWnnnn`, described in `docs/errors.md`) and a message.
    pub fn new(kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            code,
            message: message.into(),
            context: Context::default(),
            help: None,
            source: None,
        }))
    }

    /// Says what the reader can do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds the task, unless one is known already.
    #[must_use]
    pub fn in_task(mut self, task: TaskId) -> Self {
        self.0.context.task.get_or_insert(task);
        self
    }

    /// Adds the plan node's name, unless one is known already.
    #[must_use]
    pub fn at_node(mut self, node: impl Into<String>) -> Self {
        self.0.context.node.get_or_insert_with(|| node.into());
        self
    }

    /// Adds the record's position, unless one is known already.
    #[must_use]
    pub fn at_record(mut self, partition: &TopicPartition, offset: Offset) -> Self {
        if self.0.context.partition.is_none() {
            self.0.context.partition = Some(partition.clone());
            self.0.context.offset = Some(offset);
        }
        self
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code, such as `HW0301`.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The message without code, place and help.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where it happened.
    pub fn context(&self) -> &Context {
        &self.0.context
    }

    /// The help line, without its `help:`.
    pub fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.code, self.message)?;
        let mut place = Vec::new();
        if let Some(task) = &self.context.task {
            place.push(format!("task {task}"));
        }
        if let Some(node) = &self.context.node {
            place.push(format!("node {node}"));
        }
        match (&self.context.partition, self.context.offset) {
            (Some(partition), Some(offset)) => place.push(format!("{partition}@{offset}")),
            (Some(partition), None) => place.push(partition.to_string()),
            _ => {}
        }
        if !place.is_empty() {
            write!(f, " ({})", place.join(", "))?;
        }
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "; help: {help}")?;
        }
        Ok(())
    }
}
