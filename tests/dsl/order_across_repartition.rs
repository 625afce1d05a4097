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
fn joins_behind_repartitions_write_the_same_in_the_same_order_whatever_the_interleaving() {
    let builds: [(&str, Build); 3] =
        [("stream-table", stream_table), ("stream-stream", stream_stream), ("forwarded", forwarded)];
    for (name, build) in builds {
        for partitions in [1, 2, 4] {
            for data in 0..2 {
                let left = inputs("l", partitions, 30, data);
                let right = inputs("r", partitions, 30, data + 100);
                let mut first = None;
                for seed in 0..6 {
                    let mut driver = driver(build, partitions, &left, &right);
                    run(&mut driver, seed, seed % 2 == 0);
                    let mut found = written(&mut driver, partitions);
                    if name == "stream-stream" {
                        // When a record is known to have no partner depends on when the senders' times are told.
                        found.iter_mut().for_each(|partition| partition.sort());
                    }
                    assert!(found.concat().len() >= 50 * partitions);
                    let at = format!("{name}, {partitions} partitions, data {data}, seed {seed}");
                    assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{at}");
                }
            }
        }
    }
}
