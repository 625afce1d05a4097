//! What librdkafka's errors mean to a caller.

use headwater_core::{Error, ErrorKind, TopicPartition};
use rdkafka::{error::KafkaError, types::RDKafkaErrorCode as Code};

use crate::errors;

/// No broker answered.
pub(super) fn unreachable(brokers: &str, last: Option<String>, cause: impl std::fmt::Display) -> Error {
    let cause = last.unwrap_or_else(|| cause.to_string());
    Error::new(ErrorKind::Unavailable, "HW0301", format!("no Kafka broker answered at {brokers}: {cause}"))
        .help("start Kafka there, or correct the address given as HOST:PORT")
}

/// A request failed in a way that has no more telling error.
pub(super) fn request(what: &str, brokers: &str, error: &KafkaError) -> Error {
    request_code(what, brokers, error.rdkafka_error_code(), error)
}

pub(super) fn request_code(what: &str, brokers: &str, code: Option<Code>, cause: impl std::fmt::Display) -> Error {
    let kind = if code.is_some_and(is_transient) { ErrorKind::Unavailable } else { ErrorKind::Log };
    Error::new(kind, "HW0321", format!("{what} failed at Kafka ({brokers}): {cause}")).help(match kind {
        ErrorKind::Unavailable => "the broker is unreachable or busy; try again",
        _ => "see the broker's log; access rights and broker settings are the usual causes",
    })
}

/// Whether the same request may succeed later.
pub(super) fn is_transient(code: Code) -> bool {
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::TimedOutQueue
            | Code::MessageTimedOut
            | Code::Resolve
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::NetworkException
            | Code::WaitingForCoordinator
            | Code::RebalanceInProgress
            | Code::PollExceeded
            | Code::UnstableOffsetCommit
            | Code::NotController
    )
}

/// A record was not stored.
pub(super) fn production(id: &str, partition: &TopicPartition, brokers: &str, code: Code) -> Error {
    match code {
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => errors::record_too_large(partition, None, None),
        Code::UnknownPartition => errors::no_such_partition(&kafka(brokers), partition),
        Code::UnknownTopic | Code::UnknownTopicOrPartition => errors::no_such_topic(&kafka(brokers), &partition.topic),
        Code::InvalidProducerEpoch | Code::ProducerFenced | Code::Fenced | Code::Fatal => errors::fenced(id, FENCED),
        code => request_code(&format!("writing to {partition}"), brokers, Some(code), code),
    }
}

pub(super) fn kafka(brokers: &str) -> String {
    format!("Kafka at {brokers}")
}

/// librdkafka cannot tell the two apart.
pub(super) const FENCED: &str =
    "a newer producer was opened with this id, or its transaction stayed open longer than transaction_timeout";

/// A transactional call failed for good (not one to be called again).
pub(super) fn transaction(call: &str, id: &str, brokers: &str, error: &KafkaError) -> Error {
    let code = error.rdkafka_error_code();
    if let KafkaError::Transaction(inner) = error
        && inner.is_fatal()
    {
        return errors::fenced(id, FENCED);
    }
    match code {
        Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch) => errors::fenced(id, FENCED),
        Some(Code::IllegalGeneration | Code::UnknownMemberId | Code::FencedInstanceId) => {
            errors::outdated_membership("of this consumer", error)
        }
        code => request_code(&format!("{call} of transactional id {id:?}"), brokers, code, error),
    }
}

/// A commit whose outcome nobody knows.
pub(super) fn unknown_outcome(id: &str, brokers: &str, cause: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "HW0311",
        format!("it is unknown whether the transaction of {id:?} was committed at {brokers}: {cause}"),
    )
    .help("drop this producer, open a new one with the same id, and go on from the group's committed offsets")
}
