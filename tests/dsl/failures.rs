//! User code that fails or panics, and what is left afterwards.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use headwater::{prelude::*, testing::MemorySink};

fn pipe(driver: &mut TopologyTestDriver, n: i64) -> headwater::Result<()> {
    driver.input::<String, i64>("in", Json).pipe(driver, "k".into(), n, n)
}

#[test]
fn a_panic_in_a_closure_is_an_error_that_names_step_task_and_record() {
    let app = StreamsBuilder::new("demo");
    let checked = app.stream::<String, i64>("in", Json).filter(|_, n| *n < 100).named("plausible");
    checked.map_values(|n| if n == 13 { panic!("unlucky {n}") } else { n }).named("lucky").to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    pipe(&mut driver, 1).unwrap();
    let error = pipe(&mut driver, 13).unwrap_err();
    assert_eq!(error.code(), "HW0220");
    let text = error.to_string();
    for part in ["unlucky 13", "task 0_0", "node lucky", "in-0@1", "help:"] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
}

#[test]
fn a_panic_in_each_kind_of_closure_names_its_step() {
    type Build = fn(&KStream<String, i64>);
    fn fail(n: i64) -> i64 {
        assert!(n != 13, "unlucky");
        n
    }
    let cases: [(&str, Build); 9] = [
        ("step", |s| drop(s.filter(|_, n| fail(*n) > 0).named("step"))),
        ("step", |s| drop(s.map(|k, n| (k, fail(n))).named("step"))),
        ("step", |s| drop(s.flat_map(|k, n| vec![(k, fail(n))]).named("step"))),
        ("step", |s| drop(s.flat_map_values(|n| vec![fail(n)]).named("step"))),
        ("step", |s| drop(s.select_key(|_, n| fail(*n)).named("step"))),
        ("step", |s| drop(s.peek(|_, n| assert!(fail(*n) > 0)).named("step"))),
        ("rules", |s| drop(s.validate("rules", Rules::new().rule(Rule::custom("r", |n| fail(*n) > 0).drop())))),
        ("sums", |s| drop(s.group_by_key("g").aggregate("sums", || 0, |_, n, sum: &mut i64| *sum += fail(n)))),
        ("sums", |s| {
            let windows = Tumbling::of(100).no_grace();
            s.group_by_key("g").windowed_by(windows).aggregate("sums", || 0, |_, n, sum: &mut i64| *sum += fail(n));
        }),
    ];
    for (place, (node, build)) in cases.iter().enumerate() {
        let app = StreamsBuilder::new("demo");
        build(&app.stream("in", Json));
        let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
        let error = pipe(&mut driver, 13).unwrap_err();
        assert_eq!((error.code(), error.context().node.as_deref()), ("HW0220", Some(*node)), "case {place}: {error}");
    }
}

#[test]
fn a_failing_closure_names_its_step_and_a_later_panic_on_the_thread_names_its_own() {
    let app = StreamsBuilder::new("demo");
    let one_each = app.stream::<String, i64>("in", Json).flat_map_values(|n| [n]);
    one_each.try_map_values(|n| if n == 1 { Err("no ones".into()) } else { Ok(n) }).named("strict").to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let error = pipe(&mut driver, 1).unwrap_err();
    assert_eq!((error.code(), error.context().node.as_deref()), ("HW0221", Some("strict")));
    assert!(error.to_string().contains("no ones") && error.to_string().contains("in-0@0"), "{error}");
    // The error left through the flat map, which is not to be blamed for what happens next.
    let app = StreamsBuilder::new("demo");
    let numbers = app.stream::<String, i64>("in", Json).filter(|_, _| true).filter(|_, _| true);
    numbers.for_each(|_, n| assert!(n != 13, "unlucky"));
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let error = pipe(&mut driver, 13).unwrap_err();
    assert_eq!(error.context().node.as_deref(), Some("for_each-3"));
}

#[test]
fn a_panic_in_the_time_extractor_names_source_and_record() {
    let app = StreamsBuilder::new("demo");
    let consumed = Consumed::<String, i64>::json().timestamp(|_, n| if *n == 13 { panic!("unlucky") } else { *n });
    app.stream("in", consumed).to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let error = pipe(&mut driver, 13).unwrap_err();
    assert_eq!((error.code(), error.context().node.as_deref()), ("HW0220", Some("in")));
}

#[test]
fn after_a_failure_uncommitted_work_is_gone_and_is_done_again_once() {
    let broken = Arc::new(AtomicBool::new(false));
    let app = StreamsBuilder::new("demo");
    let sink = MemorySink::<String, i64>::new("numbers");
    let numbers = app.stream::<String, i64>("in", Json);
    numbers.sink("numbers", sink.clone());
    let flag = broken.clone();
    numbers
        .group_by_key("by-key")
        .aggregate(
            "sums",
            || 0,
            move |_, n, sum: &mut i64| {
                *sum += n;
                assert!(!flag.load(Ordering::Relaxed), "broken");
            },
        )
        .updates()
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap().without_auto_commit();
    pipe(&mut driver, 1).unwrap();
    driver.commit().unwrap();
    pipe(&mut driver, 2).unwrap();
    broken.store(true, Ordering::Relaxed);
    pipe(&mut driver, 4).unwrap_err();
    broken.store(false, Ordering::Relaxed);
    assert_eq!(driver.store::<String, i64>("sums").unwrap().get(&"k".into()).unwrap(), Some(1));
    driver.commit().unwrap();
    driver.commit().unwrap();
    assert_eq!(driver.store::<String, i64>("sums").unwrap().get(&"k".into()).unwrap(), Some(7));
    assert_eq!(sink.rows().iter().map(|row| row.1).collect::<Vec<_>>(), [1, 2, 4]);
    let sums = driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap();
    assert_eq!(sums, [1, 7]);
}
