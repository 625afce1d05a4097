//! Hopping and unlimited windows: which of them take a record, and until when.

use headwater::{dsl::Windows, prelude::*};

type Row = ((i64, String), i64);

fn driver(
    windows: impl Windows<Stream<String, i64> = WindowedStream<String, i64>>,
    cached: bool,
) -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    let store = Materialized::<String, i64>::named("sums");
    app.stream::<String, i64>("in", Json)
        .group_by_key("by-key")
        .windowed_by(windows)
        .aggregate(if cached { store } else { store.uncached() }, || 0_i64, |_, n, sum| *sum += n)
        .updates()
        .map(|window, sum| ((window.start, window.key), sum))
        .to("out", Json);
    TopologyTestDriver::new(app.build().unwrap()).unwrap()
}

fn pipe(driver: &mut TopologyTestDriver, records: &[(&str, i64, i64)]) {
    let mut input = driver.input::<String, i64>("in", Json);
    for (key, n, time) in records {
        input.pipe(driver, (*key).to_owned(), *n, *time).unwrap();
    }
}

fn results(driver: &mut TopologyTestDriver) -> Vec<Row> {
    driver.output::<(i64, String), i64>("out", Json).read_key_values(driver).unwrap()
}

fn row(start: i64, key: &str, sum: i64) -> Row {
    ((start, key.to_owned()), sum)
}

#[test]
fn a_record_is_in_every_window_that_holds_its_time_the_oldest_first() {
    for cached in [true, false] {
        let mut driver = driver(Hopping::of(100).advance_by(30).grace(1_000), cached);
        pipe(&mut driver, &[("k", 1, 10), ("k", 2, 100)]);
        assert_eq!(results(&mut driver), [row(0, "k", 1), row(30, "k", 2), row(60, "k", 2), row(90, "k", 2)]);
        pipe(&mut driver, &[("k", 4, 95)]);
        let expected = [row(0, "k", 5), row(30, "k", 6), row(60, "k", 6), row(90, "k", 6)];
        assert_eq!(results(&mut driver), expected);
    }
}

#[test]
fn no_window_begins_before_1970() {
    let mut driver = driver(Hopping::of(100).advance_by(25).grace(0), true);
    pipe(&mut driver, &[("k", 1, 0), ("k", 1, 30)]);
    assert_eq!(results(&mut driver), [row(0, "k", 1), row(0, "k", 2), row(25, "k", 1)]);
}

#[test]
fn a_late_record_counts_once_for_each_of_its_windows_that_is_closed() {
    let mut driver = driver(Hopping::of(100).advance_by(50).grace(20), true);
    pipe(&mut driver, &[("k", 1, 60), ("k", 2, 120), ("k", 4, 70)]);
    // Time 120 has closed the window from 0 to 100, and the one from 50 to 150 is open.
    assert_eq!(
        results(&mut driver),
        [row(0, "k", 1), row(50, "k", 1), row(50, "k", 3), row(100, "k", 2), row(50, "k", 7)]
    );
    assert_eq!(driver.counters()["late:sums"], 1);
    pipe(&mut driver, &[("k", 1, 500), ("k", 1, 70)]);
    assert_eq!(driver.counters()["late:sums"], 3);
}

#[test]
fn closed_windows_come_once_in_the_order_of_start_and_key() {
    let mut driver = driver(Hopping::of(100).advance_by(50).no_grace().emit_on_close(), true);
    pipe(&mut driver, &[("b", 1, 10), ("a", 2, 60), ("b", 4, 99)]);
    assert_eq!(results(&mut driver), []);
    pipe(&mut driver, &[("a", 8, 151)]);
    assert_eq!(results(&mut driver), [row(0, "a", 2), row(0, "b", 5), row(50, "a", 2), row(50, "b", 4)]);
    driver.end_of_input().unwrap();
    assert_eq!(results(&mut driver), [row(100, "a", 8), row(150, "a", 8)]);
    driver.end_of_input().unwrap();
    assert_eq!(results(&mut driver), []);
    assert_eq!(driver.counters()["late:sums"], 0);
}

#[test]
fn every_window_that_took_a_record_is_emitted_once_whatever_the_order() {
    let mut driver = driver(Hopping::of(90).advance_by(20).grace(200).emit_on_close(), true);
    let times: Vec<i64> = (0..400).map(|n: i64| n * 37 % 400 / 2 + n).collect();
    for time in &times {
        pipe(&mut driver, &[("k", 1, *time)]);
    }
    driver.end_of_input().unwrap();
    let starts = (0..40).map(|n| n * 20);
    let count = |start: i64| times.iter().filter(|time| (start..start + 90).contains(*time)).count() as i64;
    let expected: Vec<_> = starts.map(|start| row(start, "k", count(start))).filter(|row| row.1 > 0).collect();
    assert_eq!(results(&mut driver), expected);
    assert_eq!(driver.counters()["late:sums"], 0);
}

#[test]
fn rows_of_windows_can_be_looked_up_by_key_and_time() {
    let mut driver = driver(Hopping::of(100).advance_by(50).grace(1_000), true);
    pipe(&mut driver, &[("a", 1, 60), ("b", 2, 120), ("a", 4, 170)]);
    let store = driver.window_store::<String, i64>("sums").unwrap();
    assert_eq!(store.get(&"a".into(), 50).unwrap(), Some(1));
    assert_eq!(store.get(&"a".into(), 55).unwrap(), None);
    assert_eq!(store.fetch(&"a".into(), 50, 100).unwrap(), [(50, 1), (100, 4)]);
    let window = |key: &str, start| Windowed { key: key.to_owned(), start, end: start + 100 };
    assert_eq!(store.fetch_all(100, 100).unwrap(), [(window("a", 100), 4), (window("b", 100), 2)]);
    assert_eq!(store.all().unwrap().len(), 6);
}

#[test]
fn the_unlimited_window_takes_everything_from_its_start_on_and_never_closes() {
    let mut driver = driver(Unlimited::starting_at(50), true);
    pipe(&mut driver, &[("k", 1, 10), ("k", 2, 50), ("k", 4, days(10_000)), ("k", 8, 60)]);
    assert_eq!(results(&mut driver), [row(50, "k", 2), row(50, "k", 6), row(50, "k", 14)]);
    assert_eq!(driver.counters()["late:sums"], 0);
    driver.end_of_input().unwrap();
    let window = Windowed { key: "k".to_owned(), start: 50, end: i64::MAX };
    assert_eq!(driver.window_store::<String, i64>("sums").unwrap().all().unwrap(), [(window, 14)]);
}

#[test]
fn a_null_result_of_a_windowed_reduce_deletes_the_row_and_the_next_record_starts_it_afresh() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, Option<i64>>("in", Json)
        .group_by_key("by-key")
        .windowed_by(Tumbling::of(100).no_grace())
        .reduce(Materialized::<String, Option<i64>>::named("sums").uncached(), |a, b| Some(a? + b?))
        .to_stream()
        .map(|window, sum| (window.key, sum.flatten()))
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<String, Option<i64>>("in", Json);
    for (n, time) in [(None, 40), (Some(1), 30), (Some(2), 35), (None, 50), (Some(4), 10)] {
        input.pipe(&mut driver, "k".into(), n, time).unwrap();
    }
    let records = driver.output::<String, Option<i64>>("out", Json).read(&mut driver).unwrap();
    let found: Vec<_> = records.into_iter().map(|record| (record.value, record.timestamp)).collect();
    assert_eq!(found, [(None, 40), (Some(1), 30), (Some(3), 35), (None, 50), (Some(4), 10)]);
}
