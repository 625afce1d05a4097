//! The runtime's promises, on the embedded log: one behaviour per module.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod runtime {
    mod common;
    mod idleness;
    mod internal_topics;
    mod joins;
    mod on_kafka;
    mod order;
    mod processors;
    mod reading;
    mod replay;
    mod restart;
    mod restored_from_source;
    mod set_aside;
    mod snapshots;
    mod sources;
    mod stores;
    mod threads;
}
