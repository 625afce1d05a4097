//! Streams joined with tables that know their history, with and without waiting for late rows.

use headwater::prelude::*;

fn driver(grace: Option<i64>, left: bool) -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    let rows = app.table::<String, String>("table", Text, Materialized::with("rows", Text, Text).versioned(100));
    let words = Joined::with("j", Text, Text);
    let words = if let Some(grace) = grace { words.grace(grace) } else { words };
    let text = |value: Option<String>| value.unwrap_or_default();
    let stream = app.stream::<String, Option<String>>("records", (Text, Text));
    let joined = if left {
        stream.left_join_table(&rows, move |l, r| text(l) + "/" + &text(r), words)
    } else {
        stream.join_table(&rows, move |l, r| text(l) + "/" + &r, words)
    };
    joined.to("out", Text);
    TopologyTestDriver::new(app.build().unwrap()).unwrap()
}

fn record(driver: &mut TopologyTestDriver, value: Option<&str>, time: i64) -> Vec<String> {
    let mut input = driver.input::<String, Option<String>>("records", Text);
    input.pipe(driver, "k".into(), value.map(str::to_owned), time).unwrap();
    out(driver)
}

fn row(driver: &mut TopologyTestDriver, value: &str, time: i64) {
    driver.input::<String, String>("table", Text).pipe(driver, "k".into(), value.into(), time).unwrap();
}

fn out(driver: &mut TopologyTestDriver) -> Vec<String> {
    let out = driver.output::<String, String>("out", Text).read(driver).unwrap();
    out.into_iter().map(|record| format!("{}@{}", record.value, record.timestamp)).collect()
}

const NONE: [&str; 0] = [];

#[test]
fn without_grace_a_record_meets_the_row_of_its_time_if_it_is_there() {
    let mut driver = driver(None, true);
    row(&mut driver, "x", 10);
    row(&mut driver, "y", 20);
    assert_eq!(record(&mut driver, Some("a"), 15), ["a/x@15"]);
    assert_eq!(record(&mut driver, Some("b"), 5), ["b/@5"]);
    assert_eq!(record(&mut driver, Some("c"), 20), ["c/y@20"]);
}

#[test]
fn with_grace_a_record_waits_so_that_a_row_may_come_late() {
    for left in [true, false] {
        let mut driver = driver(Some(10), left);
        row(&mut driver, "x", 10);
        assert_eq!(record(&mut driver, Some("a"), 15), NONE);
        assert_eq!(record(&mut driver, Some("b"), 14), NONE);
        row(&mut driver, "y", 12);
        assert_eq!(record(&mut driver, None, 99), NONE, "a record without value moves no time");
        assert_eq!(record(&mut driver, Some("c"), 24), ["b/y@14"]);
        assert_eq!(record(&mut driver, Some("d"), 13), ["d/y@13"], "later than the grace: joined at once");
        let tasks = driver.tasks();
        driver.restart_task(tasks[0]).unwrap();
        assert_eq!(record(&mut driver, Some("e"), 40), ["a/y@15", "c/y@24"], "what waits outlives a restart");
        driver.end_of_input().unwrap();
        assert_eq!(out(&mut driver), ["e/y@40"]);
        assert_eq!(driver.store_entries("j-buffer").unwrap(), 0);
        assert_eq!(driver.counters()["null:j"], 1);
    }
}

#[test]
fn a_record_that_waited_has_the_headers_it_came_with() {
    let mut driver = driver(Some(10), true);
    let mut headers = Headers::new();
    headers.push_text("who", "a");
    let mut input = driver.input::<String, Option<String>>("records", Text);
    input.pipe_with_headers(&mut driver, "k".into(), Some("a".into()), 1, headers.clone()).unwrap();
    input.pipe(&mut driver, "k".into(), Some("b".into()), 20).unwrap();
    let out = driver.output::<String, String>("out", Text).read(&mut driver).unwrap();
    assert_eq!((out.len(), &out[0].headers), (1, &headers));
}

#[test]
fn in_a_left_join_a_null_key_is_joined_with_nothing_at_once_also_behind_a_repartition() {
    for grace in [None, Some(10)] {
        let app = StreamsBuilder::new("demo");
        let rows = app
            .stream::<Option<String>, Option<String>>("table", (Text, Text))
            .to_table(Grouped::with("rows-by-key", Text, Text), Materialized::with("rows", Text, Text).versioned(100));
        let words = Joined::with("j", Text, Text);
        let words = if let Some(grace) = grace { words.grace(grace) } else { words };
        let records = app.stream::<String, String>("records", Text);
        let keyed = records.map(|_, value| ((value != "none").then(|| "k".to_owned()), value));
        let join = |l: String, r: Option<String>| l + "/" + &r.unwrap_or_default();
        keyed.left_join_table(&rows, join, words).map(|_, value| ("out".to_owned(), value)).to("out", Text);
        let topology = app.build().unwrap();
        assert_eq!(topology.plan().repartition_topics(), ["demo-j-repartition"]);
        let mut driver = TopologyTestDriver::new(topology).unwrap();
        assert_eq!(record(&mut driver, Some("none"), 7), ["none/@7"]);
        assert_eq!(driver.counters()["null-key:j-repartition"], 0);
    }
}

#[test]
fn a_grace_needs_a_table_with_a_history_that_is_long_enough() {
    for (history, grace, code) in [(None, 5, "HW0151"), (Some(4), 5, "HW0151"), (Some(4), -1, "HW0105")] {
        let app = StreamsBuilder::new("demo");
        let store = Materialized::with("rows", Text, Text);
        let store = if let Some(history) = history { store.versioned(history) } else { store };
        let rows = app.table::<String, String>("table", Text, store);
        let words = Joined::with("j", Text, Text).grace(grace);
        app.stream::<String, String>("in", Text).join_table(&rows, |l, r| l + &r, words).to("out", Text);
        let mistakes = app.build().unwrap_err().0;
        assert_eq!(mistakes.iter().map(|mistake| mistake.code).collect::<Vec<_>>(), [code]);
    }
}

/// The records have come to their end, but the table has not: what waits still has to wait.
#[test]
fn records_that_wait_for_late_rows_wait_until_the_table_has_ended_too() {
    let mut driver = driver(Some(10), true).bounded().unwrap().stepping();
    record(&mut driver, Some("a"), 100);
    for (value, time) in [("x", 50), ("z", 120), ("y", 99)] {
        row(&mut driver, value, time);
    }
    let task = driver.tasks()[0];
    assert!(driver.step(task).unwrap() && driver.step(task).unwrap());
    assert!(!driver.end_task(task).unwrap(), "the table has two rows more");
    assert_eq!(out(&mut driver), NONE);
    while driver.step(task).unwrap() {}
    assert!(driver.end_task(task).unwrap());
    assert_eq!(out(&mut driver), ["a/y@100"]);
}

/// What an outer join releases at the end meets the rows that a table has at its own end.
#[test]
fn what_is_released_at_the_end_meets_a_table_that_has_ended_too() {
    let app = StreamsBuilder::new("demo");
    let rows = app.table::<String, String>("table", Text, Materialized::with("rows", Text, Text));
    let [left, right] = ["left", "right"].map(|topic| app.stream::<String, String>(topic, Text));
    let windows = JoinWindows::of(10).no_grace();
    let pairs = left.left_join_stream(&right, |l, _| l, windows, StreamJoined::with("pairs", Text, Text, Text));
    pairs
        .left_join_table(&rows, |l, r| l + "/" + &r.unwrap_or_default(), Joined::with("j", Text, Text))
        .to("out", Text);
    let driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut driver = driver.bounded().unwrap().stepping();
    driver.input::<String, String>("left", Text).pipe(&mut driver, "k".into(), "a".into(), 100).unwrap();
    row(&mut driver, "late", 200);
    let task = driver.tasks()[0];
    assert!(driver.step(task).unwrap());
    assert!(!driver.end_task(task).unwrap());
    assert!(driver.step(task).unwrap());
    assert!(driver.end_task(task).unwrap());
    assert_eq!(out(&mut driver), ["a/late@100"]);
}
