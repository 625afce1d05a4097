//! What `build()` reports.

use std::fmt;

use headwater_core::Error;

/// One mistake in a topology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopologyError {
    /// Its stable code, described in `docs/errors`.
    pub code: &'static str,
    /// The step it concerns.
    pub node: String,
    /// What is wrong.
    pub reason: String,
    /// What to do about it.
    pub help: String,
    /// Where the program wrote the step, as `file:line`.
    pub location: Option<String>,
}

impl TopologyError {
    pub(crate) fn new(code: &'static str, node: &str, reason: String, help: &str) -> Self {
        Self { code, node: node.to_owned(), reason, help: help.to_owned(), location: None }
    }

    pub(crate) fn from_error(error: &Error, node: &str) -> Self {
        Self::new(error.code(), node, error.message().to_owned(), error.help_text().unwrap_or_default())
    }
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}: {}", self.code, self.node, self.reason)?;
        if let Some(location) = &self.location {
            write!(f, "\n  at {location}")?;
        }
        write!(f, "\n  help: {}", self.help)
    }
}

/// Every mistake in a topology, found together by [`StreamsBuilder::build`](crate::StreamsBuilder::build).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopologyErrors(pub Vec<TopologyError>);

impl fmt::Display for TopologyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0.len();
        write!(f, "the topology has {n} mistake{}", if n == 1 { "" } else { "s" })?;
        for error in &self.0 {
            write!(f, "\n{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for TopologyErrors {}
