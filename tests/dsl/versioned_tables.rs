//! Tables with history: a row as it was at a moment.

use headwater::prelude::*;

const HISTORY: i64 = 100;

/// A table with history, its changes, and a stream joined with it.
fn driver() -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    let rates = app.table::<String, i64>("rates", Json, Materialized::named("history").versioned(HISTORY));
    rates.to_stream().to("changes", Json);
    app.stream::<String, i64>("in", Json).left_join_table(&rates, |_, rate| rate, "with-rate").to("out", Json);
    TopologyTestDriver::new(app.build().unwrap()).unwrap()
}

fn set(driver: &mut TopologyTestDriver, rate: Option<i64>, from: i64) {
    driver.input::<String, Option<i64>>("rates", Json).pipe(driver, "k".into(), rate, from).unwrap();
}

fn as_of(driver: &mut TopologyTestDriver, times: &[i64]) -> Vec<Option<i64>> {
    let mut input = driver.input::<String, i64>("in", Json);
    for time in times {
        input.pipe(driver, "k".into(), 0, *time).unwrap();
    }
    driver.output::<String, Option<i64>>("out", Json).read_values(driver).unwrap()
}

#[test]
fn a_join_finds_the_row_as_it_was_at_its_records_time() {
    let mut driver = driver();
    for (rate, from) in [(Some(1), 10), (None, 20), (Some(3), 30)] {
        set(&mut driver, rate, from);
    }
    let found = as_of(&mut driver, &[9, 10, 19, 20, 29, 30, 1000]);
    assert_eq!(found, [None, Some(1), Some(1), None, None, Some(3), Some(3)]);
}

#[test]
fn a_version_that_comes_late_takes_its_place_and_replaces_the_one_of_just_its_time() {
    let mut driver = driver();
    for (rate, from) in [(Some(1), 10), (Some(3), 30), (Some(2), 20), (Some(9), 30)] {
        set(&mut driver, rate, from);
    }
    assert_eq!(as_of(&mut driver, &[15, 25, 35]), [Some(1), Some(2), Some(9)]);
}

#[test]
fn a_version_older_than_the_history_is_dropped_counted_and_not_passed_on() {
    let mut driver = driver();
    set(&mut driver, Some(1), 200);
    set(&mut driver, Some(2), 100);
    set(&mut driver, Some(3), 99);
    assert_eq!(as_of(&mut driver, &[150]), [Some(2)]);
    assert_eq!(driver.counters()["late:history"], 1);
    let changes = driver.output::<String, Option<i64>>("changes", Json).read_values(&mut driver).unwrap();
    assert_eq!(changes, [Some(1), Some(2)]);
}

#[test]
fn before_the_history_only_the_latest_version_is_known() {
    let mut driver = driver();
    set(&mut driver, Some(1), 0);
    set(&mut driver, Some(2), 10);
    driver.input::<String, Option<i64>>("rates", Json).pipe(&mut driver, "other".into(), Some(0), 111).unwrap();
    assert_eq!(as_of(&mut driver, &[5, 10, 11, 12]), [None, Some(2), Some(2), Some(2)]);
}

#[test]
fn versions_leave_the_store_when_nobody_may_ask_for_them_and_their_key_is_written() {
    let mut driver = driver();
    for from in 0..50 {
        set(&mut driver, (from != 49).then_some(from), from * 10);
    }
    let rates = driver.versioned_store::<String, i64>("history").unwrap();
    let held: Vec<_> = rates.versions(&"k".to_owned()).unwrap().iter().map(|version| version.0).collect();
    assert_eq!(held, (39..=49).rev().map(|n| n * 10).collect::<Vec<_>>());
    assert_eq!(rates.get(&"k".to_owned()).unwrap(), None);
    assert_eq!(rates.get_as_of(&"k".to_owned(), 489).unwrap(), Some(48));
}

#[test]
fn what_is_known_does_not_depend_on_commits_and_survives_a_restart() {
    let feed = |driver: &mut TopologyTestDriver| {
        for n in 0..40_i64 {
            set(driver, (n % 7 != 0).then_some(n), 50 + n * 37 % 90);
        }
    };
    let times: Vec<i64> = (0..160).collect();
    let (mut each, mut once) = (driver(), driver().without_auto_commit());
    feed(&mut each);
    feed(&mut once);
    let task = each.tasks()[0];
    each.restart_task(task).unwrap();
    let expected = as_of(&mut each, &times);
    as_of(&mut once, &times);
    once.commit().unwrap();
    let found = once.output::<String, Option<i64>>("out", Json).read_values(&mut once).unwrap();
    assert_eq!(found, expected);
    assert!(expected.iter().flatten().count() > 50);
    let versions = |driver: &TopologyTestDriver| {
        driver.versioned_store::<String, i64>("history").unwrap().versions(&"k".to_owned()).unwrap()
    };
    assert_eq!(versions(&each), versions(&once));
}

#[test]
fn a_change_of_the_past_has_no_part_in_an_aggregate_of_the_table() {
    let app = StreamsBuilder::new("demo");
    app.table::<String, i64>("in", Json, Materialized::named("latest").versioned(HISTORY))
        .map_values(|_, n| n + 1)
        .group_by(|_, n| ("all".to_owned(), n), "to-one")
        .reduce("sum", |sum, n| sum + n, |sum, n| sum - n)
        .updates()
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    for (n, time) in [(1, 10), (5, 20), (100, 15), (6, 30)] {
        input.pipe(&mut driver, "k".into(), n, time).unwrap();
    }
    assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [2, 6, 7]);
}

#[test]
fn a_view_of_a_table_with_history_has_its_history_too() {
    let app = StreamsBuilder::new("demo");
    let rates = app.table::<String, i64>("rates", Json, Materialized::named("history").versioned(HISTORY));
    let great = rates.filter(|_, rate| *rate > 5).map_values(|_, rate| rate * 10);
    app.stream::<String, i64>("in", Json).left_join_table(&great, |_, rate| rate, "with-rate").to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    for (rate, from) in [(9, 10), (1, 20), (7, 30)] {
        set(&mut driver, Some(rate), from);
    }
    assert_eq!(as_of(&mut driver, &[15, 25, 35]), [Some(90), None, Some(70)]);
}

#[test]
fn an_aggregate_with_history_and_a_history_below_zero_are_refused() {
    let app = StreamsBuilder::new("demo");
    let table = app.table::<String, i64>("in", Json, Materialized::named("latest").versioned(-1));
    table.group_by(|_, n| (n, n), "by-number").count(Materialized::named("counts").versioned(HISTORY));
    let errors = app.build().unwrap_err();
    let found: Vec<_> = errors.0.iter().map(|error| (error.code, error.node.as_str())).collect();
    assert_eq!(found, [("HW0142", "latest"), ("HW0141", "counts")]);
}
