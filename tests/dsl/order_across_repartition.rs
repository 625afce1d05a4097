//! The order in which a join behind repartitions takes its records in a bounded run: the same in every run.

use headwater::prelude::*;

use super::by_chance::{Random, run};

/// Key, value, time.
type Input = (String, String, i64);

/// Partitions whose clocks run at different speeds, with records that come up to 30 late. Every time occurs once.
fn inputs(prefix: &str, partitions: usize, late: i64, seed: u64) -> Vec<Vec<Input>> {
    let mut random = Random(seed);
    (0..partitions)
        .map(|partition| {
            let (mut clock, pace) = (random.below(50) as i64, 4 + random.below(12));
            (0..50)
                .map(|n| {
                    clock += 1 + random.below(pace) as i64;
                    let behind = if random.below(3) == 0 { random.below(late as usize + 1) as i64 } else { 0 };
                    let key = (*random.choose(&["a", "b", "c"])).to_owned();
                    let time = (clock - behind).max(0) * 10 + partition as i64;
                    (key, format!("{prefix}{partition}.{n}"), time)
                })
                .collect()
        })
        .collect()
}

fn rekeyed(app: &StreamsBuilder, topic: &str) -> KStream<String, String> {
    app.stream::<String, String>(topic, (Text, Text)).map(|_, value| {
        let (key, value) = value.split_at(1);
        (key.to_owned(), value.to_owned())
    })
}

type Build = fn(&StreamsBuilder) -> KStream<String, String>;

/// A stream and a table, both behind a repartition.
fn stream_table(app: &StreamsBuilder) -> KStream<String, String> {
    let rows = rekeyed(app, "right")
        .map_values(Some)
        .to_table(Grouped::with("rows-by-key", Text, Text), Materialized::with("rows", Text, Text));
    let words = Joined::with("with-row", Text, Text);
    rekeyed(app, "left").left_join_table(&rows, |l, r| format!("{l}/{}", r.unwrap_or_default()), words)
}

/// Two streams, whose late records meet what is still kept.
fn stream_stream(app: &StreamsBuilder) -> KStream<String, String> {
    let windows = JoinWindows::of(60).grace(50);
    let words = StreamJoined::with("pairs", Text, Text, Text);
    let join = |l: Option<String>, r: Option<String>| format!("{}/{}", l.unwrap_or_default(), r.unwrap_or_default());
    rekeyed(app, "left").outer_join_stream(&rekeyed(app, "right"), join, windows, words)
}

/// The records pass another task on their way to the join.
fn forwarded(app: &StreamsBuilder) -> KStream<String, String> {
    let rows = rekeyed(app, "right")
        .map_values(Some)
        .to_table(Grouped::with("rows-by-key", Text, Text), Materialized::with("rows", Text, Text));
    let middle = rekeyed(app, "left").map(|key, value| (value.clone(), key.clone() + &value));
    let middle = middle.repartition(Repartitioned::with("middle", Text, Text));
    let words = Joined::with("with-row", Text, Text);
    let back = middle.map(|_, value| (value[..1].to_owned(), value[1..].to_owned()));
    back.left_join_table(&rows, |l, r| format!("{l}/{}", r.unwrap_or_default()), words)
}

/// A fold that keeps what came last, as a reduce often does.
fn folded(app: &StreamsBuilder) -> KStream<String, String> {
    let both = rekeyed(app, "left").merge(&rekeyed(app, "right")).group_by_key(Grouped::with("by-key", Text, Text));
    let rows = Materialized::with("folded", Text, Text).uncached();
    both.reduce(rows, |before, now| format!("{now} after {}", &before[..before.len().min(12)])).updates()
}

/// A fold that keeps what came last, of pairs and of what has found no partner.
fn folded_below(app: &StreamsBuilder) -> KStream<String, String> {
    last(&stream_stream(app))
}

/// The same by way of another task.
fn moved_on_below(app: &StreamsBuilder) -> KStream<String, String> {
    last(&stream_stream(app).map(|key, value| (key.clone() + &value[..2.min(value.len())], value)))
}

fn last(pairs: &KStream<String, String>) -> KStream<String, String> {
    let rows = Materialized::with("last", Text, Text).uncached();
    let grouped = pairs.group_by_key(Grouped::with("by-pair", Text, Text));
    grouped.reduce(rows, |before, now| format!("{now} after {}", &before[..before.len().min(12)])).updates()
}

/// Windows over a topic and what comes back from another task: with one partition each of them has one sender.
fn counted(app: &StreamsBuilder) -> KStream<String, String> {
    let left = rekeyed(app, "left").repartition(Repartitioned::with("left-by-key", Text, Text));
    let both = left.merge(&app.stream::<String, String>("right", (Text, Text)));
    let windows = Tumbling::of(20).no_grace().emit_on_close();
    let counts = both.group_by_key(Grouped::with("by-key", Text, Text)).windowed_by(windows);
    let counts = counts.count(Materialized::with("counts", Text, Auto)).updates();
    counts.map(|window, n| (format!("{}@{}", window.key, window.start), n.to_string()))
}

fn driver(build: Build, partitions: usize, left: &[Vec<Input>], right: &[Vec<Input>]) -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    build(&app).to("out", (Text, Text));
    let driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let driver = driver.with_partitions(partitions as i32).unwrap();
    let driver = driver.with_topic_partitions("out", partitions as i32).unwrap();
    let mut driver = driver.bounded().unwrap().stepping();
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

/// What the output holds, partition by partition in the order written.
fn written(driver: &mut TopologyTestDriver, partitions: usize) -> Vec<Vec<(String, String, i64)>> {
    let mut written = vec![Vec::new(); partitions];
    for record in driver.output::<String, String>("out", (Text, Text)).read(driver).unwrap() {
        written[record.partition as usize].push((record.key, record.value, record.timestamp));
    }
    written
}

#[test]
fn a_stream_joined_with_a_table_finds_the_row_of_its_time_in_every_interleaving() {
    for partitions in [1, 2, 4] {
        for data in 0..3 {
            let left = inputs("l", partitions, 0, data);
            let right = inputs("r", partitions, 0, data + 100);
            // Without late records the order of time is the order of the records, and the join is one as of their times.
            let mut rows: Vec<_> = right.concat();
            rows.sort_by_key(|row| row.2);
            let mut expected: Vec<_> = left
                .concat()
                .into_iter()
                .map(|(key, value, time)| {
                    // At equal times the stream's record comes first: it was written before the table.
                    let row = rows.iter().rev().find(|row| row.0 == key && row.2 < time);
                    (key, format!("{value}/{}", row.map(|row| row.1.clone()).unwrap_or_default()), time)
                })
                .collect();
            expected.sort();
            for seed in 0..6 {
                let mut driver = driver(stream_table, partitions, &left, &right);
                run(&mut driver, seed, seed % 2 == 0);
                let mut found = written(&mut driver, partitions).concat();
                found.sort();
                let tied: Vec<i64> =
                    left.concat().iter().map(|l| l.2).filter(|at| rows.iter().any(|r| r.2 == *at)).collect();
                found.retain(|row| !tied.contains(&row.2));
                let expected: Vec<_> = expected.iter().filter(|row| !tied.contains(&row.2)).cloned().collect();
                assert_eq!(found, expected, "{partitions} partitions, data {data}, seed {seed}");
            }
        }
    }
}

#[test]
fn joins_and_folds_behind_repartitions_write_the_same_in_the_same_order_whatever_the_interleaving() {
    let builds: [(&str, Build); 6] = [
        ("stream-table", stream_table),
        ("stream-stream", stream_stream),
        ("forwarded", forwarded),
        ("folded", folded),
        ("folded below", folded_below),
        ("moved on below", moved_on_below),
    ];
    for (name, build) in builds {
        for partitions in [1, 2, 4] {
            for data in 0..2 {
                let left = inputs("l", partitions, 30, data);
                let right = inputs("r", partitions, 30, data + 100);
                let mut first = None;
                for seed in 0..6 {
                    let mut driver = driver(build, partitions, &left, &right);
                    run(&mut driver, seed, seed % 2 == 0);
                    let found = written(&mut driver, partitions);
                    assert!(found.concat().len() >= 50 * partitions);
                    let at = format!("{name}, {partitions} partitions, data {data}, seed {seed}");
                    assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{at}");
                }
            }
        }
    }
}

#[test]
fn windows_over_a_topic_and_a_repartition_find_the_same_records_late_in_every_interleaving() {
    for partitions in [1, 2, 4] {
        let (left, right) = (inputs("l", partitions, 30, 1), inputs("r", partitions, 30, 2));
        let mut first = None;
        for seed in 0..8 {
            let mut driver = driver(counted, partitions, &left, &right);
            run(&mut driver, seed, seed % 2 == 0);
            let mut found = written(&mut driver, partitions).concat();
            found.sort();
            let found = (found, driver.counters()["late:counts"]);
            assert!(found.1 > 0, "the data has no late records, so the test shows little");
            assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{partitions} partitions, seed {seed}");
        }
    }
}

/// What a task reads may come from itself, by way of a repartition topic. Waiting for that would never end.
#[test]
fn a_stream_that_meets_the_same_table_again_after_a_repartition_comes_to_its_end() {
    let looped: Build = |app| {
        let rows = app.table::<String, String>("right", (Text, Text), Materialized::with("rows", Text, Text));
        let words = |name: &str| Joined::with(name, Text, Text);
        let join = |l: String, r: Option<String>| format!("{l}/{}", r.unwrap_or_default());
        let once = app.stream::<String, String>("left", (Text, Text)).left_join_table(&rows, join, words("once"));
        once.map(|_, value| ("key".to_owned(), value)).left_join_table(&rows, join, words("again"))
    };
    for partitions in [1, 4] {
        let (left, right) = (inputs("l", partitions, 30, 1), inputs("r", partitions, 30, 2));
        for seed in 0..4 {
            let mut driver = driver(looped, partitions, &left, &right);
            run(&mut driver, seed, seed % 2 == 0);
            assert_eq!(written(&mut driver, partitions).concat().len(), left.concat().len(), "seed {seed}");
        }
    }
}

/// After a crash an outer join releases what has no partner at the same record as without one, and so with its headers.
#[test]
fn a_crash_changes_no_header_of_what_has_found_no_partner() {
    let data = (inputs("l", 1, 30, 1), inputs("r", 1, 30, 2));
    let mut first = None;
    for seed in 0..12 {
        let app = StreamsBuilder::new("demo");
        stream_stream(&app).to("out", (Text, Text));
        let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap().bounded().unwrap().stepping();
        for (topic, records) in [("left", &data.0), ("right", &data.1)] {
            let mut input = driver.input::<String, String>(topic, (Text, Text));
            for (key, value, time) in records.concat() {
                let mut headers = Headers::new();
                headers.push_text("of", &value);
                input.pipe_with_headers(&mut driver, "key".into(), key + &value, time, headers).unwrap();
            }
        }
        run(&mut driver, seed, seed > 0);
        let records = driver.output::<String, String>("out", (Text, Text)).read(&mut driver).unwrap();
        let found: Vec<_> = records.into_iter().map(|record| (record.value, record.headers)).collect();
        assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "seed {seed}");
    }
}
