//! Stores as processors use them.

use std::ops::Bound;

use headwater::prelude::*;

type Cx<'a> = ProcessorContext<'a, String, String>;

/// A processor that takes orders as values and answers each with one record.
struct Clerk(KeyValueStore<String, i64>);

impl Processor<String, String> for Clerk {
    type KeyOut = String;
    type ValueOut = String;

    fn process(&mut self, cx: &mut Cx<'_>, record: Record<'_, String, String>) -> UserResult<()> {
        let (key, store) = (record.key.clone(), &self.0);
        let words: Vec<&str> = record.value.split(' ').collect();
        let text = |key: &str| key.to_owned();
        let list = |rows: &mut dyn Iterator<Item = (String, i64)>| {
            rows.map(|(key, n)| format!("{key}={n}")).collect::<Vec<_>>().join(" ")
        };
        let answer = match *words.as_slice() {
            ["put", n] => {
                store.put(key, n.parse()?)?;
                "done".to_owned()
            }
            ["put-at", n, time] => {
                store.put_at(key, n.parse()?, time.parse()?)?;
                "done".to_owned()
            }
            ["get"] => format!("{:?}", store.get(&key)?),
            ["time"] => format!("{:?}", store.get_with_timestamp(&key)?),
            ["delete"] => format!("{:?}", store.delete(&key)?),
            ["absent", n] => format!("{:?}", store.put_if_absent(key, n.parse()?)?),
            ["all"] => list(&mut store.all()?),
            ["back"] => list(&mut store.all()?.rev()),
            ["range", from, to] => list(&mut store.range(text(from)..=text(to))?),
            ["until", to] => list(&mut store.range(..text(to))?),
            ["page", n] => list(&mut store.first((Bound::Excluded(key), Bound::Unbounded), n.parse()?)?),
            ["prefix", of] => list(&mut store.prefix(&text(of), Text)?),
            ["clear"] => {
                // The rows are those of the moment they were asked for.
                let rows = store.all()?;
                for (key, _) in rows {
                    store.delete(&key)?;
                    store.put(format!("{key}-gone"), 0)?;
                }
                "done".to_owned()
            }
            _ => return Err("no such order".into()),
        };
        Ok(cx.forward(record.with_value(answer))?)
    }
}

struct Desk(TopologyTestDriver);

impl Desk {
    fn new() -> Self {
        let app = StreamsBuilder::new("demo");
        let rows = app.store::<String, i64>("rows");
        app.stream::<String, String>("in", Text).process("clerk", rows, Clerk).to("out", Text);
        Self(TopologyTestDriver::new(app.build().unwrap()).unwrap())
    }

    fn ask(&mut self, key: &str, order: &str) -> String {
        let driver = &mut self.0;
        driver.input::<String, String>("in", Text).pipe(driver, key.into(), order.into(), 7).unwrap();
        driver.output::<String, String>("out", Text).read_values(driver).unwrap().pop().unwrap_or_default()
    }
}

fn asks(desk: &mut Desk, cases: &[(&str, &str, &str)]) {
    for (key, order, answer) in cases {
        assert_eq!(desk.ask(key, order), *answer, "{key}: {order}");
    }
}

#[test]
fn rows_are_put_read_and_deleted_with_the_time_of_the_record() {
    asks(
        &mut Desk::new(),
        &[
            ("a", "get", "None"),
            ("a", "put 1", "done"),
            ("a", "time", "Some((1, 7))"),
            ("a", "put-at 2 99", "done"),
            ("a", "time", "Some((2, 99))"),
            ("a", "absent 3", "Some(2)"),
            ("b", "absent 3", "None"),
            ("b", "get", "Some(3)"),
            ("a", "delete", "Some(2)"),
            ("a", "delete", "None"),
            ("a", "get", "None"),
        ],
    );
}

/// Key, order and answer over the rows a=1 ab=2 abc=3 b=4 c=5.
const RANGES: [(&str, &str, &str); 11] = [
    ("-", "all", "a=1 ab=2 abc=3 b=4 c=5"),
    ("-", "back", "c=5 b=4 abc=3 ab=2 a=1"),
    ("-", "range ab b", "ab=2 abc=3 b=4"),
    ("-", "range b ab", ""),
    ("-", "range b b", "b=4"),
    ("-", "until b", "a=1 ab=2 abc=3"),
    ("-", "prefix ab", "ab=2 abc=3"),
    ("-", "prefix x", ""),
    ("ab", "page 2", "abc=3 b=4"),
    ("b", "page 2", "c=5"),
    ("c", "page 2", ""),
];

#[test]
fn ranges_pages_and_prefixes_see_committed_rows_in_key_order() {
    let mut desk = Desk::new();
    for (key, n) in [("b", 4), ("ab", 2), ("c", 5), ("abc", 3), ("a", 1)] {
        desk.ask(key, &format!("put {n}"));
    }
    asks(&mut desk, &RANGES);
}

#[test]
fn ranges_see_changes_before_their_commit_over_what_is_committed() {
    let mut desk = Desk::new();
    for key in ["a", "aa", "b", "d"] {
        desk.ask(key, "put 9");
    }
    let mut driver = desk.0.without_auto_commit();
    let mut input = driver.input::<String, String>("in", Text);
    let changes = [
        ("b", "put 4"),
        ("ab", "put 2"),
        ("aa", "delete"),
        ("c", "put 5"),
        ("d", "delete"),
        ("abc", "put 3"),
        ("a", "put 8"),
        ("a", "put 1"),
        ("e", "put 6"),
        ("e", "delete"),
    ];
    for (key, order) in changes.into_iter().chain(RANGES.map(|(key, order, _)| (key, order))) {
        input.pipe(&mut driver, key.into(), order.into(), 7).unwrap();
    }
    driver.commit().unwrap();
    let answers = driver.output::<String, String>("out", Text).read_values(&mut driver).unwrap();
    assert_eq!(answers[changes.len()..], RANGES.map(|(_, _, answer)| answer));
}

#[test]
fn rows_may_be_changed_while_they_are_iterated() {
    let mut desk = Desk::new();
    for key in ["a", "b", "c"] {
        desk.ask(key, "put 1");
    }
    asks(&mut desk, &[("-", "clear", "done"), ("-", "all", "a-gone=0 b-gone=0 c-gone=0")]);
}

#[test]
fn what_a_failed_record_wrote_is_gone() {
    let mut desk = Desk::new();
    desk.ask("a", "put 1");
    let mut driver = desk.0.without_auto_commit();
    let mut input = driver.input::<String, String>("in", Text);
    input.pipe(&mut driver, "a".into(), "put 2".into(), 8).unwrap();
    input.pipe(&mut driver, "a".into(), "nonsense".into(), 9).unwrap_err();
    assert_eq!(driver.store::<String, i64>("rows").unwrap().get_with_timestamp(&"a".into()).unwrap(), Some((1, 7)));
}

/// Adds one to the row of its key, and says how much it holds.
struct Adds(KeyValueStore<String, i64>);

impl FixedKeyProcessor<String, i64> for Adds {
    type ValueOut = i64;

    fn process(
        &mut self,
        cx: &mut FixedKeyContext<'_, String, i64>,
        record: FixedKeyRecord<'_, String, i64>,
    ) -> UserResult<()> {
        let sum = self.0.get(record.key())?.unwrap_or_default() + record.value;
        self.0.put(record.key().clone(), sum)?;
        Ok(cx.forward(record.with_value(sum))?)
    }
}

#[test]
fn processors_that_share_a_store_run_in_one_task_and_see_each_others_rows_at_once() {
    let app = StreamsBuilder::new("demo");
    let sums = app.store::<String, i64>("sums");
    let left = app.stream::<String, i64>("left", Json);
    left.process_values("add-left", sums.clone(), Adds).to("left-sums", Json);
    app.stream::<String, i64>("right", Json).process_values("add-right", sums, Adds).to("right-sums", Json);
    let topology = app.build().unwrap();
    assert_eq!(topology.plan().subtopologies.len(), 1);
    assert_eq!(topology.plan().subtopologies[0].stores, ["sums"]);
    let mut driver = TopologyTestDriver::new(topology).unwrap();
    driver.input::<String, i64>("left", Json).pipe(&mut driver, "k".into(), 1, 0).unwrap();
    driver.input::<String, i64>("right", Json).pipe(&mut driver, "k".into(), 10, 0).unwrap();
    driver.input::<String, i64>("left", Json).pipe(&mut driver, "k".into(), 100, 0).unwrap();
    let mut read = |topic| driver.output::<String, i64>(topic, Json).read_values(&mut driver).unwrap();
    assert_eq!((read("left-sums"), read("right-sums")), (vec![1, 111], vec![11]));
}

#[test]
fn a_chain_of_processors_over_one_store_sees_what_the_first_one_wrote() {
    let app = StreamsBuilder::new("demo");
    let sums = app.store::<String, i64>("sums");
    app.stream::<String, i64>("in", Json)
        .process_values("once", sums.clone(), Adds)
        .process_values("twice", sums, Adds)
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    input.pipe(&mut driver, "k".into(), 1, 0).unwrap();
    input.pipe(&mut driver, "k".into(), 1, 0).unwrap();
    assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [2, 6]);
}

#[test]
fn a_null_key_is_a_named_error() {
    struct Nulls(KeyValueStore<Option<String>, i64>);
    impl Processor<Option<String>, i64> for Nulls {
        type KeyOut = Option<String>;
        type ValueOut = i64;
        fn process(
            &mut self,
            _: &mut ProcessorContext<'_, Option<String>, i64>,
            record: Record<'_, Option<String>, i64>,
        ) -> UserResult<()> {
            if record.value == 0 {
                self.0.get(&record.key)?.map(drop)
            } else {
                Some(self.0.put(record.key, 1)?)
            };
            Ok(())
        }
    }
    let app = StreamsBuilder::new("demo");
    let rows = app.store::<Option<String>, i64>("rows");
    app.stream::<Option<String>, i64>("in", Json).process("nulls", rows, Nulls);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    for n in [0, 1] {
        let error = driver.input::<Option<String>, i64>("in", Json).pipe(&mut driver, None, n, 0).unwrap_err();
        assert_eq!((error.code(), error.context().node.as_deref()), ("HW0244", Some("nulls")), "{n}");
    }
}

#[test]
fn a_store_taken_for_two_types_is_found_when_the_task_starts() {
    let app = StreamsBuilder::new("demo");
    let (one, other) = (app.store::<String, i64>("rows"), StreamsBuilder::new("x").store::<String, String>("rows"));
    let stream = app.stream::<String, String>("in", Text);
    stream.process("clerk", one, Clerk);
    struct Keeps(#[expect(dead_code, reason = "it only holds the store")] KeyValueStore<String, String>);
    impl Processor<String, String> for Keeps {
        type KeyOut = String;
        type ValueOut = String;
        fn process(&mut self, _: &mut Cx<'_>, _: Record<'_, String, String>) -> UserResult<()> {
            Ok(())
        }
    }
    stream.process("keeps", other, Keeps);
    let error = TopologyTestDriver::new(app.build().unwrap()).unwrap_err();
    assert!(error.to_string().contains("rows is shared by steps that take it for different types"), "{error}");
}
