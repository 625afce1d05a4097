//! Tables without a store of their own, changes sent at once, and look-ups in tables.

use headwater::prelude::*;

#[test]
fn an_uncached_store_sends_every_change_at_once_and_a_cached_one_the_last_of_each_commit() {
    for (store, expected) in
        [(Materialized::named("sums").uncached(), vec![1, 3, 6]), (Materialized::named("sums"), vec![6])]
    {
        let app = StreamsBuilder::new("demo");
        app.stream::<String, i64>("in", Json)
            .flat_map_values(|n| 1..=n)
            .group_by_key("by-key")
            .reduce(store, |sum, n| sum + n)
            .updates()
            .to("out", Json);
        let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
        driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 3, 0).unwrap();
        assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), expected);
    }
}

#[test]
fn a_filtered_row_that_stops_passing_is_deleted_downstream_cached_or_not() {
    for store in [Materialized::named("latest").uncached(), Materialized::named("latest")] {
        let app = StreamsBuilder::new("demo");
        app.table::<String, i64>("in", Json, store)
            .map_values(|_, n| n * 10)
            .filter(|_, n| *n > 50)
            .to_stream()
            .to("out", Json);
        let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
        let mut input = driver.input::<String, Option<i64>>("in", Json);
        for n in [Some(1), Some(6), Some(7), Some(2), None, Some(9), None] {
            input.pipe(&mut driver, "k".into(), n, 0).unwrap();
        }
        let changes = driver.output::<String, Option<i64>>("out", Json).read_values(&mut driver).unwrap();
        assert_eq!(changes, [Some(60), Some(70), None, Some(90), None]);
    }
}

#[test]
fn a_stream_joined_with_a_view_sees_what_the_view_makes_of_the_row() {
    let app = StreamsBuilder::new("demo");
    let doubled = app.table::<String, i64>("table", Json, "latest").filter(|_, n| *n < 100).map_values(|_, n| n * 2);
    app.stream::<String, i64>("in", Json).left_join_table(&doubled, |n, row| (n, row), "with-doubled").to("out", Json);
    let topology = app.build().unwrap();
    assert_eq!(topology.plan().subtopologies.len(), 1, "what looks a table up lives beside it");
    let mut driver = TopologyTestDriver::new(topology).unwrap();
    let mut table = driver.input::<String, i64>("table", Json);
    let mut input = driver.input::<String, i64>("in", Json);
    table.pipe(&mut driver, "k".into(), 21, 0).unwrap();
    input.pipe(&mut driver, "k".into(), 1, 1).unwrap();
    table.pipe(&mut driver, "k".into(), 100, 2).unwrap();
    input.pipe(&mut driver, "k".into(), 2, 3).unwrap();
    let out = driver.output::<String, (i64, Option<i64>)>("out", Json).read_values(&mut driver).unwrap();
    assert_eq!(out, [(1, Some(42)), (2, None)]);
}

#[test]
fn a_stream_and_a_table_of_different_partition_counts_are_refused() {
    let app = StreamsBuilder::new("demo");
    let table = app.table::<String, i64>("table", Json, "latest");
    app.stream::<String, i64>("in", Json).join_table(&table, |n, row| n + row, "sum").to("out", Json);
    let driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let error = driver.with_topic_partitions("table", 2).unwrap_err();
    assert_eq!(error.code(), "HW0111", "{error}");
}
