//! What a commit emits and makes visible.

use headwater::{prelude::*, testing::MemorySink};

fn driver() -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json).group_by_key("by-key").reduce("sums", |a, b| a + b).updates().to("out", Json);
    TopologyTestDriver::new(app.build().unwrap()).unwrap().without_auto_commit()
}

fn pipe(driver: &mut TopologyTestDriver, records: &[(&str, i64)]) {
    let mut input = driver.input::<String, i64>("in", Json);
    for (time, (key, n)) in (0_i64..).zip(records) {
        input.pipe(driver, (*key).to_owned(), *n, time).unwrap();
    }
}

fn results(driver: &mut TopologyTestDriver) -> Vec<(String, i64)> {
    driver.output::<String, i64>("out", Json).read_key_values(driver).unwrap()
}

#[test]
fn a_commit_emits_each_changed_row_once_in_the_order_of_the_last_changes() {
    let mut driver = driver();
    pipe(&mut driver, &[("a", 1), ("b", 2), ("c", 3), ("a", 4)]);
    assert_eq!(results(&mut driver), []);
    driver.commit().unwrap();
    assert_eq!(results(&mut driver), [("b".to_owned(), 2), ("c".to_owned(), 3), ("a".to_owned(), 5)]);
    driver.commit().unwrap();
    assert_eq!(results(&mut driver), []);
    pipe(&mut driver, &[("b", 10)]);
    driver.commit().unwrap();
    assert_eq!(results(&mut driver), [("b".to_owned(), 12)]);
}

#[test]
fn stores_show_what_is_committed() {
    let mut driver = driver();
    pipe(&mut driver, &[("a", 1)]);
    assert_eq!(driver.store::<String, i64>("sums").unwrap().get(&"a".into()).unwrap(), None);
    driver.commit().unwrap();
    pipe(&mut driver, &[("a", 1)]);
    let sums = driver.store::<String, i64>("sums").unwrap();
    assert_eq!(sums.get_with_timestamp(&"a".into()).unwrap(), Some((1, 0)));
    assert_eq!(sums.all().unwrap(), [("a".to_owned(), 1)]);
}

#[test]
fn an_update_carries_the_headers_of_the_record_that_caused_it() {
    let mut driver = driver();
    let mut input = driver.input::<String, i64>("in", Json);
    for (n, trace) in [(1, "first"), (2, "second")] {
        let mut headers = Headers::new();
        headers.push_text("trace", trace);
        input.pipe_with_headers(&mut driver, "a".into(), n, 0, headers).unwrap();
    }
    driver.commit().unwrap();
    let records = driver.output::<String, i64>("out", Json).read(&mut driver).unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].headers.len(), 1);
    assert_eq!(records[0].headers.last("trace").unwrap().value.as_deref(), Some(b"second".as_slice()));
}

#[test]
fn a_sink_shows_rows_when_their_input_is_committed() {
    let app = StreamsBuilder::new("demo");
    let sink = MemorySink::<String, i64>::new("numbers");
    app.stream::<String, i64>("in", Json).sink("numbers", sink.clone());
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap().without_auto_commit();
    pipe(&mut driver, &[("a", 1), ("b", 2)]);
    assert_eq!(sink.rows(), []);
    driver.commit().unwrap();
    assert_eq!(sink.rows(), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
}

#[test]
fn two_tables_in_a_row_pass_a_change_on_in_one_commit() {
    let app = StreamsBuilder::new("demo");
    let counts = app.stream::<String, i64>("in", Json).group_by_key("by-key").count("counts");
    counts.to_stream().to_table("again", "copy").updates().to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap().without_auto_commit();
    pipe(&mut driver, &[("a", 0), ("a", 0)]);
    driver.commit().unwrap();
    assert_eq!(results(&mut driver), [("a".to_owned(), 2)]);
    assert_eq!(driver.store::<String, i64>("copy").unwrap().get(&"a".into()).unwrap(), Some(2));
}
