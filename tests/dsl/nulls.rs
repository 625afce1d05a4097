//! Null keys and null values.

use headwater::prelude::*;

type Numbers = KStream<Option<String>, Option<i64>>;

fn driver(build: impl FnOnce(&Numbers)) -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    build(&app.stream("in", Json));
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<Option<String>, Option<i64>>("in", Json);
    for (key, value) in [(Some("k"), Some(1)), (None, Some(2)), (Some("k"), None), (None, None)] {
        input.pipe(&mut driver, key.map(str::to_owned), value, 5).unwrap();
    }
    driver
}

#[test]
fn a_stateless_step_sees_nulls_as_none_and_they_stay_null() {
    let mut driver = driver(|numbers| numbers.filter(|_, _| true).to("out", Json));
    let records = driver.output::<Option<String>, Option<i64>>("out", Json).read_key_values(&mut driver).unwrap();
    let k = || Some("k".to_owned());
    assert_eq!(records, [(k(), Some(1)), (None, Some(2)), (k(), None), (None, None)]);
}

#[test]
fn an_aggregate_drops_null_keys_and_null_values_and_counts_them() {
    let driver = driver(|numbers| drop(numbers.group_by_key("by-key").count("counts")));
    let counts = driver.store::<Option<String>, i64>("counts").unwrap().all().unwrap();
    assert_eq!(counts, [(Some("k".to_owned()), 1)]);
    assert_eq!(driver.counters()["null:counts"], 3);
}

#[test]
fn a_windowed_aggregate_takes_null_values_and_drops_null_keys() {
    let windows = Tumbling::of(100).no_grace();
    let driver = driver(|numbers| drop(numbers.group_by_key("by-key").windowed_by(windows).count("counts")));
    let counts = driver.window_store::<Option<String>, i64>("counts").unwrap().all().unwrap();
    assert_eq!(counts, [(Windowed { key: Some("k".to_owned()), start: 0, end: 100 }, 2)]);
    assert_eq!(driver.counters()["null-key:counts"], 2);
}

#[test]
fn a_null_key_moves_no_windows_time_and_a_null_value_does() {
    let app = StreamsBuilder::new("demo");
    let numbers: Numbers = app.stream("in", Json);
    numbers.group_by_key("by-key").windowed_by(Tumbling::of(100).no_grace()).count("counts");
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<Option<String>, Option<i64>>("in", Json);
    input.pipe(&mut driver, None, Some(1), 1_000).unwrap();
    input.pipe(&mut driver, Some("k".into()), Some(1), 10).unwrap();
    assert_eq!(driver.counters()["late:counts"], 0);
    input.pipe(&mut driver, Some("k".into()), None, 500).unwrap();
    input.pipe(&mut driver, Some("k".into()), Some(1), 10).unwrap();
    assert_eq!(driver.counters()["late:counts"], 1);
}

#[test]
fn null_keys_are_dropped_before_a_repartition_and_counted_there() {
    let mut driver = driver(|numbers| numbers.repartition("wide").to("out", Json));
    let records = driver.output::<Option<String>, Option<i64>>("out", Json).read_values(&mut driver).unwrap();
    assert_eq!(records, [Some(1), None]);
    assert_eq!(driver.counters()["null-key:wide-repartition"], 2);
}

#[test]
fn a_table_drops_null_keys_and_counts_them() {
    let app = StreamsBuilder::new("demo");
    app.table::<Option<String>, i64>("in", Json, "latest");
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<Option<String>, Option<i64>>("in", Json);
    input.pipe(&mut driver, None, Some(1), 0).unwrap();
    assert_eq!(driver.counters()["null-key:latest"], 1);
}

#[test]
fn a_join_with_a_global_table_drops_null_keys_unless_it_is_a_left_join() {
    let app = StreamsBuilder::new("demo");
    let names = app.global_table::<Option<String>, String>("names", Text, "names");
    let numbers: KStream<Option<String>, i64> = app.stream("in", Json);
    numbers.join_global(&names, |key, _| key.clone(), |n, name| (n, Some(name))).named("inner").to("inner-out", Json);
    numbers.left_join_global(&names, |key, _| key.clone(), |n, name| (n, name)).to("left-out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<Option<String>, i64>("in", Json);
    input.pipe(&mut driver, None, 1, 0).unwrap();
    let mut read =
        |topic| driver.output::<Option<String>, (i64, Option<String>)>(topic, Json).read_values(&mut driver).unwrap();
    assert_eq!(read("inner-out"), []);
    assert_eq!(read("left-out"), [(1, None)]);
    assert_eq!((driver.counters()["null:inner"], driver.counters()["no-row:inner"]), (1, 0));
}

#[test]
fn a_join_with_a_global_table_drops_null_values_even_if_it_is_a_left_join() {
    let app = StreamsBuilder::new("demo");
    let names = app.global_table::<String, String>("names", Text, "names");
    let numbers: KStream<String, Option<i64>> = app.stream("in", Json);
    numbers.left_join_global(&names, |key, _| key.clone(), |n, _| n).named("left").to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<String, Option<i64>>("in", Json);
    input.pipe(&mut driver, "k".into(), None, 0).unwrap();
    input.pipe(&mut driver, "k".into(), Some(1), 0).unwrap();
    assert_eq!(driver.output::<String, Option<i64>>("out", Json).read_values(&mut driver).unwrap(), [Some(1)]);
    assert_eq!(driver.counters()["null:left"], 1);
}

/// The join takes rows without foreign key from a topic of its own; that is no reason to let null keys through above.
#[test]
fn a_null_key_above_a_foreign_key_join_goes_no_further_than_the_repartition() {
    let app = StreamsBuilder::new("demo");
    let customers = app.table::<String, String>("customers", Text, "known");
    let orders: KStream<Option<String>, String> =
        app.stream::<String, String>("in", Text).map(|key, customer| (Some(key).filter(|key| key != "?"), customer));
    let rows = Materialized::<Option<String>, String>::with("orders", Json, Text);
    let orders = orders.map_values(Some).to_table(Grouped::with("by-order", Json, Auto), rows);
    orders.left_join_on_foreign_key(&customers, |_, by| Some(by.clone()), |by, name| (by, name), "named", "receipts");
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<String, String>("in", Text);
    input.pipe(&mut driver, "?".into(), "ann".into(), 0).unwrap();
    input.pipe(&mut driver, "o1".into(), "ann".into(), 0).unwrap();
    let counters = driver.counters();
    assert_eq!((counters["null-key:by-order-repartition"], counters["null-key:orders"]), (1, 0));
}
