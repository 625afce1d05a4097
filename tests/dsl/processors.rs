//! Processors: what they may ask and do, and what happens when they fail.

use std::sync::{Arc, Mutex};

use headwater::prelude::*;

type Cx<'a, V = i64> = ProcessorContext<'a, String, V>;
type Rec<'a, V = i64> = Record<'a, String, V>;

/// Does what its closure says.
struct Does<F>(F);

impl<F: FnMut(&mut Cx<'_>, Rec<'_>) -> UserResult<()> + 'static> Processor<String, i64> for Does<F> {
    type KeyOut = String;
    type ValueOut = i64;

    fn process(&mut self, cx: &mut Cx<'_>, record: Rec<'_>) -> UserResult<()> {
        (self.0)(cx, record)
    }
}

/// A topology with one processor between `in` and `out`.
fn one<F>(make: fn() -> F) -> Topology
where
    F: FnMut(&mut Cx<'_>, Rec<'_>) -> UserResult<()> + 'static,
{
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json).process("step", (), move |()| Does(make())).to("out", Json);
    app.build().unwrap()
}

fn pipe(driver: &mut TopologyTestDriver, n: i64, time: i64) -> headwater::Result<()> {
    driver.input::<String, i64>("in", Json).pipe(driver, "k".into(), n, time)
}

fn read(driver: &mut TopologyTestDriver, topic: &str) -> Vec<i64> {
    driver.output::<String, i64>(topic, Json).read_values(driver).unwrap()
}

#[test]
fn what_is_forwarded_keeps_the_time_and_headers_of_the_record_it_was_made_of() {
    let topology = one(|| {
        |cx: &mut Cx<'_>, record: Rec<'_>| {
            cx.forward(record.clone().with_value(record.value * 10))?;
            cx.forward(Record::new(record.key.clone(), -1, 5))?;
            cx.forward(record.with_timestamp(9))?;
            Ok(())
        }
    });
    let mut driver = TopologyTestDriver::new(topology).unwrap();
    let mut headers = Headers::new();
    headers.push_text("from", "here");
    let mut input = driver.input::<String, i64>("in", Json);
    input.pipe_with_headers(&mut driver, "k".into(), 7, 100, headers.clone()).unwrap();
    let out = driver.output::<String, i64>("out", Json).read(&mut driver).unwrap();
    let seen: Vec<_> = out.iter().map(|r| (r.value, r.timestamp, r.headers.clone())).collect();
    assert_eq!(seen, [(70, 100, headers.clone()), (-1, 5, Headers::new()), (7, 9, headers)]);
}

#[test]
fn a_processor_marks_the_key_as_changed_and_a_processor_of_values_does_not() {
    struct Same;
    impl FixedKeyProcessor<String, i64> for Same {
        type ValueOut = i64;
        fn process(
            &mut self,
            cx: &mut FixedKeyContext<'_, String, i64>,
            record: FixedKeyRecord<'_, String, i64>,
        ) -> UserResult<()> {
            Ok(cx.forward(record)?)
        }
    }
    let app = StreamsBuilder::new("demo");
    let stream = app.stream::<String, i64>("in", Json);
    let process = stream.process("any", (), |()| Does(|cx: &mut Cx<'_>, record: Rec<'_>| Ok(cx.forward(record)?)));
    process.group_by_key("moved").count("moved-counts");
    stream.process_values("values", (), |()| Same).group_by_key("stayed").count("stayed-counts");
    assert_eq!(app.build().unwrap().plan().repartition_topics(), ["demo-moved-repartition"]);
}

#[test]
fn the_context_knows_task_place_stream_time_and_clock() {
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let app = StreamsBuilder::new("demo");
    let see = |cx: &mut Cx<'_>, record: Rec<'_>| {
        let place = cx.record_metadata().map(|at| format!("{}-{}@{}", at.topic, at.partition, at.offset));
        let line = format!("{} {} {place:?} {:?} {}", cx.task_id(), cx.step_name(), cx.stream_time(), cx.wall_clock());
        SEEN.lock().unwrap().push(line);
        Ok(cx.forward(record)?)
    };
    app.stream::<String, i64>("in", Json)
        .process("first", (), move |()| Does(see))
        .repartition("wide")
        .process("second", (), move |()| Does(see))
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap().with_wall_clock(1_000).unwrap();
    pipe(&mut driver, 1, 50).unwrap();
    driver.advance_wall_clock(5).unwrap();
    pipe(&mut driver, 2, 40).unwrap();
    assert_eq!(
        *SEEN.lock().unwrap(),
        [
            "0_0 first Some(\"in-0@0\") Some(50) 1000",
            "1_0 second Some(\"demo-wide-repartition-0@0\") Some(50) 1000",
            "0_0 first Some(\"in-0@1\") Some(50) 1005",
            "1_0 second Some(\"demo-wide-repartition-0@1\") Some(50) 1005",
        ]
    );
}

const EVEN: Output<String, i64> = Output::named("even");
const TEXT: Output<i64, String> = Output::named("text");

struct Sort {
    text: Port<i64, String>,
}

impl Processor<String, i64> for Sort {
    type KeyOut = String;
    type ValueOut = i64;

    fn process(&mut self, cx: &mut Cx<'_>, record: Rec<'_>) -> UserResult<()> {
        self.text.forward(cx, Record::new(record.value, record.key.clone(), record.timestamp))?;
        if record.value % 2 == 0 {
            cx.forward_to(&EVEN, record)?;
        } else {
            cx.forward(record)?;
        }
        Ok(())
    }
}

#[test]
fn side_outputs_have_types_of_their_own_and_may_be_read_twice_or_not_at_all() {
    let app = StreamsBuilder::new("demo");
    let sorted = app.stream::<String, i64>("in", Json).process("sort", (EVEN, TEXT), |(_, text)| Sort { text });
    sorted.to("odd", Json);
    sorted.side(&EVEN).to("even", Json);
    sorted.side(&EVEN).map_values(|n| n * 10).to("even-times-ten", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    for n in 1..=4 {
        pipe(&mut driver, n, n).unwrap();
    }
    assert_eq!(read(&mut driver, "odd"), [1, 3]);
    assert_eq!(read(&mut driver, "even"), [2, 4]);
    assert_eq!(read(&mut driver, "even-times-ten"), [20, 40]);
}

#[test]
fn a_side_output_of_other_types_reaches_its_steps() {
    let app = StreamsBuilder::new("demo");
    let sorted = app.stream::<String, i64>("in", Json).process("sort", (EVEN, TEXT), |(_, text)| Sort { text });
    sorted.side(&TEXT).to("text", Text);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    pipe(&mut driver, 7, 0).unwrap();
    let text = driver.output::<i64, String>("text", Text).read_key_values(&mut driver).unwrap();
    assert_eq!(text, [(7, "k".to_owned())]);
}

#[test]
fn forwarding_to_an_output_that_was_not_declared_is_an_error_that_names_it_and_the_record() {
    let mut driver =
        TopologyTestDriver::new(one(|| |cx: &mut Cx<'_>, record: Rec<'_>| Ok(cx.forward_to(&EVEN, record)?))).unwrap();
    let error = pipe(&mut driver, 7, 0).unwrap_err();
    assert_eq!(error.code(), "HW0250");
    for part in ["even", "node step", "in-0@0", "declared are: none"] {
        assert!(error.to_string().contains(part), "{part} is missing in: {error}");
    }
}

#[test]
fn forwarding_a_negative_time_or_from_init_is_a_named_error() {
    let mut driver =
        TopologyTestDriver::new(one(|| |cx: &mut Cx<'_>, record: Rec<'_>| Ok(cx.forward(record.with_timestamp(-1))?)))
            .unwrap();
    assert_eq!(pipe(&mut driver, 7, 0).unwrap_err().code(), "HW0241");

    struct Early;
    impl Processor<String, i64> for Early {
        type KeyOut = String;
        type ValueOut = i64;
        fn init(&mut self, cx: &mut Cx<'_>) -> UserResult<()> {
            Ok(cx.forward(Record::new("k".into(), 1, 0))?)
        }
        fn process(&mut self, _: &mut Cx<'_>, _: Rec<'_>) -> UserResult<()> {
            Ok(())
        }
    }
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json).process("early", (), |()| Early).to("out", Json);
    let error = TopologyTestDriver::new(app.build().unwrap()).unwrap_err();
    assert_eq!((error.code(), error.context().node.as_deref()), ("HW0243", Some("early")));
}

#[test]
fn an_error_of_the_processor_names_step_and_record_and_a_failure_below_names_the_step_below() {
    let mut driver = TopologyTestDriver::new(one(|| {
        |cx: &mut Cx<'_>, record: Rec<'_>| {
            if record.value > 100 {
                return Err(format!("{} is too much", record.value).into());
            }
            Ok(cx.forward(record)?)
        }
    }))
    .unwrap();
    pipe(&mut driver, 7, 0).unwrap();
    let error = pipe(&mut driver, 101, 0).unwrap_err();
    assert_eq!((error.code(), error.context().node.as_deref()), ("HW0221", Some("step")));
    assert!(error.to_string().contains("in-0@1"), "{error}");

    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json)
        .process("step", (), |()| Does(|cx: &mut Cx<'_>, record: Rec<'_>| Ok(cx.forward(record)?)))
        .try_map_values(|n| if n > 100 { Err("too much".into()) } else { Ok(n) })
        .named("below")
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let error = pipe(&mut driver, 101, 0).unwrap_err();
    assert_eq!((error.code(), error.context().node.as_deref()), ("HW0221", Some("below")));
}

#[test]
fn a_panic_names_the_processor_and_the_record_and_what_came_before_is_neither_lost_nor_doubled() {
    let mut driver = TopologyTestDriver::new(one(|| {
        |cx: &mut Cx<'_>, record: Rec<'_>| {
            assert!(record.value != 13, "unlucky");
            Ok(cx.forward(record)?)
        }
    }))
    .unwrap();
    pipe(&mut driver, 1, 0).unwrap();
    let error = pipe(&mut driver, 13, 0).unwrap_err();
    assert_eq!((error.code(), error.context().node.as_deref()), ("HW0220", Some("step")));
    assert!(error.to_string().contains("in-0@1"), "{error}");
    assert_eq!(read(&mut driver, "out"), [1]);
}

#[test]
fn init_and_close_are_called_once_per_task_and_again_after_a_failure() {
    static CALLS: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    struct Noted;
    impl Processor<String, i64> for Noted {
        type KeyOut = String;
        type ValueOut = i64;
        fn init(&mut self, cx: &mut Cx<'_>) -> UserResult<()> {
            assert_eq!((cx.record_metadata(), cx.stream_time()), (None, None));
            CALLS.lock().unwrap().push("init");
            Ok(())
        }
        fn process(&mut self, _: &mut Cx<'_>, record: Rec<'_>) -> UserResult<()> {
            CALLS.lock().unwrap().push("process");
            if record.value == 13 { Err("unlucky".into()) } else { Ok(()) }
        }
        fn close(&mut self) {
            CALLS.lock().unwrap().push("close");
        }
    }
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json).process("noted", (), |()| Noted).to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    pipe(&mut driver, 13, 0).unwrap_err();
    drop(driver);
    let calls = CALLS.lock().unwrap().join(" ");
    assert!(["init process init close close", "init process close init close"].contains(&calls.as_str()), "{calls}");
}

#[test]
fn a_commit_that_a_processor_asks_for_comes_after_its_record() {
    let topology = one(|| {
        |cx: &mut Cx<'_>, record: Rec<'_>| {
            if record.value % 2 == 0 {
                cx.commit();
            }
            Ok(cx.forward(record)?)
        }
    });
    let mut driver = TopologyTestDriver::new(topology).unwrap().without_auto_commit();
    pipe(&mut driver, 1, 0).unwrap();
    assert_eq!(read(&mut driver, "out"), [0; 0]);
    pipe(&mut driver, 2, 0).unwrap();
    assert_eq!(read(&mut driver, "out"), [1, 2]);
    pipe(&mut driver, 3, 0).unwrap();
    assert_eq!(read(&mut driver, "out"), [0; 0]);
}

#[test]
fn mistakes_around_processors_are_reported_together_with_their_places() {
    let app = StreamsBuilder::new("demo");
    let stranger = StreamsBuilder::new("other").store::<String, i64>("strange");
    app.store::<String, i64>("forgotten");
    let keep = |_: &mut Cx<'_>, _: Rec<'_>| Ok(());
    let stream = app.stream::<String, i64>("in", Json);
    stream.process("strangers", stranger, move |_| Does(keep));
    stream.process("same", (EVEN, EVEN), move |_| Does(keep));
    stream.process("none", (), move |()| Does(keep)).side(&EVEN).to("out", Json);
    let errors = app.build().unwrap_err().0;
    let mut codes: Vec<_> = errors.iter().map(|error| (error.code, error.node.as_str())).collect();
    codes.sort_unstable();
    let expected = [("HW0160", "strangers"), ("HW0161", "none-even"), ("HW0162", "same"), ("HW0164", "forgotten")];
    assert_eq!(codes, expected);
    assert!(
        errors.iter().filter(|e| e.code != "HW0164").all(|e| e.location.as_ref().unwrap().contains("processors.rs"))
    );
}

#[test]
fn what_a_timer_forwards_can_be_no_dead_letter() {
    struct Ticks;
    impl Processor<String, i64> for Ticks {
        type KeyOut = String;
        type ValueOut = i64;
        fn init(&mut self, cx: &mut Cx<'_>) -> UserResult<()> {
            cx.schedule(10, Punctuation::WallClock)?;
            Ok(())
        }
        fn process(&mut self, cx: &mut Cx<'_>, record: Rec<'_>) -> UserResult<()> {
            Ok(cx.forward(record)?)
        }
        fn punctuate(&mut self, cx: &mut Cx<'_>, _: Timer, now: Timestamp) -> UserResult<()> {
            Ok(cx.forward(Record::new("timer".into(), -1, now))?)
        }
    }
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json)
        .process("ticks", (), |()| Ticks)
        .validate("rules", Rules::new().rule(Rule::custom("positive", |n: &i64| *n > 0).dead_letter("rejected")))
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    pipe(&mut driver, -5, 0).unwrap();
    assert_eq!(driver.output::<String, i64>("rejected", Json).read_values(&mut driver).unwrap(), [-5]);
    assert_eq!(driver.advance_wall_clock(10).unwrap_err().code(), "HW0246");
}

#[test]
fn processors_run_on_the_driver_for_any_number_of_partitions_with_an_instance_each() {
    let made = Arc::new(Mutex::new(0));
    let app = StreamsBuilder::new("demo");
    let counted = made.clone();
    app.stream::<String, i64>("in", Json)
        .process("step", (), move |()| {
            *counted.lock().unwrap() += 1;
            Does(|cx: &mut Cx<'_>, record: Rec<'_>| Ok(cx.forward(record)?))
        })
        .to("out", Json);
    let driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    assert_eq!(*made.lock().unwrap(), 1);
    let mut driver = driver.with_partitions(3).unwrap();
    assert_eq!(*made.lock().unwrap(), 4);
    pipe(&mut driver, 1, 0).unwrap();
    assert_eq!(read(&mut driver, "out"), [1]);
}
