//! `validate`: routes, counters, dead letters.

use headwater::prelude::*;

fn driver(rules: Rules<i64>) -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json).validate("numbers", rules).to("out", Json);
    TopologyTestDriver::new(app.build().unwrap()).unwrap()
}

fn pipe(driver: &mut TopologyTestDriver, numbers: &[i64]) -> headwater::Result<()> {
    let mut input = driver.input::<String, i64>("in", Json);
    let mut headers = Headers::new();
    headers.push_text("trace", "7");
    numbers.iter().try_for_each(|n| input.pipe_with_headers(driver, "k".into(), *n, 11, headers.clone()))
}

fn passed(driver: &mut TopologyTestDriver) -> Vec<i64> {
    driver.output::<String, i64>("out", Json).read_values(driver).unwrap()
}

fn even(name: &str) -> Rule<i64> {
    Rule::custom(name, |n| n % 2 == 0)
}

fn small(name: &str) -> Rule<i64> {
    range(name, |n: &i64| Some(*n), ..10)
}

fn text(headers: &Headers, name: &str) -> String {
    String::from_utf8(headers.last(name).unwrap().value.clone().unwrap().to_vec()).unwrap()
}

#[test]
fn a_tagged_record_goes_on_with_the_names_of_the_rules_it_broke() {
    let mut driver = driver(Rules::new().rule(even("even").tag()).rule(small("small").tag()));
    pipe(&mut driver, &[2, 3, 13]).unwrap();
    let records = driver.output::<String, i64>("out", Json).read(&mut driver).unwrap();
    let tags: Vec<_> = records
        .iter()
        .map(|record| {
            record.headers.last("headwater.rules.broken").map(|_| text(&record.headers, "headwater.rules.broken"))
        })
        .collect();
    assert_eq!(tags, [None, Some("even".to_owned()), Some("even,small".to_owned())]);
    assert!(records.iter().all(|record| text(&record.headers, "trace") == "7"));
}

#[test]
fn a_dropped_record_is_counted() {
    let mut driver = driver(Rules::new().rule(even("even").drop()));
    pipe(&mut driver, &[1, 2, 3]).unwrap();
    assert_eq!(passed(&mut driver), [2]);
    assert_eq!(driver.counters()["rule:numbers/even"], 2);
}

#[test]
fn every_rule_is_tested_and_counted_and_the_gravest_route_is_taken() {
    let rules = Rules::new().rule(even("even").tag()).rule(small("small").dead_letter("rejected"));
    let mut driver = driver(rules.rule(range("positive", |n: &i64| Some(*n), 0..).drop()));
    pipe(&mut driver, &[2, 3, 13, -1]).unwrap();
    assert_eq!(passed(&mut driver), [2, 3]);
    assert_eq!(driver.output::<String, i64>("rejected", Json).read_values(&mut driver).unwrap(), [13]);
    let counters = driver.counters();
    let count = |rule: &str| counters[&format!("rule:numbers/{rule}")];
    assert_eq!((count("even"), count("small"), count("positive")), (3, 1, 1));
}

#[test]
fn a_dead_letter_is_the_record_as_it_came_in_with_kip_1034s_headers() {
    let app = StreamsBuilder::new("demo");
    let rules = Rules::new().rule(small("small").dead_letter("rejected")).rule(even("even").tag());
    app.stream::<String, i64>("in", Json).map_values(|n| n * 100 + 1).validate("numbers", rules);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    pipe(&mut driver, &[-1, 5]).unwrap();
    let letters = driver.output::<String, i64>("rejected", Json).read(&mut driver).unwrap();
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!((letter.key.as_str(), letter.value, letter.timestamp), ("k", 5, 11));
    let names: Vec<_> = letter.headers.iter().map(|header| header.name.as_str()).collect();
    let kip =
        ["exception", "message", "stacktrace", "topic", "partition", "offset"].map(|n| format!("__streams.errors.{n}"));
    assert_eq!(names, [&["trace".to_owned()][..], &kip, &["headwater.rules.broken".to_owned()]].concat());
    let header = |name: &str| text(&letter.headers, &format!("__streams.errors.{name}"));
    assert_eq!([header("topic"), header("partition"), header("offset")], ["in", "0", "1"]);
    assert_eq!((header("exception"), header("message")), ("RuleBroken".into(), "broke small,even of numbers".into()));
    assert_eq!(text(&letter.headers, "headwater.rules.broken"), "small,even");
}

#[test]
fn a_dead_letter_behind_a_tag_keeps_the_tag_of_the_first_step() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json)
        .validate("first", Rules::new().rule(even("even").tag()))
        .validate("second", Rules::new().rule(small("small").dead_letter("rejected")));
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    pipe(&mut driver, &[13]).unwrap();
    let letters = driver.output::<String, i64>("rejected", Json).read(&mut driver).unwrap();
    let broken: Vec<_> = letters[0].headers.iter().filter(|h| h.name == "headwater.rules.broken").collect();
    assert_eq!(broken.iter().filter_map(|h| h.value.as_deref()).collect::<Vec<_>>(), [&b"even"[..], b"small"]);
}

#[test]
fn the_route_fail_stops_and_names_rule_step_and_record() {
    let mut driver = driver(Rules::new().rule(even("even").fail()));
    pipe(&mut driver, &[2]).unwrap();
    let error = pipe(&mut driver, &[3]).unwrap_err();
    assert_eq!(error.code(), "HW0222");
    let text = error.to_string();
    for part in ["even", "node numbers", "task 0_0", "in-0@1", "help:"] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
    assert_eq!(passed(&mut driver), [2]);
}

#[test]
fn an_absent_field_is_the_matter_of_not_null_alone() {
    fn field(n: &i64) -> Option<&str> {
        (*n != 0).then_some("x")
    }
    let rules = Rules::new()
        .rule(not_null("there", |n: &i64| (*n != 0).then_some(())).drop())
        .rule(one_of("known", field, &["a"]).tag())
        .rule(Rule::matches("form", field, "[a-c]").tag())
        .rule(range("range", |n: &i64| (*n != 0).then_some(*n), 2..).tag());
    let mut driver = driver(rules);
    pipe(&mut driver, &[0, 1]).unwrap();
    let counters = driver.counters();
    let counts = ["there", "known", "form", "range"].map(|rule| counters[&format!("rule:numbers/{rule}")]);
    assert_eq!(counts, [1, 1, 1, 1]);
}

#[test]
fn a_pattern_must_match_the_whole_field() {
    let rules =
        Rules::new().rule(Rule::matches("form", |n: &i64| Some(if *n == 1 { "ab" } else { "abc" }), "a|ab").drop());
    let mut driver = driver(rules);
    pipe(&mut driver, &[1, 2]).unwrap();
    assert_eq!(passed(&mut driver), [1]);
}
