//! The main job, end to end, as a user runs it: the real data, the real log, a real lake read by other readers, and
//! `kill -9` at random moments.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod flights {
    mod bad_input;
    mod embedded;
    mod kafka;
    mod program;
    mod two_processes;
}
