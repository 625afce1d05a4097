//! The embedded log keeps every promise of the suite, and some of its own.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod conformance;

use std::sync::Arc;

use conformance::World;
use headwater_core::SystemClock;
use headwater_log::{EmbeddedConfig, EmbeddedLog};

fn open_with(test: &str, config: EmbeddedConfig) -> World {
    let dir = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(&dir.path().join("log"), config, Arc::new(SystemClock)).unwrap();
    World::new(log, test, Some(dir))
}

fn open(test: &str) -> World {
    open_with(test, EmbeddedConfig::default())
}

/// Nothing is held in memory for those who read along, so everything comes back from RocksDB.
fn open_without_tail(test: &str) -> World {
    open_with(test, EmbeddedConfig { tail_bytes: 0, durable: false, ..EmbeddedConfig::default() })
}

suite!(crate::open);

mod without_tail {
    crate::suite!(crate::open_without_tail);
}
