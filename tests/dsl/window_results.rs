//! When windows emit, and in what order.

use headwater::prelude::*;

fn driver(windows: Tumbling) -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json)
        .group_by_key("by-key")
        .windowed_by(windows)
        .aggregate("sums", || 0_i64, |_, n, sum| *sum += n)
        .to_stream()
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

type Results = Vec<((i64, String), Option<i64>)>;

fn results(driver: &mut TopologyTestDriver) -> Results {
    driver.output::<(i64, String), Option<i64>>("out", Json).read_key_values(driver).unwrap()
}

fn row(start: i64, key: &str, sum: i64) -> ((i64, String), Option<i64>) {
    ((start, key.to_owned()), Some(sum))
}

#[test]
fn closed_windows_come_in_the_order_of_start_and_then_key_bytes() {
    let mut driver = driver(Tumbling::of(100).grace(1_000).emit_on_close());
    pipe(&mut driver, &[("b", 1, 150), ("z", 2, 20), ("a", 3, 199), ("B", 4, 101), ("b", 5, 50), ("a", 6, 300)]);
    assert_eq!(results(&mut driver), []);
    pipe(&mut driver, &[("x", 7, 1_200)]);
    let expected = [row(0, "b", 5), row(0, "z", 2), row(100, "B", 4), row(100, "a", 3), row(100, "b", 1)];
    assert_eq!(results(&mut driver), expected);
}

#[test]
fn every_closed_window_is_emitted_once() {
    // Kafka Streams, fed once a minute with 60 s windows and 30 s of grace, emits nothing at all.
    let mut driver = driver(Tumbling::of(seconds(60)).grace(seconds(30)).emit_on_close());
    for minute in 0..100 {
        pipe(&mut driver, &[("k", minute, minutes(minute))]);
    }
    let expected: Vec<_> = (0..98).map(|minute| row(minutes(minute), "k", minute)).collect();
    assert_eq!(results(&mut driver), expected);
    driver.end_of_input().unwrap();
    assert_eq!(results(&mut driver), [row(minutes(98), "k", 98), row(minutes(99), "k", 99)]);
}

#[test]
fn a_window_closes_when_its_end_and_grace_are_reached() {
    let mut driver = driver(Tumbling::of(100).grace(50).emit_on_close());
    pipe(&mut driver, &[("k", 1, 10), ("k", 2, 149)]);
    assert_eq!(results(&mut driver), []);
    pipe(&mut driver, &[("k", 4, 150)]);
    assert_eq!(results(&mut driver), [row(0, "k", 1)]);
}

#[test]
fn a_final_result_is_final() {
    let mut driver = driver(Tumbling::of(100).no_grace().emit_on_close());
    pipe(&mut driver, &[("k", 1, 10), ("k", 1, 100), ("k", 1, 20), ("other", 1, 30)]);
    driver.end_of_input().unwrap();
    assert_eq!(results(&mut driver), [row(0, "k", 1), row(100, "k", 1)]);
    assert_eq!(driver.counters()["late:sums"], 2);
}

#[test]
fn the_end_of_input_closes_all_windows_and_a_later_run_finds_them_closed() {
    let mut driver = driver(Tumbling::of(100).grace(1_000_000).emit_on_close());
    pipe(&mut driver, &[("k", 1, 10), ("k", 2, 510)]);
    driver.end_of_input().unwrap();
    assert_eq!(results(&mut driver), [row(0, "k", 1), row(500, "k", 2)]);
    driver.end_of_input().unwrap();
    assert_eq!(results(&mut driver), []);
    pipe(&mut driver, &[("k", 4, 599), ("k", 8, 600)]);
    driver.end_of_input().unwrap();
    assert_eq!(results(&mut driver), [row(600, "k", 8)]);
    assert_eq!(driver.counters()["late:sums"], 1);
    assert_eq!(driver.window_store::<String, i64>("sums").unwrap().all().unwrap(), []);
}

#[test]
fn closed_windows_leave_the_store() {
    for windows in [Tumbling::of(100).no_grace(), Tumbling::of(100).no_grace().emit_on_close()] {
        let mut driver = driver(windows);
        pipe(&mut driver, &[("a", 1, 10), ("b", 2, 20), ("a", 3, 110)]);
        let rows = driver.window_store::<String, i64>("sums").unwrap().all().unwrap();
        assert_eq!(rows, [(Windowed { key: "a".to_owned(), start: 100, end: 200 }, 3)], "{windows:?}");
    }
}

#[test]
fn in_update_mode_a_closing_window_is_no_tombstone() {
    let mut driver = driver(Tumbling::of(100).no_grace());
    pipe(&mut driver, &[("k", 1, 10), ("k", 2, 110), ("k", 4, 210)]);
    assert_eq!(results(&mut driver), [row(0, "k", 1), row(100, "k", 2), row(200, "k", 4)]);
}

#[test]
fn in_update_mode_the_last_update_goes_out_though_the_window_closes_before_the_commit() {
    let mut driver = driver(Tumbling::of(100).no_grace()).without_auto_commit();
    pipe(&mut driver, &[("k", 1, 10)]);
    driver.commit().unwrap();
    pipe(&mut driver, &[("k", 2, 20), ("new", 4, 30), ("k", 8, 110)]);
    driver.commit().unwrap();
    assert_eq!(results(&mut driver), [row(0, "k", 1), row(0, "k", 3), row(0, "new", 4), row(100, "k", 8)]);
    assert_eq!(driver.window_store::<String, i64>("sums").unwrap().all().unwrap().len(), 1);
}

#[test]
fn results_on_close_are_not_committed_before_their_cause() {
    let mut driver = driver(Tumbling::of(100).no_grace().emit_on_close()).without_auto_commit();
    pipe(&mut driver, &[("k", 1, 10), ("k", 2, 110)]);
    assert_eq!(results(&mut driver), []);
    driver.commit().unwrap();
    assert_eq!(results(&mut driver), [row(0, "k", 1)]);
}
