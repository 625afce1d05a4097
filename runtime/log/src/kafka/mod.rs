//! Kafka as the log, through librdkafka.

mod admin;
mod batches;
mod config;
mod consumer;
mod context;
mod errors;
mod ffi;
mod log;
mod offsets;
mod producer;

pub use config::KafkaConfig;
pub use log::KafkaLog;
