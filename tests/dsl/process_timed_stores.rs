//! Window, session and versioned stores of processors, and the tables that processors read.

use headwater::prelude::*;

type Cx<'a> = ProcessorContext<'a, String, String>;

/// A processor that takes orders as values and answers each with one record.
struct Clerk<S>(S, fn(&S, &str, &[&str]) -> UserResult<String>);

impl<S: 'static> Processor<String, String> for Clerk<S> {
    type KeyOut = String;
    type ValueOut = String;

    fn process(&mut self, cx: &mut Cx<'_>, record: Record<'_, String, String>) -> UserResult<()> {
        let words: Vec<&str> = record.value.split(' ').collect();
        let answer = (self.1)(&self.0, &record.key, &words)?;
        Ok(cx.forward(record.with_value(answer))?)
    }
}

fn ask(driver: &mut TopologyTestDriver, key: &str, order: &str) -> String {
    driver.input::<String, String>("in", Text).pipe(driver, key.into(), order.into(), 7).unwrap();
    driver.output::<String, String>("out", Text).read_values(driver).unwrap().pop().unwrap()
}

fn asks(driver: &mut TopologyTestDriver, cases: &[(&str, &str, &str)]) {
    for (key, order, answer) in cases {
        assert_eq!(ask(driver, key, order), *answer, "{key}: {order}");
    }
}

fn windows(rows: &WindowStore<String, i64>, key: &str, words: &[&str]) -> UserResult<String> {
    let key = key.to_owned();
    Ok(match *words {
        ["put", start, n] => {
            rows.put(&key, start.parse()?, n.parse()?)?;
            "done".to_owned()
        }
        ["get", start] => format!("{:?}", rows.get(&key, start.parse()?)?),
        ["delete", start] => format!("{:?}", rows.delete(&key, start.parse()?)?),
        ["fetch", from, to] => format!("{:?}", rows.fetch(&key, from.parse()?..=to.parse()?)?.collect::<Vec<_>>()),
        ["back"] => format!("{:?}", rows.fetch(&key, 0..=i64::MAX)?.rev().map(|(start, _)| start).collect::<Vec<_>>()),
        ["all"] => rows.all()?.map(|(key, start, n)| format!("{key}@{start}={n}")).collect::<Vec<_>>().join(" "),
        ["between", from, to] => {
            let found = rows.fetch_all(from.parse()?..=to.parse()?)?;
            found.map(|(key, start, n)| format!("{key}@{start}={n}")).collect::<Vec<_>>().join(" ")
        }
        _ => return Err("no such order".into()),
    })
}

fn window_driver() -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    let rows = app.window_store::<String, i64>("rows", 100);
    app.stream::<String, String>("in", Text).process("clerk", rows, |rows| Clerk(rows, windows)).to("out", Text);
    TopologyTestDriver::new(app.build().unwrap()).unwrap()
}

#[test]
fn a_window_store_finds_rows_by_key_and_time_and_lists_all_by_key_then_time() {
    asks(
        &mut window_driver(),
        &[
            ("b", "put 10 1", "done"),
            ("a", "put 20 2", "done"),
            ("b", "put 5 3", "done"),
            ("a", "put 60 4", "done"),
            ("a", "get 20", "Some(2)"),
            ("a", "get 21", "None"),
            ("a", "fetch 20 60", "[(20, 2), (60, 4)]"),
            ("a", "fetch 21 59", "[]"),
            ("a", "fetch 60 20", "[]"),
            ("b", "back", "[10, 5]"),
            ("-", "all", "a@20=2 a@60=4 b@5=3 b@10=1"),
            ("-", "between 6 20", "a@20=2 b@10=1"),
            ("a", "put 20 5", "done"),
            ("a", "delete 60", "Some(4)"),
            ("a", "delete 60", "None"),
            ("-", "all", "a@20=5 b@5=3 b@10=1"),
        ],
    );
}

#[test]
fn rows_older_than_the_retention_are_hidden_late_ones_counted_and_both_hold_after_a_restart() {
    let mut driver = window_driver();
    for (key, start) in [("a", 0), ("b", 1), ("a", 50), ("a", 100)] {
        ask(&mut driver, key, &format!("put {start} {start}"));
    }
    // The newest start is 100, and 100 ms are kept: 1..=100.
    let now = [("-", "all", "a@50=50 a@100=100 b@1=1"), ("a", "get 0", "None"), ("a", "put 0 7", "done")];
    asks(&mut driver, &now);
    let task = driver.tasks()[0];
    driver.restart_task(task).unwrap();
    asks(&mut driver, &[("-", "all", "a@50=50 a@100=100 b@1=1"), ("a", "put 0 7", "done"), ("b", "put 1 8", "done")]);
    asks(&mut driver, &[("-", "all", "a@50=50 a@100=100 b@1=8")]);
    assert_eq!(driver.counters()["late:rows"], 2);
}

fn sessions(rows: &SessionStore<String, i64>, key: &str, words: &[&str]) -> UserResult<String> {
    let key = key.to_owned();
    let list = |rows: &mut dyn Iterator<Item = StoredSession<i64>>| {
        rows.map(|s| format!("{}-{}={}", s.start, s.end, s.value)).collect::<Vec<_>>().join(" ")
    };
    Ok(match *words {
        ["put", start, end, n] => {
            rows.put(&key, start.parse()?, end.parse()?, n.parse()?)?;
            "done".to_owned()
        }
        ["get", start, end] => format!("{:?}", rows.get(&key, start.parse()?, end.parse()?)?),
        ["delete", start, end] => format!("{:?}", rows.delete(&key, start.parse()?, end.parse()?)?),
        ["find", end, start] => list(&mut rows.find(&key, end.parse()?, start.parse()?)?),
        ["fetch"] => list(&mut rows.fetch(&key)?),
        _ => return Err("no such order".into()),
    })
}

#[test]
fn a_session_store_finds_the_sessions_that_overlap_a_span_and_keeps_them_for_its_retention() {
    let app = StreamsBuilder::new("demo");
    let rows = app.session_store::<String, i64>("rows", 100);
    app.stream::<String, String>("in", Text).process("clerk", rows, |rows| Clerk(rows, sessions)).to("out", Text);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    asks(
        &mut driver,
        &[
            ("a", "put 0 10 1", "done"),
            ("a", "put 30 40 2", "done"),
            ("a", "put 20 40 3", "done"),
            ("a", "put 60 70 4", "done"),
            ("b", "put 0 10 5", "done"),
            ("a", "fetch", "0-10=1 20-40=3 30-40=2 60-70=4"),
            ("a", "find 11 59", "20-40=3 30-40=2"),
            ("a", "find 40 60", "20-40=3 30-40=2 60-70=4"),
            ("a", "find 0 -1", ""),
            ("a", "get 20 40", "Some(3)"),
            ("a", "get 20 41", "None"),
            ("a", "delete 20 40", "Some(3)"),
            ("a", "put 90 110 6", "done"),
            ("a", "fetch", "30-40=2 60-70=4 90-110=6"),
            ("b", "fetch", ""),
            ("b", "put 0 10 5", "done"),
            ("b", "fetch", ""),
        ],
    );
    assert_eq!(driver.counters()["late:rows"], 1);
}

fn versions(rows: &VersionedKeyValueStore<String, i64>, key: &str, words: &[&str]) -> UserResult<String> {
    let key = key.to_owned();
    Ok(match *words {
        ["put", n, from] => {
            rows.put(key, n.parse()?, from.parse()?)?;
            "done".to_owned()
        }
        ["delete", from] => {
            rows.delete(key, from.parse()?)?;
            "done".to_owned()
        }
        ["get"] => format!("{:?}", rows.get(&key)?),
        ["at", at] => format!("{:?}", rows.get_as_of(&key, at.parse()?)?),
        _ => return Err("no such order".into()),
    })
}

#[test]
fn a_versioned_store_answers_as_of_any_time_in_its_history() {
    let app = StreamsBuilder::new("demo");
    let rows = app.versioned_store::<String, i64>("rows", 100);
    app.stream::<String, String>("in", Text).process("clerk", rows, |rows| Clerk(rows, versions)).to("out", Text);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    asks(
        &mut driver,
        &[
            ("a", "get", "None"),
            ("a", "put 1 10", "done"),
            ("a", "put 3 50", "done"),
            ("a", "put 2 30", "done"),
            ("a", "get", "Some((3, 50))"),
            ("a", "at 49", "Some((2, 30))"),
            ("a", "at 29", "Some((1, 10))"),
            ("a", "at 9", "None"),
            ("a", "delete 60", "done"),
            ("a", "get", "None"),
            ("a", "at 60", "None"),
            ("a", "at 59", "Some((3, 50))"),
            ("a", "put 9 200", "done"),
            ("a", "put 7 99", "done"),
            ("a", "at 99", "None"),
        ],
    );
    assert_eq!(driver.counters()["late:rows"], 1);
}

#[test]
fn a_retention_below_a_millisecond_is_a_build_error() {
    let app = StreamsBuilder::new("demo");
    let rows = app.window_store::<String, i64>("rows", 0);
    app.stream::<String, String>("in", Text).process("clerk", rows, |rows| Clerk(rows, windows));
    assert_eq!(app.build().unwrap_err().0[0].code, "HW0142");
}

struct Looks(TableReader<String, i64>, GlobalTableReader<String, String>);

impl FixedKeyProcessor<String, i64> for Looks {
    type ValueOut = String;

    fn process(
        &mut self,
        cx: &mut FixedKeyContext<'_, String, String>,
        record: FixedKeyRecord<'_, String, i64>,
    ) -> UserResult<()> {
        let text = format!("{:?} {:?}", self.0.get_with_timestamp(record.key())?, self.1.get(record.key())?);
        Ok(cx.forward(record.with_value(text))?)
    }
}

#[test]
fn a_processor_reads_tables_and_global_tables_as_they_are_at_its_record() {
    let app = StreamsBuilder::new("demo");
    let names = app.global_table::<String, String>("names", Text, "all-names");
    let doubled = app.table::<String, i64>("rates", Json, "current").map_values(|_, n| n * 2);
    let stream = app.stream::<String, i64>("in", Json);
    stream.process_values("looks", (doubled.reader(), names), |(rates, names)| Looks(rates, names)).to("out", Text);
    let topology = app.build().unwrap();
    assert_eq!(topology.plan().subtopologies.len(), 1);
    assert!(topology.describe().contains("Processor: looks (stores: [current])"), "{}", topology.describe());
    let mut driver = TopologyTestDriver::new(topology).unwrap().without_auto_commit();
    let look = |driver: &mut TopologyTestDriver| {
        driver.input::<String, i64>("in", Json).pipe(driver, "k".into(), 1, 0).unwrap();
    };
    look(&mut driver);
    driver.input::<String, i64>("rates", Json).pipe(&mut driver, "k".into(), 3, 5).unwrap();
    driver.input::<String, String>("names", Text).pipe(&mut driver, "k".into(), "King".into(), 5).unwrap();
    look(&mut driver);
    driver.commit().unwrap();
    let out = driver.output::<String, String>("out", Text).read_values(&mut driver).unwrap();
    assert_eq!(out, ["None None", "Some((6, 5)) Some(\"King\")"]);
}

#[test]
fn tables_of_another_builder_cannot_be_read() {
    let other = StreamsBuilder::new("other");
    let rates = other.table::<String, i64>("rates", Json, "current");
    let names = other.global_table::<String, String>("names", Text, "all-names");
    let app = StreamsBuilder::new("demo");
    let own = app.table::<String, i64>("rates", Json, "current");
    let own_names = app.global_table::<String, String>("names", Text, "own-names");
    let stream = app.stream::<String, i64>("in", Json);
    stream.process_values("one", (rates.reader(), own_names), |(rates, names)| Looks(rates, names));
    stream.process_values("two", (own.reader(), names), |(rates, names)| Looks(rates, names));
    let errors = app.build().unwrap_err().0;
    let found: Vec<_> = errors.iter().map(|error| (error.code, error.node.as_str())).collect();
    assert_eq!(found, [("HW0115", "one"), ("HW0115", "two")]);
}

/// Forwards a record of long ago whenever the clock ticks.
struct LongAgo;

impl Processor<String, String> for LongAgo {
    type KeyOut = String;
    type ValueOut = String;

    fn init(&mut self, cx: &mut Cx<'_>) -> UserResult<()> {
        cx.schedule(10, Punctuation::WallClock)?;
        Ok(())
    }

    fn process(&mut self, cx: &mut Cx<'_>, record: Record<'_, String, String>) -> UserResult<()> {
        Ok(cx.forward(record)?)
    }

    fn punctuate(&mut self, cx: &mut Cx<'_>, _: Timer, _: Timestamp) -> UserResult<()> {
        Ok(cx.forward(Record::new("k".into(), "old".into(), 1))?)
    }
}

#[test]
fn what_a_timer_sends_into_a_window_that_has_closed_is_late() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, String>("in", Text)
        .repartition("spread")
        .process("long-ago", (), |()| LongAgo)
        .group_by_key("by-key")
        .windowed_by(Tumbling::of(10).no_grace().emit_on_close())
        .count("counts")
        .updates()
        .map(|window, n| (window.start, n))
        .to("out", Json);
    let topology = app.build().unwrap();
    // Once behind one upstream task, once behind two.
    for partitions in [1, 2] {
        let mut driver = TopologyTestDriver::new(topology.clone()).unwrap().with_partitions(partitions).unwrap();
        for partition in 0..partitions {
            for time in [5, 25] {
                let mut input = driver.input::<String, String>("in", Text).to_partition(partition);
                input.pipe(&mut driver, "k".into(), "r".into(), time).unwrap();
            }
        }
        driver.advance_wall_clock(10).unwrap();
        driver.end_of_input().unwrap();
        let out = driver.output::<i64, i64>("out", Json).read_key_values(&mut driver).unwrap();
        let n = i64::from(partitions);
        let late = driver.counters().get("late:counts").copied().unwrap_or_default();
        assert_eq!((out, late > 0), (vec![(0, n), (20, n)], true), "{partitions} partitions");
    }
}
