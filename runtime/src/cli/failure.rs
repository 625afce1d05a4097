//! How a verb ends when it does not succeed.

use headwater_core::Error;
use headwater_dsl::TopologyErrors;

/// The exit code of a verb that failed.
pub(super) const FAILED: u8 = 1;

/// Why a verb stopped.
#[derive(Debug)]
pub(super) enum Failure {
    /// Printed to stderr, with the exit code to give.
    Said { message: String, code: u8 },
    /// Whoever read stdout has closed it, as `head` does. Nothing is wrong.
    ReaderGone,
}

impl Failure {
    /// The same with another exit code.
    pub(super) fn with_code(self, code: u8) -> Self {
        match self {
            Self::Said { message, .. } => Self::Said { message, code },
            Self::ReaderGone => Self::ReaderGone,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Said { message: error.to_string(), code: FAILED }
    }
}

impl From<TopologyErrors> for Failure {
    fn from(errors: TopologyErrors) -> Self {
        Self::Said { message: errors.to_string(), code: FAILED }
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for Failure {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::Said { message: error.to_string(), code: FAILED }
    }
}
