//! Tables: rows, tombstones, times.

use headwater::prelude::*;

fn driver() -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    app.table::<String, i64>("in", Json, "latest").to_stream().to("out", Json);
    TopologyTestDriver::new(app.build().unwrap()).unwrap()
}

fn pipe(driver: &mut TopologyTestDriver, key: &str, value: Option<i64>, time: i64) {
    driver.input::<String, Option<i64>>("in", Json).pipe(driver, key.to_owned(), value, time).unwrap();
}

fn changes(driver: &mut TopologyTestDriver) -> Vec<Option<i64>> {
    driver.output::<String, Option<i64>>("out", Json).read_values(driver).unwrap()
}

#[test]
fn a_null_value_deletes_the_row_and_is_passed_on() {
    let mut driver = driver();
    pipe(&mut driver, "k", Some(1), 0);
    pipe(&mut driver, "k", None, 1);
    assert_eq!(changes(&mut driver), [Some(1), None]);
    assert_eq!(driver.store::<String, i64>("latest").unwrap().all().unwrap(), []);
    pipe(&mut driver, "k", Some(2), 2);
    assert_eq!(changes(&mut driver), [Some(2)]);
}

#[test]
fn a_deletion_of_an_unknown_row_is_no_change() {
    let mut driver = driver();
    pipe(&mut driver, "k", None, 0);
    assert_eq!(changes(&mut driver), []);
}

#[test]
fn a_row_that_comes_and_goes_between_two_commits_is_no_change() {
    let mut driver = driver().without_auto_commit();
    pipe(&mut driver, "k", Some(1), 0);
    pipe(&mut driver, "k", None, 1);
    driver.commit().unwrap();
    assert_eq!(changes(&mut driver), []);
}

#[test]
fn equal_updates_are_passed_on() {
    let mut driver = driver();
    pipe(&mut driver, "k", Some(1), 0);
    pipe(&mut driver, "k", Some(1), 1);
    assert_eq!(changes(&mut driver), [Some(1), Some(1)]);
}

#[test]
fn the_last_record_wins_even_if_it_is_older() {
    let mut driver = driver();
    pipe(&mut driver, "k", Some(1), 10);
    pipe(&mut driver, "k", Some(2), 5);
    assert_eq!(driver.store::<String, i64>("latest").unwrap().get_with_timestamp(&"k".into()).unwrap(), Some((2, 5)));
}

#[test]
fn an_aggregates_row_has_the_greatest_time_and_starts_afresh_after_a_deletion() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json)
        .group_by_key("by-key")
        .update("open", |_, n, row: &mut Option<i64>| *row = (n > 0).then(|| row.unwrap_or(0) + n))
        .to_stream()
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    let mut times = Vec::new();
    for (n, time) in [(1, 10), (2, 5), (0, 20), (7, 3)] {
        input.pipe(&mut driver, "k".into(), n, time).unwrap();
        times.push(driver.store::<String, i64>("open").unwrap().get_with_timestamp(&"k".into()).unwrap());
    }
    assert_eq!(times, [Some((1, 10)), Some((3, 10)), None, Some((7, 3))]);
    let records = driver.output::<String, Option<i64>>("out", Json).read(&mut driver).unwrap();
    let changes: Vec<_> = records.iter().map(|record| (record.value, record.timestamp)).collect();
    assert_eq!(changes, [(Some(1), 10), (Some(3), 10), (None, 20), (Some(7), 3)]);
}

#[test]
fn a_table_made_of_a_regrouped_stream_is_partitioned_by_the_new_key() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json).map(|_, n| (n % 2, Some(n))).to_table("by-parity", "latest-by-parity");
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap().with_partitions(3).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    for (key, n) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
        input.pipe(&mut driver, key.to_owned(), n, n).unwrap();
    }
    let mut rows = driver.store::<i64, i64>("latest-by-parity").unwrap().all().unwrap();
    rows.sort_unstable();
    assert_eq!(rows, [(0, 4), (1, 3)]);
}

/// Looks a key's name up in the global table `names`.
fn named() -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    let names = app.global_table::<String, String>("names", Text, "names");
    app.stream::<String, i64>("in", Json)
        .left_join_global(&names, |key, _| key.clone(), |_, name| name)
        .to("out", Json);
    TopologyTestDriver::new(app.build().unwrap()).unwrap()
}

#[test]
fn a_global_table_follows_its_topic() {
    let mut driver = named();
    let mut table = driver.input::<String, Option<String>>("names", Text);
    let mut input = driver.input::<String, i64>("in", Json);
    for name in [None, Some("United"), Some("United Airlines"), None] {
        table.pipe(&mut driver, "UA".into(), name.map(str::to_owned), 0).unwrap();
        input.pipe(&mut driver, "UA".into(), 1, 0).unwrap();
    }
    let joined = driver.output::<String, Option<String>>("out", Json).read_values(&mut driver).unwrap();
    assert_eq!(joined, [None, Some("United".to_owned()), Some("United Airlines".to_owned()), None]);
}

#[test]
fn records_without_a_key_in_a_global_tables_topic_are_counted() {
    let mut driver = named();
    let mut table = driver.input::<Option<String>, String>("names", Text);
    assert!(!driver.counters().contains_key("null-key:names"));
    for key in [None, Some("UA".to_owned()), None] {
        table.pipe(&mut driver, key, "United".into(), 0).unwrap();
    }
    assert_eq!(driver.counters().get("null-key:names"), Some(&2));
}
