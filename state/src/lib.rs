//! Headwater's state stores: bytes in RocksDB or in memory, the directory they live in, and their snapshots.
//!
//! A task has one [`TaskStore`]: all its stores and the positions of its inputs and changelogs, changed together by
//! [`TaskStore::apply`] or not at all. Nothing here knows types: keys and values are bytes, ordered bytewise. The log is
//! the durable copy, so RocksDB's own log is off; [`TaskStore::flush`] only shortens what a restart has to read again.

mod backend;
mod changes;
mod digest;
mod directory;
mod errors;
mod flush;
mod in_memory;
mod memory;
mod mixed;
mod rocks;
mod snapshot;
mod store;

pub use changes::{Row, StoreChanges};
pub use digest::StoreDigest;
pub use directory::StateDirectory;
pub use flush::FlushPolicy;
pub use memory::StoreMemory;
pub use snapshot::{Manifest, Pruned, SnapshotFile, SnapshotPosition, SnapshotStore};
pub use store::{StoreHandle, TaskStore};
