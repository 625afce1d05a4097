//! Streams joined with streams.

use headwater::prelude::*;

use super::by_chance::{Random, run};

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Inner,
    Left,
    Outer,
}

fn text(value: Option<String>) -> String {
    value.unwrap_or_else(|| "-".to_owned())
}

type Stream = KStream<Option<String>, Option<String>>;

fn join(kind: Kind, left: &Stream, right: &Stream, windows: JoinWindows) -> KStream<Option<String>, String> {
    let words = StreamJoined::with("j", Text, Text, Text);
    let both = |l: Option<String>, r: Option<String>| text(l) + &text(r);
    match kind {
        Kind::Inner => left.join_stream(right, both, windows, words),
        Kind::Left => left.left_join_stream(right, move |l, r| both(l, r.flatten()), windows, words),
        Kind::Outer => left.outer_join_stream(right, move |l, r| both(l.flatten(), r.flatten()), windows, words),
    }
}

struct Joined(TopologyTestDriver);

impl Joined {
    fn new(kind: Kind, windows: JoinWindows) -> Self {
        let app = StreamsBuilder::new("demo");
        let (left, right) = (app.stream("left", (Text, Text)), app.stream("right", (Text, Text)));
        join(kind, &left, &right, windows).to("out", (Text, Text));
        Self(TopologyTestDriver::new(app.build().unwrap()).unwrap())
    }

    fn record(&mut self, topic: &str, key: Option<&str>, value: Option<&str>, time: i64) -> Vec<String> {
        let mut input = self.0.input::<Option<String>, Option<String>>(topic, (Text, Text));
        input.pipe(&mut self.0, key.map(str::to_owned), value.map(str::to_owned), time).unwrap();
        self.out()
    }

    fn left(&mut self, value: &str, time: i64) -> Vec<String> {
        self.record("left", Some("k"), Some(value), time)
    }

    fn right(&mut self, value: &str, time: i64) -> Vec<String> {
        self.record("right", Some("k"), Some(value), time)
    }

    fn out(&mut self) -> Vec<String> {
        let out = self.0.output::<Option<String>, String>("out", (Text, Text)).read(&mut self.0).unwrap();
        out.into_iter().map(|record| format!("{}@{}", record.value, record.timestamp)).collect()
    }
}

const NONE: [&str; 0] = [];

#[test]
fn every_pair_within_the_window_is_joined_once_with_the_later_time() {
    let mut joined = Joined::new(Kind::Inner, JoinWindows::of(0).before(5).after(10).grace(100));
    assert_eq!(joined.left("a", 100), NONE);
    assert_eq!(joined.right("v", 94), NONE, "6 ms older than the left one");
    assert_eq!(joined.right("w", 95), ["aw@100"]);
    assert_eq!(joined.right("x", 110), ["ax@110"]);
    assert_eq!(joined.right("y", 111), NONE, "11 ms younger");
    assert_eq!(joined.left("b", 100), ["bw@100", "bx@110"], "rows are met in the order of their times");
    assert_eq!(joined.left("b", 100), ["bw@100", "bx@110"], "equal records are different records");
    assert_eq!(joined.right("z", 100), ["az@100", "bz@100", "bz@100"]);
    assert_eq!(joined.record("right", Some("other"), Some("z"), 100), NONE);
}

#[test]
fn a_pair_carries_the_headers_of_the_record_that_completes_it() {
    let mut joined = Joined::new(Kind::Inner, JoinWindows::of(5).no_grace());
    joined.left("a", 1);
    let mut headers = Headers::new();
    headers.push_text("who", "right");
    let mut right = joined.0.input::<Option<String>, Option<String>>("right", (Text, Text));
    right.pipe_with_headers(&mut joined.0, Some("k".into()), Some("x".into()), 2, headers.clone()).unwrap();
    let out = joined.0.output::<Option<String>, String>("out", (Text, Text)).read(&mut joined.0).unwrap();
    assert_eq!(out[0].headers, headers);
}

#[test]
fn late_records_meet_what_is_kept_and_a_row_is_kept_for_its_window_and_the_grace() {
    let mut joined = Joined::new(Kind::Inner, JoinWindows::of(10).grace(5));
    joined.right("x", 100);
    joined.right("y", 125);
    assert_eq!(joined.left("a", 100), ["ax@100"], "25 ms older than the youngest right row");
    joined.right("z", 126);
    assert_eq!(joined.left("b", 100), NONE, "26 ms older");
}

#[test]
fn records_of_equal_times_meet_without_window_and_grace() {
    let mut joined = Joined::new(Kind::Inner, JoinWindows::of(0).no_grace());
    joined.left("a", 7);
    assert_eq!(joined.right("x", 7), ["ax@7"]);
}

#[test]
fn a_left_record_without_partner_comes_once_its_window_and_the_grace_have_passed() {
    let mut joined = Joined::new(Kind::Left, JoinWindows::of(10).grace(5));
    assert_eq!(joined.left("a", 100), NONE);
    assert_eq!(joined.left("b", 101), NONE);
    assert_eq!(joined.right("x", 111), ["bx@111"], "a partner 10 ms younger");
    assert_eq!(joined.left("c", 115), ["cx@115"], "the time has reached the end and the grace, but not passed them");
    assert_eq!(joined.right("y", 120), ["a-@100", "cy@120"], "what closes comes before what the record itself meets");
    assert_eq!(joined.left("d", 100), ["d-@100"], "nobody waits with a record that comes after its window's end");
    assert_eq!(joined.right("z", 140), NONE, "right records are not kept");
    assert_eq!(joined.record("left", None, Some("e"), 141), ["e-@141"], "without key there is no partner");
    joined.left("f", 160);
    joined.0.end_of_input().unwrap();
    assert_eq!(joined.out(), ["f-@160"]);
    assert_eq!(joined.0.counters()["null:j"], 0);
}

#[test]
fn in_an_outer_join_records_of_both_streams_are_waited_for_and_come_in_the_order_of_their_times() {
    let mut joined = Joined::new(Kind::Outer, JoinWindows::of(10).no_grace());
    joined.record("left", Some("b"), Some("l1"), 100);
    joined.record("right", Some("c"), Some("r1"), 100);
    joined.record("left", Some("a"), Some("l2"), 100);
    joined.record("left", Some("a"), Some("l3"), 100);
    joined.record("right", Some("d"), Some("r2"), 99);
    let released = joined.record("left", Some("x"), Some("x"), 200);
    assert_eq!(released, ["-r2@99", "-r1@100", "l2-@100", "l3-@100", "l1-@100"]);
    assert_eq!(joined.record("right", None, Some("r"), 200), ["-r@200"]);
}

#[test]
fn null_keys_and_values_are_dropped_and_counted_but_move_time() {
    let mut joined = Joined::new(Kind::Left, JoinWindows::of(10).no_grace());
    assert_eq!(joined.record("right", None, Some("x"), 1), NONE);
    assert_eq!(joined.record("left", Some("k"), None, 1), NONE);
    assert_eq!(joined.record("right", Some("k"), None, 50), NONE);
    assert_eq!(joined.0.counters()["null:j"], 3);
    assert_eq!(joined.left("a", 30), ["a-@30"], "time is 50");
}

#[test]
fn a_stream_joined_with_itself_meets_its_own_records_too() {
    let app = StreamsBuilder::new("demo");
    let stream = app.stream::<Option<String>, Option<String>>("in", (Text, Text));
    join(Kind::Inner, &stream, &stream, JoinWindows::of(10).no_grace()).to("out", (Text, Text));
    let mut joined = Joined(TopologyTestDriver::new(app.build().unwrap()).unwrap());
    assert_eq!(joined.record("in", Some("k"), Some("a"), 1), ["aa@1"]);
    assert_eq!(joined.record("in", Some("k"), Some("b"), 2), ["ba@2", "ab@2", "bb@2"]);
}

#[test]
fn rows_and_what_waits_outlive_a_restart_and_are_forgotten_when_they_are_too_old() {
    let mut joined = Joined::new(Kind::Outer, JoinWindows::of(10).grace(5));
    joined.left("a", 100);
    joined.right("y", 112);
    let tasks = joined.0.tasks();
    joined.0.restart_task(tasks[0]).unwrap();
    assert_eq!(joined.right("x", 110), ["ax@110"]);
    joined.0.restart_task(tasks[0]).unwrap();
    assert_eq!(joined.left("b", 200), ["-y@112"], "x found a partner, y did not");
    joined.record("right", Some("other"), Some("z"), 200);
    for store in ["j-outer-this-join-store", "j-outer-other-join-store"] {
        assert_eq!(joined.0.store_entries(store).unwrap(), 2, "{store}");
    }
    // The two that came last still wait.
    joined.0.end_of_input().unwrap();
    for store in ["j-left-unmatched-store", "j-right-unmatched-store"] {
        assert_eq!(joined.0.store_entries(store).unwrap(), 0, "{store}");
    }
}

#[test]
fn windows_without_room_or_grace_are_refused() {
    for (windows, code) in [
        (JoinWindows::of(0).before(-5).after(4).no_grace(), "HW0150"),
        (JoinWindows::of(5), "HW0105"),
        (JoinWindows::of(5).grace(-1), "HW0105"),
    ] {
        let app = StreamsBuilder::new("demo");
        let (left, right) = (app.stream("left", (Text, Text)), app.stream("right", (Text, Text)));
        join(Kind::Inner, &left, &right, windows).to("out", (Text, Text));
        let mistakes = app.build().unwrap_err().0;
        assert_eq!(mistakes.iter().map(|mistake| mistake.code).collect::<Vec<_>>(), [code]);
    }
}

/// Key, value, time.
type Input = (String, String, i64);

/// Partitions whose clocks run at different speeds, with records that come up to `late` late.
fn inputs(prefix: &str, partitions: usize, late: usize, seed: u64) -> Vec<Vec<Input>> {
    let mut random = Random(seed);
    (0..partitions)
        .map(|partition| {
            let (mut clock, pace) = (random.below(50) as i64, 4 + random.below(12));
            (0..60)
                .map(|n| {
                    clock += random.below(pace) as i64;
                    let behind = if random.below(3) == 0 { random.below(late + 1) as i64 } else { 0 };
                    let key = (*random.choose(&["a", "b", "c", "d"])).to_owned();
                    (key, format!("{prefix}{partition}.{n}"), (clock - behind).max(0))
                })
                .collect()
        })
        .collect()
}

const BEFORE: i64 = 6;
const AFTER: i64 = 3;
const GRACE: i64 = 20;

/// All pairs, and all records without one.
fn model(kind: Kind, left: &[Vec<Input>], right: &[Vec<Input>]) -> Vec<String> {
    let (left, right) = (left.concat(), right.concat());
    let meet = |l: &Input, r: &Input| l.0 == r.0 && (l.2 - BEFORE..=l.2 + AFTER).contains(&r.2);
    let mut rows = Vec::new();
    for l in &left {
        rows.extend(right.iter().filter(|r| meet(l, r)).map(|r| format!("{}{}@{}", l.1, r.1, l.2.max(r.2))));
        if kind != Kind::Inner && !right.iter().any(|r| meet(l, r)) {
            rows.push(format!("{}-@{}", l.1, l.2));
        }
    }
    let alone = right.iter().filter(|r| kind == Kind::Outer && !left.iter().any(|l| meet(l, r)));
    rows.extend(alone.map(|r| format!("-{}@{}", r.1, r.2)));
    rows.sort();
    rows
}

/// Both streams are given their keys from their values, so both go through a repartition topic.
fn regrouped(kind: Kind, partitions: usize, left: &[Vec<Input>], right: &[Vec<Input>]) -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    let stream = |topic: &str| {
        let stream = app.stream::<String, String>(topic, (Text, Text));
        stream.map(|_, value| {
            let (key, value) = value.split_at(1);
            (Some(key.to_owned()), Some(value.to_owned()))
        })
    };
    let windows = JoinWindows::of(0).before(BEFORE).after(AFTER).grace(GRACE);
    join(kind, &stream("left"), &stream("right"), windows).to("out", (Text, Text));
    let driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut driver = driver.with_partitions(partitions as i32).unwrap().stepping();
    for (topic, inputs) in [("left", left), ("right", right)] {
        for (partition, records) in (0..).zip(inputs) {
            let mut input = driver.input::<String, String>(topic, (Text, Text)).to_partition(partition);
            for (key, value, time) in records {
                input.pipe(&mut driver, "key".into(), key.clone() + value, *time).unwrap();
            }
        }
    }
    driver
}

#[test]
fn behind_repartitions_no_interleaving_loses_a_pair_or_finds_none_for_a_record_that_has_one() {
    for kind in [Kind::Inner, Kind::Left, Kind::Outer] {
        for partitions in [2, 4] {
            for data in 0..3 {
                let left = inputs("l", partitions, GRACE as usize, data);
                let right = inputs("r", partitions, GRACE as usize, data + 100);
                let expected = model(kind, &left, &right);
                for seed in 0..8 {
                    let mut driver = regrouped(kind, partitions, &left, &right);
                    run(&mut driver, seed, seed % 2 == 0);
                    let mut out = Joined(driver).out();
                    out.sort();
                    assert_eq!(out, expected, "{partitions} partitions, data {data}, seed {seed}");
                }
            }
        }
    }
}
