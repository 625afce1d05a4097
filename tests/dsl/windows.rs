//! Which window takes a record, and until when.

use headwater::prelude::*;

fn driver(windows: Tumbling) -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json)
        .group_by_key("by-key")
        .windowed_by(windows)
        .count("counts")
        .updates()
        .map(|window, n| (window.start, n))
        .to("out", Json);
    TopologyTestDriver::new(app.build().unwrap()).unwrap()
}

fn pipe(driver: &mut TopologyTestDriver, times: &[i64]) {
    let mut input = driver.input::<String, i64>("in", Json);
    for time in times {
        input.pipe(driver, "k".into(), 0, *time).unwrap();
    }
}

fn results(driver: &mut TopologyTestDriver) -> Vec<(i64, i64)> {
    driver.output::<i64, i64>("out", Json).read_key_values(driver).unwrap()
}

#[test]
fn a_windows_start_belongs_to_it_and_its_end_does_not() {
    let mut driver = driver(Tumbling::of(100).grace(1_000));
    pipe(&mut driver, &[0, 99, 100, 199, 200]);
    assert_eq!(results(&mut driver), [(0, 1), (0, 2), (100, 1), (100, 2), (200, 1)]);
}

#[test]
fn a_window_takes_records_until_its_end_and_grace_are_reached_and_not_at_that_time() {
    let mut driver = driver(Tumbling::of(100).grace(50));
    pipe(&mut driver, &[10, 149, 20]);
    assert_eq!(results(&mut driver), [(0, 1), (100, 1), (0, 2)]);
    pipe(&mut driver, &[150, 30]);
    assert_eq!(results(&mut driver), [(100, 2)]);
    assert_eq!(driver.counters()["late:counts"], 1);
}

#[test]
fn without_grace_a_window_closes_at_its_end() {
    let mut driver = driver(Tumbling::of(100).no_grace());
    pipe(&mut driver, &[10, 99, 98, 100, 99]);
    assert_eq!(results(&mut driver), [(0, 1), (0, 2), (0, 3), (100, 1)]);
    assert_eq!(driver.counters()["late:counts"], 1);
}

#[test]
fn a_late_record_does_not_move_time_back_and_is_counted_each_time() {
    let mut driver = driver(Tumbling::of(100).no_grace());
    pipe(&mut driver, &[500, 1, 2, 3, 499]);
    assert_eq!(results(&mut driver), [(500, 1)]);
    assert_eq!(driver.counters()["late:counts"], 4);
}

#[test]
fn time_moves_with_all_keys() {
    let mut driver = driver(Tumbling::of(100).no_grace());
    let mut input = driver.input::<String, i64>("in", Json);
    input.pipe(&mut driver, "a".into(), 0, 10).unwrap();
    input.pipe(&mut driver, "b".into(), 0, 100).unwrap();
    input.pipe(&mut driver, "a".into(), 0, 20).unwrap();
    assert_eq!(driver.counters()["late:counts"], 1);
}

#[test]
fn an_operators_time_is_that_of_the_records_that_reach_it() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json)
        .filter(|_, n| *n > 0)
        .group_by_key("by-key")
        .windowed_by(Tumbling::of(100).no_grace())
        .count("counts");
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    input.pipe(&mut driver, "k".into(), 0, 1_000).unwrap();
    input.pipe(&mut driver, "k".into(), 1, 10).unwrap();
    assert_eq!(driver.counters()["late:counts"], 0);
    assert_eq!(driver.window_store::<String, i64>("counts").unwrap().get(&"k".into(), 0).unwrap(), Some(1));
}

#[test]
fn a_result_has_the_greatest_time_of_its_records() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json)
        .group_by_key("by-key")
        .windowed_by(Tumbling::of(100).grace(100))
        .count("counts")
        .updates()
        .map(|window, n| (window.key, n))
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    pipe(&mut driver, &[40, 30, 60]);
    let records = driver.output::<String, i64>("out", Json).read(&mut driver).unwrap();
    assert_eq!(records.iter().map(|record| record.timestamp).collect::<Vec<_>>(), [40, 40, 60]);
}

#[test]
fn windows_before_1970_do_not_exist_as_negative_times_are_dropped_and_counted() {
    let mut driver = driver(Tumbling::of(100).no_grace());
    pipe(&mut driver, &[-1, 0]);
    assert_eq!(results(&mut driver), [(0, 1)]);
    assert_eq!(driver.counters()["negative-timestamp:in"], 1);
}

#[test]
fn event_time_can_come_from_the_record_itself() {
    let app = StreamsBuilder::new("demo");
    app.stream("in", Consumed::<String, i64>::json().timestamp(|_, n| *n))
        .group_by_key("by-key")
        .windowed_by(Tumbling::of(100).no_grace())
        .count("counts");
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    for n in [250, 260, 10, -5] {
        input.pipe(&mut driver, "k".into(), n, 777).unwrap();
    }
    let rows = driver.window_store::<String, i64>("counts").unwrap().all().unwrap();
    assert_eq!(rows, [(Windowed { key: "k".to_owned(), start: 200, end: 300 }, 2)]);
    assert_eq!((driver.counters()["late:counts"], driver.counters()["negative-timestamp:in"]), (1, 1));
}
