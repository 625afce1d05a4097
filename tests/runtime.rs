//! The runtime's promises, on the embedded log: one behaviour per module.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod runtime {
    mod common;
    mod replay;
    mod restart;
    mod snapshots;
    mod threads;
}
