//! What librdkafka tells us from inside a poll.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use headwater_core::{Offset, TopicPartition};
use rdkafka::{
    ClientContext, Message, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol},
    error::KafkaError,
    message::DeliveryResult,
    producer::ProducerContext,
    types::{RDKafkaErrorCode, RDKafkaRespErr},
};

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn log_line(level: RDKafkaLogLevel, facility: &str, line: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => {
            tracing::warn!(target: "librdkafka", facility, "{line}");
        }
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(target: "librdkafka", facility, "{line}");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{line}"),
    }
}

/// A change of assignment that awaits our answer.
#[derive(Debug)]
pub(super) enum Rebalanced {
    Assign(Vec<TopicPartition>),
    Revoke { partitions: Vec<TopicPartition>, lost: bool },
}

/// Keeps rebalances for `poll` instead of answering them, and the last error for messages.
#[derive(Debug, Default)]
pub(super) struct ConsumerEvents {
    pub rebalances: Mutex<VecDeque<Rebalanced>>,
    pub last_error: Mutex<Option<String>>,
    /// While closing nobody polls for rebalances any more, so they are answered at once.
    pub closing: AtomicBool,
}

impl ClientContext for ConsumerEvents {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        log_line(level, fac, log_message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::info!(target: "librdkafka", %error, reason);
        *lock(&self.last_error) = Some(reason.to_owned());
    }
}

impl ConsumerContext for ConsumerEvents {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, err: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assign = matches!(err, RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS);
        if self.closing.load(Ordering::Acquire) {
            if !assign {
                let answered = match consumer.rebalance_protocol() {
                    RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
                    _ => consumer.unassign(),
                };
                if let Err(error) = answered {
                    tracing::warn!(%error, "partitions could not be given back while closing");
                }
            }
            return;
        }
        let partitions = list.elements().iter().map(|e| TopicPartition::new(e.topic(), e.partition())).collect();
        let rebalanced = if assign {
            Rebalanced::Assign(partitions)
        } else {
            Rebalanced::Revoke { partitions, lost: consumer.assignment_lost() }
        };
        lock(&self.rebalances).push_back(rebalanced);
    }
}

/// What became of the records sent.
#[derive(Debug, Default)]
pub(super) struct Deliveries(Mutex<Delivered>);

/// Since the last commit or flush.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    /// One past the last record stored, by partition. Few, so a list.
    pub next_offsets: Vec<(TopicPartition, Offset)>,
    /// The first record that was not stored.
    pub failed: Option<(TopicPartition, RDKafkaErrorCode)>,
}

impl Deliveries {
    pub fn take(&self) -> Delivered {
        std::mem::take(&mut *lock(&self.0))
    }

    pub fn failed(&self) -> Option<(TopicPartition, RDKafkaErrorCode)> {
        lock(&self.0).failed.clone()
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        log_line(level, fac, log_message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::info!(target: "librdkafka", %error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): Self::DeliveryOpaque) {
        let mut delivered = lock(&self.0);
        match result {
            Ok(message) => {
                let (topic, partition, next) = (message.topic(), message.partition(), message.offset() + 1);
                let known =
                    |entry: &&mut (TopicPartition, Offset)| entry.0.partition == partition && &*entry.0.topic == topic;
                match delivered.next_offsets.iter_mut().rev().find(known) {
                    Some((_, offset)) => *offset = next.max(*offset),
                    None => delivered.next_offsets.push((TopicPartition::new(topic, partition), next)),
                }
            }
            Err((error, message)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
                let partition = TopicPartition::new(message.topic(), message.partition());
                delivered.failed.get_or_insert((partition, code));
            }
        }
    }
}

/// For requests about topics and offsets.
#[derive(Debug, Default)]
pub(super) struct Requests;

impl ClientContext for Requests {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        log_line(level, fac, log_message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::info!(target: "librdkafka", %error, reason);
    }
}
