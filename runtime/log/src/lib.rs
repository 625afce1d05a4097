//! Headwater's log: one trait over Apache Kafka and the embedded log.

mod api;
mod embedded;
mod errors;
mod kafka;
#[doc(hidden)]
pub mod testkit;

pub use api::{
    CommitReceipt, CommittedOffset, Consumer, ConsumerConfig, GroupMetadata, Isolation, Log, OffsetCommit, OffsetReset,
    Polled, Producer, ProducerConfig, ProducerRecord, TopicInfo, TopicSpec,
};
pub use embedded::{EmbeddedConfig, EmbeddedLog};
pub use kafka::{KafkaConfig, KafkaLog};
