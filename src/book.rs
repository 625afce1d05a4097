//! The book's pages, so that `cargo test` compiles and runs their samples. `tests/tidy.rs` asserts that none is missing.

macro_rules! pages {
    ($($page:ident $file:literal)*) => {
        $(#[doc = include_str!(concat!("../docs/book/src/", $file))] mod $page {})*
    };
}

pages! {
    concepts "concepts.md"
    failures "failures.md"
    first_program "first-program.md"
    from_kafka_streams "from-kafka-streams.md"
    grouping "grouping.md"
    introduction "introduction.md"
    joins "joins.md"
    processors "processors.md"
    reading_state "reading-state.md"
    replay "replay.md"
    streams "streams.md"
    tables "tables.md"
    testing "testing.md"
    time "time.md"
    windows "windows.md"
}
