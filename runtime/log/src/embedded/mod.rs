//! The embedded log: one RocksDB with its WAL on. A transaction becomes one atomic write, so commit, abort, recovery
//! and "read committed" are RocksDB's own guarantees.

mod append;
mod catalog;
mod consumer;
mod engine;
mod groups;
mod keeper;
mod keys;
mod locks;
mod log;
mod offsets;
mod owner;
mod producer;
mod range;
mod read;
mod retention;
mod settings;
mod storage;
mod tail;
mod turns;

pub use log::{EmbeddedConfig, EmbeddedLog};
