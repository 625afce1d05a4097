//! The DSL's promises, on the test driver: one behaviour per module.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod dsl {
    mod build_errors;
    mod by_chance;
    mod cogroup;
    mod commits;
    mod compile_errors;
    mod describe_as_kafka;
    mod driver;
    mod failures;
    mod foreign_key_joins;
    mod grouped_tables;
    mod hopping;
    mod join_grace;
    mod map_async;
    mod nulls;
    mod order_across_repartition;
    mod partitioners;
    mod plan;
    mod process_stores;
    mod process_timed_stores;
    mod processors;
    mod punctuation;
    mod quality;
    mod retained_windows;
    mod routing;
    mod sessions;
    mod set_aside;
    mod sliding;
    mod sources;
    mod stream_joins;
    mod suppress;
    mod table_joins;
    mod tables;
    mod time_across_repartition;
    mod time_beside_a_source;
    mod time_of_sessions_across_repartition;
    mod undecodable;
    mod versioned_tables;
    mod views;
    mod window_results;
    mod windows;
}
