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
fn a_table_tells_the_name_of_the_store_to_query_if_it_has_one() {
    let app = StreamsBuilder::new("demo");
    let table = app.table::<String, i64>("in", Json, "latest");
    let view = table.filter(|_, n| *n > 1);
    let held = view.suppress_until_time_limit(10, "held");
    assert_eq!(table.queryable_name().as_deref(), Some("latest"));
    assert_eq!((view.queryable_name(), held.queryable_name()), (None, None));
    assert_eq!(view.materialize("great").queryable_name().as_deref(), Some("great"));
}

#[test]
fn rows_are_read_by_key_by_range_by_prefix_and_all() {
    let app = StreamsBuilder::new("demo");
    app.table::<String, i64>("in", Json, "latest");
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap().with_partitions(3).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    for (key, n) in [("b", 1), ("ab", 2), ("a", 3), ("abc", 4), ("b!", 5)] {
        input.pipe(&mut driver, key.into(), n, 0).unwrap();
    }
    let store = driver.store::<String, i64>("latest").unwrap();
    let sorted = |mut rows: Vec<(String, i64)>| {
        rows.sort();
        rows.into_iter().map(|(_, n)| n).collect::<Vec<_>>()
    };
    assert_eq!(sorted(store.all().unwrap()), [3, 2, 4, 1, 5]);
    assert_eq!(sorted(store.range(&"ab".into(), &"b".into()).unwrap()), [2, 4, 1]);
    assert_eq!(sorted(store.prefix(b"ab").unwrap()), [2, 4]);
    assert_eq!(store.range(&"c".into(), &"a".into()).unwrap(), []);
}

#[test]
fn windows_are_read_by_key_and_by_time() {
    let app = StreamsBuilder::new("demo");
    let windows = Tumbling::of(10).grace(1000);
    app.stream::<String, i64>("in", Json).group_by_key("by-key").windowed_by(windows).count("counts");
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    for (key, time) in [("a", 0), ("b", 10), ("a", 10), ("a", 25), ("a", 26), ("b", 31)] {
        input.pipe(&mut driver, key.into(), 0, time).unwrap();
    }
    let store = driver.window_store::<String, i64>("counts").unwrap();
    assert_eq!(store.fetch(&"a".into(), 0, 20).unwrap(), [(0, 1), (10, 1), (20, 2)]);
    assert_eq!(store.fetch(&"a".into(), 1, 19).unwrap(), [(10, 1)]);
    let found: Vec<_> = store.fetch_all(10, i64::MAX).unwrap().into_iter().map(|(w, n)| (w.start, w.key, n)).collect();
    let (a, b) = (|| "a".to_owned(), || "b".to_owned());
    assert_eq!(found, [(10, a(), 1), (10, b(), 1), (20, a(), 2), (30, b(), 1)]);
}

#[test]
fn a_closed_window_can_be_looked_up_as_long_as_it_is_kept_and_takes_no_more_records() {
    for (kept, expected) in [(None, vec![100]), (Some(120), vec![100]), (Some(250), vec![0, 100])] {
        let app = StreamsBuilder::new("demo");
        let store = Materialized::named("counts");
        let store = kept.map_or(store.clone(), |ms| store.retention(ms));
        app.stream::<String, i64>("in", Json).group_by_key("k").windowed_by(Tumbling::of(100).grace(20)).count(store);
        let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
        let mut input = driver.input::<String, i64>("in", Json);
        let starts = |driver: &TopologyTestDriver| -> Vec<_> {
            let rows = driver.window_store::<String, i64>("counts").unwrap().all().unwrap();
            rows.into_iter().map(|(window, n)| (window.start, n)).collect()
        };
        for time in [10, 110, 125, 15] {
            input.pipe(&mut driver, "k".into(), 0, time).unwrap();
        }
        assert_eq!(starts(&driver).iter().map(|row| row.0).collect::<Vec<_>>(), expected, "kept for {kept:?}");
        assert!(starts(&driver).iter().all(|row| row.1 == if row.0 == 0 { 1 } else { 2 }));
        assert_eq!(driver.counters()["late:counts"], 1);
        let task = driver.tasks()[0];
        driver.restart_task(task).unwrap();
        input.pipe(&mut driver, "k".into(), 0, 250).unwrap();
        let last = starts(&driver).iter().map(|row| row.0).collect::<Vec<_>>();
        assert_eq!(last, if kept == Some(250) { vec![100, 200] } else { vec![200] });
    }
}

#[test]
fn a_retention_that_does_not_fit_its_store_is_refused() {
    let app = StreamsBuilder::new("demo");
    let numbers = app.stream::<String, i64>("in", Json);
    let store = |name: &str, ms| Materialized::named(name).retention(ms);
    numbers.group_by_key("a").windowed_by(Tumbling::of(100).grace(20)).count(store("short", 119));
    numbers.group_by_key("b").windowed_by(Session::with_gap(100).no_grace()).count(store("sessions", 99));
    numbers.group_by_key("d").windowed_by(Sliding::of(100).grace(20)).count(store("sliding", 219));
    numbers.group_by_key("c").count(store("plain", 1000));
    let errors = app.build().unwrap_err();
    let found: Vec<_> = errors.0.iter().map(|error| (error.code, error.node.as_str())).collect();
    assert_eq!(found, ["short", "sessions", "sliding", "plain"].map(|node| ("HW0142", node)));
}

#[test]
fn a_store_that_could_not_be_restored_as_it_was_read_is_refused() {
    type Read = Consumed<String, Option<i64>>;
    let refused = |make: &dyn Fn(&StreamsBuilder)| -> Vec<_> {
        let app = StreamsBuilder::new("demo");
        make(&app);
        app.build().unwrap_err().0.iter().map(|error| (error.code, error.node.clone())).collect()
    };
    let table = |app: &StreamsBuilder, consumed: Read| {
        app.table::<String, i64>("in", consumed, Materialized::named("rows").restored_from_source());
    };
    let expected = [("HW0145", "rows".to_owned())];
    for consumed in [
        || Read::json().wall_clock(),
        || Read::json().timestamp_by(|arrival| arrival.timestamp),
        || Read::json().on_negative_time(NegativeTime::PartitionTime),
        || Read::json().reset(OffsetReset::Latest),
    ] {
        assert_eq!(refused(&|app| table(app, consumed())), expected);
    }
    assert_eq!(
        refused(&|app| {
            app.on_failure(OnFailure::Skip);
            table(app, Read::json());
        }),
        expected
    );
    let store = || Materialized::named("rows").restored_from_source();
    assert_eq!(refused(&|app| drop(app.table::<String, i64>("in", Json, store().versioned(1)))), expected);
    assert_eq!(
        refused(&|app| drop(app.stream::<String, i64>("in", Json).latest_as_table("by-key", store()))),
        expected
    );
    assert_eq!(refused(&|app| drop(app.stream::<String, i64>("in", Json).group_by_key("k").count(store()))), expected);
    let app = StreamsBuilder::new("demo");
    table(&app, Read::json().reset(OffsetReset::Earliest).timestamp(|_, n| n.unwrap_or_default()));
    assert!(app.build().is_ok());
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
