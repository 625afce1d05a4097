//! What becomes of records at which the program's own code failed.

use headwater_core::{Error, Result};

use super::TaskEnv;
use crate::{
    dead_letter::{DeadLetters, Raw},
    vocab::OnFailure,
};

/// A task's way with records at which a step failed.
pub(crate) struct Failures {
    /// `None`: they stop the program. Otherwise they are counted, and dead-lettered if there is a topic for it.
    pub(super) policy: Option<Option<DeadLetters>>,
}

impl std::fmt::Debug for Failures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Failures").field("fail", &self.policy.is_none()).finish()
    }
}

impl Failures {
    pub(super) fn new(on_failure: &OnFailure, env: &dyn TaskEnv) -> Result<Self> {
        let policy = match on_failure {
            OnFailure::Fail => None,
            OnFailure::Skip => Some(None),
            OnFailure::DeadLetter(topic) => Some(Some(DeadLetters::new(env.topic(topic)?))),
        };
        Ok(Self { policy })
    }

    /// Writes the dead letter, if there is a topic for it.
    pub(super) fn keep(&self, raw: &Raw<'_>, error: &Error) -> Result<()> {
        match &self.policy {
            Some(Some(topic)) => topic.send(raw, &raw.record.headers, error.code(), &error.to_string(), None),
            _ => Ok(()),
        }
    }
}
