//! Changes held back: until a window is final, or for some time.

use headwater::{prelude::*, testing::TestRecord};

/// The sums of windows of 100 with a grace of 50, held back until they are final.
fn finals(suppressed: Suppressed<String, i64>) -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json)
        .group_by_key("by-key")
        .windowed_by(Tumbling::of(100).grace(50))
        .reduce("sums", |a, b| a + b)
        .suppress_until_closed(suppressed)
        .to_stream()
        .map(|window, n| (window.key, (window.start, n)))
        .to("out", Json);
    TopologyTestDriver::new(app.build().unwrap()).unwrap()
}

/// The changes of a table, each row's held back for 100.
fn limited(suppressed: Suppressed<String, i64>) -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    let table = app.table::<String, i64>("in", Json, "latest").suppress_until_time_limit(100, suppressed);
    table.to_stream().to("out", Json);
    table
        .group_by(|_, n| ("all".to_owned(), n), "to-one")
        .reduce("total", |sum, n| sum + n, |sum, n| sum - n)
        .updates()
        .to("totals", Json);
    app.stream::<String, i64>("lookups", Json).left_join_table(&table, |_, row| row, "look-up").to("found", Json);
    TopologyTestDriver::new(app.build().unwrap()).unwrap()
}

fn pipe(driver: &mut TopologyTestDriver, records: &[(&str, i64, i64)]) {
    let mut input = driver.input::<String, i64>("in", Json);
    for (key, n, time) in records {
        input.pipe(driver, (*key).to_owned(), *n, *time).unwrap();
    }
}

fn windows(driver: &mut TopologyTestDriver) -> Vec<(String, i64, Option<i64>)> {
    let records = driver.output::<String, (i64, Option<i64>)>("out", Json).read_key_values(driver).unwrap();
    records.into_iter().map(|(key, (start, n))| (key, start, n)).collect()
}

fn changes(driver: &mut TopologyTestDriver) -> Vec<TestRecord<String, Option<i64>>> {
    driver.output::<String, Option<i64>>("out", Json).read(driver).unwrap()
}

fn values(driver: &mut TopologyTestDriver) -> Vec<Option<i64>> {
    changes(driver).into_iter().map(|record| record.value).collect()
}

fn named() -> Suppressed<String, i64> {
    Suppressed::named("held")
}

#[test]
fn each_window_is_sent_once_when_its_end_and_grace_have_passed_in_order_of_end_and_key() {
    let mut driver = finals(named());
    pipe(&mut driver, &[("b", 1, 10), ("a", 2, 20), ("b", 4, 110), ("b", 8, 60), ("z", 0, 149)]);
    assert_eq!(windows(&mut driver), []);
    pipe(&mut driver, &[("z", 0, 150)]);
    let (a, b) = (|| "a".to_owned(), || "b".to_owned());
    assert_eq!(windows(&mut driver), [(a(), 0, Some(2)), (b(), 0, Some(9))]);
    pipe(&mut driver, &[("b", 16, 70), ("z", 0, 400)]);
    assert_eq!(windows(&mut driver), [(b(), 100, Some(4)), ("z".to_owned(), 100, Some(0))]);
    assert_eq!(driver.counters()["late:sums"], 1);
}

#[test]
fn at_the_end_of_input_every_window_is_final_and_what_a_further_run_brings_for_it_is_late() {
    let mut driver = finals(named());
    pipe(&mut driver, &[("k", 1, 10)]);
    driver.end_of_input().unwrap();
    assert_eq!(windows(&mut driver), [("k".to_owned(), 0, Some(1))]);
    pipe(&mut driver, &[("k", 2, 20), ("k", 4, 130)]);
    driver.end_of_input().unwrap();
    assert_eq!(windows(&mut driver), [("k".to_owned(), 100, Some(4))]);
    assert_eq!(driver.counters()["late:held"], 1);
}

#[test]
fn final_results_reach_a_window_below_before_it_closes_at_the_end_of_input() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json)
        .group_by_key("by-key")
        .windowed_by(Tumbling::of(100).grace(50))
        .count("counts")
        .suppress_until_closed("held")
        .updates()
        .map_values(|n| n)
        .group_by_key("again")
        .windowed_by(Tumbling::of(1000).no_grace().emit_on_close())
        .reduce("sums", |a, b| a + b)
        .updates()
        .map(|window, n| (window.key.key, n))
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    pipe(&mut driver, &[("k", 0, 10), ("k", 0, 20)]);
    driver.end_of_input().unwrap();
    assert_eq!(driver.output::<String, i64>("out", Json).read_key_values(&mut driver).unwrap(), [("k".to_owned(), 2)]);
}

#[test]
fn a_window_that_was_deleted_again_is_not_sent() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json)
        .group_by_key("by-key")
        .windowed_by(Tumbling::of(100).no_grace())
        .reduce("sums", |a, b| a + b)
        .filter(|_, n| *n < 5)
        .suppress_until_closed("held")
        .to_stream()
        .map(|window, n| (window.key, (window.start, n)))
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    pipe(&mut driver, &[("gone", 1, 10), ("k", 1, 10), ("gone", 9, 20), ("k", 2, 300)]);
    assert_eq!(windows(&mut driver), [("k".to_owned(), 0, Some(1))]);
}

#[test]
fn what_is_held_back_survives_a_crash_exactly() {
    let records =
        [("b", 1, 10), ("a", 2, 20), ("b", 4, 110), ("c", 8, 60), ("z", 0, 150), ("a", 3, 160), ("z", 0, 900)];
    let mut expected = finals(named());
    pipe(&mut expected, &records);
    let expected = windows(&mut expected);
    assert_eq!(expected.len(), 6);
    for crash in 0..records.len() {
        let mut driver = finals(named());
        let task = driver.tasks()[0];
        pipe(&mut driver, &records[..crash]);
        driver.restart_task(task).unwrap();
        pipe(&mut driver, &records[crash..]);
        assert_eq!(windows(&mut driver), expected, "a crash after {crash}");
    }
}

#[test]
fn windows_of_every_kind_are_final_when_their_own_rule_says_so() {
    // Key, start and end of the results sent by the time given, one record every 10 up to there.
    fn sent<W: FnOnce(&KStream<String, i64>) -> KTable<Windowed<String>, i64>>(
        windowed: W,
        times: &[i64],
    ) -> Vec<(i64, i64)> {
        let app = StreamsBuilder::new("demo");
        windowed(&app.stream::<String, i64>("in", Json))
            .suppress_until_closed("held")
            .updates()
            .map(|window, n| (window.start, (window.end, n)))
            .to("out", Json);
        let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
        let records: Vec<_> = times.iter().map(|time| ("k", 1, *time)).collect();
        pipe(&mut driver, &records);
        let sent = driver.output::<i64, (i64, i64)>("out", Json).read_key_values(&mut driver).unwrap();
        sent.into_iter().map(|(start, (end, _))| (start, end)).collect()
    }
    let hopping = |s: &KStream<String, i64>| {
        s.group_by_key("k").windowed_by(Hopping::of(20).advance_by(10).grace(5)).count("counts")
    };
    assert_eq!(sent(hopping, &[12, 34]), [(0, 20)]);
    assert_eq!(sent(hopping, &[12, 35]), [(0, 20), (10, 30)]);
    let sessions =
        |s: &KStream<String, i64>| s.group_by_key("k").windowed_by(Session::with_gap(10).grace(5)).count("counts");
    assert_eq!(sent(sessions, &[12, 18, 32]), []);
    assert_eq!(sent(sessions, &[12, 18, 33]), [(12, 18)]);
    let sliding = |s: &KStream<String, i64>| s.group_by_key("k").windowed_by(Sliding::of(10).grace(5)).count("counts");
    assert_eq!(sent(sliding, &[12, 16]), []);
    assert_eq!(sent(sliding, &[12, 17]), [(2, 12)]);
}

#[test]
fn the_last_change_of_a_row_goes_out_when_the_wait_that_its_first_one_began_is_over() {
    let mut driver = limited(named());
    pipe(&mut driver, &[("b", 1, 10), ("a", 2, 20), ("b", 3, 90)]);
    assert_eq!(values(&mut driver), []);
    pipe(&mut driver, &[("b", 4, 110), ("b", 5, 119)]);
    let sent: Vec<_> = changes(&mut driver).into_iter().map(|r| (r.key, r.value, r.timestamp)).collect();
    assert_eq!(sent, [("b".to_owned(), Some(4), 110)]);
    pipe(&mut driver, &[("c", 6, 500)]);
    let sent: Vec<_> = changes(&mut driver).into_iter().map(|r| (r.key, r.value, r.timestamp)).collect();
    assert_eq!(sent, [("a".to_owned(), Some(2), 20), ("b".to_owned(), Some(5), 119)]);
}

#[test]
fn a_row_carries_the_headers_of_its_last_change() {
    let mut driver = limited(named());
    let mut input = driver.input::<String, i64>("in", Json);
    for (n, time) in [(1, 0), (2, 10), (3, 200)] {
        let mut headers = Headers::new();
        headers.push_text("n", &n.to_string());
        input.pipe_with_headers(&mut driver, "k".into(), n, time, headers).unwrap();
    }
    let sent = changes(&mut driver);
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].value, sent[0].headers.last("n").unwrap().value.as_deref()), (Some(3), Some(b"3".as_slice())));
}

#[test]
fn an_aggregate_below_subtracts_what_it_was_sent_last_and_not_what_was_held_back() {
    let mut driver = limited(named());
    pipe(&mut driver, &[("k", 1, 0), ("k", 2, 100), ("k", 4, 150), ("k", 8, 250), ("k", 16, 260), ("k", 32, 400)]);
    assert_eq!(values(&mut driver), [Some(2), Some(8), Some(32)]);
    assert_eq!(driver.output::<String, i64>("totals", Json).read_values(&mut driver).unwrap(), [2, 8, 32]);
}

#[test]
fn a_look_up_sees_the_row_as_it_was_sent_last() {
    let mut driver = limited(named());
    let mut found = |records: &[(&str, i64, i64)]| {
        pipe(&mut driver, records);
        driver.input::<String, i64>("lookups", Json).pipe(&mut driver, "k".into(), 0, 0).unwrap();
        driver.output::<String, Option<i64>>("found", Json).read_values(&mut driver).unwrap()
    };
    assert_eq!(found(&[("k", 1, 0)]), [None]);
    assert_eq!(found(&[("k", 2, 100)]), [Some(2)]);
    assert_eq!(found(&[("k", 3, 150)]), [Some(2)]);
    assert_eq!(found(&[("other", 0, 250)]), [Some(3)]);
}

#[test]
fn a_full_buffer_stops_the_program_and_loses_nothing() {
    for (suppressed, what) in [(named().max_records(2), "3 changes wait"), (named().max_bytes(200), "bytes wait")] {
        let mut driver = limited(suppressed);
        pipe(&mut driver, &[("a", 1, 0), ("b", 2, 1)]);
        let error = driver.input::<String, i64>("in", Json).pipe(&mut driver, "c".into(), 3, 2).unwrap_err();
        assert_eq!(error.code(), "HW0240", "{error}");
        assert!(error.to_string().contains(what) && error.to_string().contains("node held"), "{error}");
        assert_eq!(driver.store::<String, i64>("latest").unwrap().all().unwrap().len(), 2);
    }
}

#[test]
fn a_full_buffer_that_may_sends_its_first_changes_early() {
    let mut driver = limited(named().max_records(2).emit_early());
    pipe(&mut driver, &[("a", 1, 0), ("b", 2, 1), ("b", 3, 2), ("c", 4, 3)]);
    assert_eq!(values(&mut driver), [Some(1)]);
    let mut driver = limited(named().unbounded().max_bytes(1).emit_early());
    pipe(&mut driver, &[("a", 1, 0), ("b", 2, 1)]);
    assert_eq!(values(&mut driver), [Some(1), Some(2)]);
}

#[test]
fn what_cannot_be_held_back_so_is_refused() {
    let app = StreamsBuilder::new("demo");
    let windowed = |name: &str, windows: Tumbling| {
        let stream = app.stream::<String, i64>(&format!("{name}-in"), Json);
        stream
            .group_by_key(format!("{name}-keys").as_str())
            .windowed_by(windows)
            .count(format!("{name}-counts").as_str())
    };
    let windows = Tumbling::of(100).no_grace();
    windowed("final", windows.emit_on_close()).suppress_until_closed("final");
    windowed("early", windows).suppress_until_closed(Suppressed::named("early").emit_early());
    app.table::<Windowed<String>, i64>("table-in", Json, "table").suppress_until_closed("plain");
    windowed("negative", windows).suppress_until_time_limit(-1, "negative");
    let errors = app.build().unwrap_err();
    let found: Vec<_> = errors.0.iter().map(|error| (error.code, error.node.as_str())).collect();
    assert_eq!(found, [("HW0143", "final"), ("HW0143", "early"), ("HW0143", "plain"), ("HW0143", "negative")]);
}
