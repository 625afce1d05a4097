//! The embedded log keeps every promise of the suite, and some of its own.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod conformance;

use std::sync::Arc;

use conformance::World;
use headwater_core::SystemClock;
use headwater_log::{EmbeddedConfig, EmbeddedLog};

fn open(test: &str) -> World {
    let dir = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(&dir.path().join("log"), EmbeddedConfig::default(), Arc::new(SystemClock)).unwrap();
    World::new(log, test, Some(dir))
}

suite!(crate::open);
