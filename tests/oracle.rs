//! Kafka Streams' own test driver as an oracle: the same topology and the same records through both, compared in order.
//!
//! `tests/oracle/java` is the Java half, one JVM for all cases; here are the cases, their generator, the Rust twin, the
//! comparison and the shrinker. An operator is one variant of `Op`, one case of the switch in `Build.java` and one line
//! in `twin.rs`. `docs/differences.md` lists where Headwater means to differ.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod oracle {
    #[allow(dead_code, reason = "the other tests that share it use all of it")]
    #[path = "../dsl/by_chance.rs"]
    mod by_chance;
    mod byte_forms;
    mod case;
    mod compare;
    mod differences;
    mod differential;
    mod drive;
    mod four_way;
    mod functions;
    mod generate;
    mod intended;
    mod java;
    mod random;
    mod shape;
    mod shrink;
    mod steps;
    mod twin;
    mod twin_folds;
    mod twin_process;
    mod twin_tables;
}
