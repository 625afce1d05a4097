//! Headwater's state stores: bytes in RocksDB or memory, snapshots.
