//! Sliding windows: which there are, what is in them, in what order they come, and when they close.

use std::collections::{BTreeMap, BTreeSet};

use headwater::prelude::*;
use proptest::prelude::*;

type Row = ((i64, i64), Option<Vec<i64>>);

fn driver(windows: Sliding, cached: bool) -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    let store = Materialized::<String, Vec<i64>>::named("lists");
    app.stream::<String, Option<i64>>("in", Json)
        .group_by_key("by-key")
        .windowed_by(windows)
        .aggregate(if cached { store } else { store.uncached() }, Vec::new, |_, n, list| list.extend(n))
        .to_stream()
        .map(|window, list| ((window.start, window.end), list))
        .to("out", Json);
    TopologyTestDriver::new(app.build().unwrap()).unwrap()
}

/// Each record's value is its time.
fn pipe(driver: &mut TopologyTestDriver, times: &[i64]) {
    let mut input = driver.input::<String, Option<i64>>("in", Json);
    for time in times {
        input.pipe(driver, "k".into(), Some(*time), *time).unwrap();
    }
}

fn results(driver: &mut TopologyTestDriver) -> Vec<Row> {
    driver.output::<(i64, i64), Option<Vec<i64>>>("out", Json).read_key_values(driver).unwrap()
}

fn row(start: i64, end: i64, list: &[i64]) -> Row {
    ((start, end), Some(list.to_vec()))
}

/// The windows by their definition: one up to each record, one after each record that another one follows, and one from 0
/// for all records before the difference.
fn model(times: &[i64], difference: i64) -> BTreeMap<i64, Vec<i64>> {
    let within = |start: i64| {
        let mut list: Vec<i64> = times.iter().copied().filter(|t| (start..=start + difference).contains(t)).collect();
        list.sort_unstable();
        list
    };
    let before = times.iter().map(|time| (time - difference).max(0));
    let after = times.iter().map(|time| time + 1).filter(|start| !within(*start).is_empty());
    let starts: BTreeSet<i64> = before.chain(after).collect();
    starts.into_iter().map(|start| (start, within(start))).collect()
}

fn stored(driver: &TopologyTestDriver) -> BTreeMap<i64, Vec<i64>> {
    let rows = driver.window_store::<String, Vec<i64>>("lists").unwrap().all().unwrap();
    rows.into_iter()
        .map(|(window, mut list)| {
            list.sort_unstable();
            (window.start, list)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn in_any_order_of_records_the_windows_are_those_of_the_definition(
        times in prop::collection::vec(0_i64..60, 1..14),
        difference in 0_i64..25,
        cached: bool,
    ) {
        let mut driver = driver(Sliding::of(difference).grace(1_000), cached);
        pipe(&mut driver, &times);
        prop_assert_eq!(stored(&driver), model(&times, difference));
        prop_assert_eq!(driver.counters()["late:lists"], 0);
    }

    #[test]
    fn on_close_each_window_comes_once_and_in_the_order_of_starts(
        times in prop::collection::vec(0_i64..200, 1..20),
        difference in 0_i64..40,
    ) {
        let mut driver = driver(Sliding::of(difference).grace(200).emit_on_close(), true);
        pipe(&mut driver, &times);
        driver.end_of_input().unwrap();
        let found: Vec<_> = results(&mut driver)
            .into_iter()
            .map(|((start, _), list)| {
                let mut list = list.unwrap();
                list.sort_unstable();
                (start, list)
            })
            .collect();
        prop_assert_eq!(found, model(&times, difference).into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn windows_that_are_there_come_from_the_newest_then_those_the_record_makes() {
    let mut driver = driver(Sliding::of(10).grace(1_000), false);
    pipe(&mut driver, &[20, 25]);
    assert_eq!(results(&mut driver), [row(10, 20, &[20]), row(21, 31, &[25]), row(15, 25, &[20, 25])]);
    // Before both: its own window, and the one after it.
    pipe(&mut driver, &[15]);
    let expected = [row(15, 25, &[20, 25, 15]), row(10, 20, &[20, 15]), row(5, 15, &[15]), row(16, 26, &[20, 25])];
    // The window after 15 is made of what was in the newest window that reaches beyond it.
    assert_eq!(results(&mut driver), expected);
}

#[test]
fn records_before_the_difference_share_the_window_from_0_which_comes_last() {
    let mut driver = driver(Sliding::of(10).grace(1_000), false);
    pipe(&mut driver, &[5]);
    assert_eq!(results(&mut driver), [row(0, 10, &[5])]);
    pipe(&mut driver, &[8]);
    assert_eq!(results(&mut driver), [row(6, 16, &[8]), row(0, 10, &[5, 8])]);
    pipe(&mut driver, &[2]);
    assert_eq!(results(&mut driver), [row(3, 13, &[5, 8]), row(0, 10, &[5, 8, 2])]);
}

#[test]
fn a_window_takes_records_until_time_is_beyond_its_end_and_grace() {
    let mut driver = driver(Sliding::of(10).grace(5), false);
    pipe(&mut driver, &[100, 105, 100]);
    assert_eq!(driver.counters()["late:lists"], 0);
    pipe(&mut driver, &[106, 101]);
    assert_eq!(driver.counters()["late:lists"], 0, "the window up to 101 is open at 106");
    pipe(&mut driver, &[100]);
    assert_eq!(driver.counters()["late:lists"], 1, "the window up to 100 is closed, and the one up to 105 is not");
    pipe(&mut driver, &[90]);
    assert_eq!(driver.counters()["late:lists"], 2, "none of its windows is open");
}

#[test]
fn on_close_a_window_is_emitted_when_time_is_beyond_its_end_and_grace() {
    let mut driver = driver(Sliding::of(10).grace(5).emit_on_close(), true);
    pipe(&mut driver, &[100, 105]);
    assert_eq!(results(&mut driver), []);
    pipe(&mut driver, &[106]);
    assert_eq!(results(&mut driver), [row(90, 100, &[100])]);
    driver.end_of_input().unwrap();
    let rest =
        [row(95, 105, &[100, 105]), row(96, 106, &[100, 105, 106]), row(101, 111, &[105, 106]), row(106, 116, &[106])];
    assert_eq!(results(&mut driver), rest);
    driver.end_of_input().unwrap();
    assert_eq!(results(&mut driver), []);
    pipe(&mut driver, &[106]);
    driver.end_of_input().unwrap();
    assert_eq!(results(&mut driver), [], "a later run finds them closed");
}

#[test]
fn times_near_the_ends_of_the_range_are_no_trouble() {
    for windows in [Sliding::of(10).grace(5), Sliding::of(10).grace(5).emit_on_close()] {
        let mut driver = driver(windows, true);
        pipe(&mut driver, &[0, 3, i64::MAX - 2, i64::MAX - 1]);
        driver.end_of_input().unwrap();
        assert!(!results(&mut driver).is_empty());
    }
}

#[test]
fn null_keys_and_null_values_are_dropped_and_do_not_move_time() {
    let app = StreamsBuilder::new("demo");
    app.stream::<Option<String>, Option<i64>>("in", Json)
        .group_by_key("by-key")
        .windowed_by(Sliding::of(10).no_grace())
        .count("counts");
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<Option<String>, Option<i64>>("in", Json);
    for (key, n, time) in
        [(Some("k"), Some(1), 20), (Some("k"), None, 900), (None, Some(1), 900), (Some("k"), Some(1), 20)]
    {
        input.pipe(&mut driver, key.map(str::to_owned), n, time).unwrap();
    }
    let counters = driver.counters();
    let counted = ["null-key:counts", "null-value:counts", "late:counts"].map(|name| counters[name]);
    assert_eq!(counted, [1, 1, 0]);
    let rows = driver.window_store::<Option<String>, i64>("counts").unwrap().all().unwrap();
    assert_eq!(rows, [(Windowed { key: Some("k".to_owned()), start: 10, end: 20 }, 2)]);
}

#[test]
fn a_result_has_the_time_of_its_newest_record() {
    let mut driver = driver(Sliding::of(10).grace(1_000), false);
    pipe(&mut driver, &[20, 15]);
    let records = driver.output::<(i64, i64), Option<Vec<i64>>>("out", Json).read(&mut driver).unwrap();
    let times: Vec<_> = records.iter().map(|record| (record.key.0, record.timestamp)).collect();
    assert_eq!(times, [(10, 20), (10, 20), (5, 15), (16, 20)]);
}

#[test]
fn old_windows_leave_the_store() {
    let mut driver = driver(Sliding::of(10).grace(5), true);
    for time in 0..200 {
        pipe(&mut driver, &[time * 7]);
    }
    let rows = driver.window_store::<String, Vec<i64>>("lists").unwrap().all().unwrap();
    assert!(rows.len() < 20, "{} windows are left", rows.len());
}
