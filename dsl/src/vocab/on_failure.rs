use serde::{Deserialize, Serialize};

/// What happens to a record at which the program's own code panics or returns an error (Kafka Streams' processing
/// exception handler, with KIP-1034's dead letters).
///
/// Whatever it is, the work since the last commit is aborted and done again, so that the records beside the failed one
/// are neither lost nor doubled; only then is the record skipped or dead-lettered, in the same commit as its offset.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The program stops with an error that names step, topic, partition and offset; nothing is skipped. Default.
    #[default]
    Fail,
    /// The record is left out and counted (`failed:<topic>`).
    Skip,
    /// The record goes, raw and with the error in its headers, to this topic, and is counted.
    DeadLetter(String),
}

impl OnFailure {
    pub(crate) fn is_fail(&self) -> bool {
        *self == Self::Fail
    }
}
