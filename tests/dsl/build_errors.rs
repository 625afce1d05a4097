//! `build()` reports every mistake at once, each with code, step, place and help.

use headwater::prelude::*;

fn mistakes(build: impl FnOnce(&StreamsBuilder)) -> Vec<headwater::dsl::TopologyError> {
    let app = StreamsBuilder::new("demo");
    build(&app);
    app.build().unwrap_err().0
}

fn numbers(app: &StreamsBuilder) -> KStream<String, i64> {
    app.stream("in", Json)
}

#[test]
fn all_mistakes_come_together() {
    let found = mistakes(|app| {
        let stream = numbers(app);
        stream.group_by_key("g").windowed_by(Tumbling::of(hours(1))).count("no-grace");
        stream.group_by_key("g").count("twice");
        stream.repartition(Repartitioned::named("r").partitions(0)).to("bad topic", Json);
        stream.validate("empty", Rules::new());
    });
    let mut codes: Vec<_> = found.iter().map(|mistake| mistake.code).collect();
    codes.sort_unstable();
    // The second grouping `g` is a second step and a second topic of that name.
    assert_eq!(codes, ["HW0101", "HW0101", "HW0102", "HW0102", "HW0105", "HW0106", "HW0107"]);
    for mistake in &found {
        assert!(!mistake.help.is_empty(), "{mistake}");
        assert!(mistake.location.as_ref().is_some_and(|at| at.contains("build_errors.rs:")), "{mistake}");
    }
}

#[test]
fn a_mistake_prints_code_step_reason_place_and_help() {
    let app = StreamsBuilder::new("demo");
    numbers(&app).group_by_key("g").windowed_by(Tumbling::of(hours(1))).count("sums");
    let line = line!() - 1;
    let text = app.build().unwrap_err().to_string();
    let expected = format!(
        "the topology has 1 mistake\n\
         [HW0105] sums: the window has no grace\n  \
         at {}:{line}\n  \
         help: say how late records may come: .grace(minutes(10)), or .no_grace() for not at all",
        file!()
    );
    assert_eq!(text, expected);
}

#[test]
fn each_mistake_is_found() {
    type Build = fn(&StreamsBuilder);
    let cases: [(&str, &str, Build); 18] = [
        ("HW0101", "bad name!", |app| drop(numbers(app).filter(|_, _| true).named("bad name!"))),
        ("HW0102", "in", |app| drop(numbers(app).filter(|_, _| true).named("in"))),
        ("HW0102", "store", |app| {
            app.table::<String, i64>("a", Json, "store");
            app.global_table::<String, i64>("b", Json, "store");
        }),
        ("HW0103", "again", |app| {
            numbers(app);
            app.stream::<String, i64>("in", Consumed::json().named("again"));
        }),
        ("HW0104", "c", |app| {
            numbers(app).group_by_key("g").windowed_by(Tumbling::of(0).no_grace()).count("c");
        }),
        ("HW0105", "c", |app| {
            numbers(app).group_by_key("g").windowed_by(Tumbling::of(1).grace(-1)).count("c");
        }),
        ("HW0106", "r-repartition", |app| drop(numbers(app).repartition(Repartitioned::named("r").partitions(-3)))),
        ("HW0107", "v", |app| drop(numbers(app).validate("v", Rules::new()))),
        ("HW0108", "v", |app| {
            let rule = Rule::matches("r", |_: &i64| None, "(").drop();
            numbers(app).validate("v", Rules::new().rule(rule));
        }),
        ("HW0102", "v", |app| {
            let rule = || Rule::custom("r", |_: &i64| true).drop();
            numbers(app).validate("v", Rules::new().rule(rule()).rule(rule()));
        }),
        ("HW0109", "in", |app| numbers(app).to("in", Json)),
        ("HW0111", "c", |app| {
            let stream = numbers(app);
            let two = stream.repartition(Repartitioned::named("two").partitions(2));
            let three = stream.repartition(Repartitioned::named("three").partitions(3));
            two.merge(&three).group_by_key("g").count("c");
        }),
        ("HW0112", "application", |_| ()),
        ("HW0114", "merge-1", |app| {
            let other = StreamsBuilder::new("other");
            numbers(app).merge(&numbers(&other));
        }),
        ("HW0115", "join_global-1", |app| {
            let other = StreamsBuilder::new("other");
            let names = other.global_table::<String, String>("names", Text, "names");
            numbers(app).join_global(&names, |key, _| key.clone(), |n, _| n);
        }),
        ("HW0116", "v", |app| {
            let counts = numbers(app).group_by_key("g").count("c").updates();
            let rule = Rule::custom("r", |_: &i64| true).dead_letter("rejected");
            counts.filter(|_, _| true).validate("v", Rules::new().rule(rule));
        }),
        ("HW0117", "default_branch-3", |app| {
            let split = numbers(app).split();
            split.default_branch();
            split.default_branch();
        }),
        ("HW0101", "v", |app| {
            let rule = Rule::custom("r", |_: &i64| true).dead_letter("not a topic");
            numbers(app).validate("v", Rules::new().rule(rule));
        }),
    ];
    for (code, node, build) in cases {
        let found = mistakes(build);
        let found: Vec<_> = found.iter().map(|mistake| (mistake.code, mistake.node.as_str())).collect();
        assert!(found.contains(&(code, node)), "expected {code} at {node}, found {found:?}");
    }
}

#[test]
fn inputs_of_one_store_must_have_equal_partition_counts() {
    let app = StreamsBuilder::new("demo");
    let left: KStream<String, i64> = app.stream("left", Json);
    left.merge(&app.stream("right", Json)).group_by_key("g").count("c");
    let driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let error = driver.with_topic_partitions("right", 3).unwrap_err();
    assert_eq!(error.code(), "HW0111");
    assert!(error.to_string().contains("left has 1, right has 3"), "{error}");
}

#[test]
fn a_step_added_after_build_is_refused_when_a_task_starts_and_not_ignored() {
    let app = StreamsBuilder::new("demo");
    let stream = numbers(&app);
    let kept = app.clone();
    let topology = app.build().unwrap();
    stream.to("out", Json);
    // The finished topology does not change; the builder has nothing left to build from.
    assert!(topology.plan().output_topics().is_empty());
    assert!(TopologyTestDriver::new(topology).is_ok());
    let error = TopologyTestDriver::new(kept.build().unwrap()).unwrap_err();
    assert_eq!(error.code(), "HW0100");
}
