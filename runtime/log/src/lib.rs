//! Headwater's log: one trait over Apache Kafka and the embedded log.

mod api;

pub use api::{
    CommitReceipt, CommittedOffset, Consumer, ConsumerConfig, GroupMetadata, Isolation, Log, OffsetCommit, OffsetReset,
    Polled, Producer, ProducerConfig, ProducerRecord, TopicInfo, TopicSpec,
};
