//! A step that reads a source topic directly beside a repartition topic, in a live run: the source runs ahead of the
//! repartition topic, whose records come a commit later, and makes none of them late.

use std::collections::BTreeSet;

use headwater::prelude::*;
use headwater_core::TaskId;

use super::{
    by_chance::run,
    time_across_repartition::{Input, feed, inputs},
};

const GRACE: i64 = 30;

type Sum = (i64, i64);
/// A result: group, start, end, records, sum of amounts.
type Row = (i64, i64, i64, i64, i64);
/// What a step makes of the stream that was given new keys, and of the one that is read directly.
type Build = fn(&KStream<i64, Sum>, &KStream<i64, Sum>) -> KStream<i64, Row>;

fn add(_: &i64, (_, amount): Sum, (n, sum): &mut Sum) {
    *n += 1;
    *sum += amount;
}

fn merge(_: &i64, a: Sum, b: Sum) -> Sum {
    (a.0 + b.0, a.1 + b.1)
}

fn rows(table: &KTable<Windowed<i64>, Sum>) -> KStream<i64, Row> {
    table.updates().map(|window, (n, sum)| (window.key, (window.key, window.start, window.end, n, sum)))
}

fn merged(moved: &KStream<i64, Sum>, direct: &KStream<i64, Sum>) -> KGroupedStream<i64, Sum> {
    moved.repartition("moved").merge(direct).group_by_key("by-group")
}

fn cogroup(moved: &KStream<i64, Sum>, direct: &KStream<i64, Sum>) -> KStream<i64, Row> {
    let windows = Tumbling::of(50).grace(GRACE).emit_on_close();
    let both = moved.group_by_key("moved").cogroup(add).cogroup(direct.group_by_key("direct-by-group"), add);
    rows(&both.windowed_by(windows).aggregate("sums", || (0, 0)))
}

fn tumbling(moved: &KStream<i64, Sum>, direct: &KStream<i64, Sum>) -> KStream<i64, Row> {
    let windows = Tumbling::of(50).grace(GRACE).emit_on_close();
    rows(&merged(moved, direct).windowed_by(windows).aggregate("sums", || (0, 0), add))
}

fn sliding(moved: &KStream<i64, Sum>, direct: &KStream<i64, Sum>) -> KStream<i64, Row> {
    let windows = Sliding::of(40).grace(GRACE).emit_on_close();
    rows(&merged(moved, direct).windowed_by(windows).aggregate("sums", || (0, 0), add))
}

fn sessions(moved: &KStream<i64, Sum>, direct: &KStream<i64, Sum>) -> KStream<i64, Row> {
    let sessions = Session::with_gap(10).grace(GRACE).emit_on_close();
    rows(&merged(moved, direct).windowed_by(sessions).aggregate("sums", || (0, 0), add, merge))
}

fn suppressed(moved: &KStream<i64, Sum>, direct: &KStream<i64, Sum>) -> KStream<i64, Row> {
    let windows = Tumbling::of(50).grace(GRACE);
    let sums = merged(moved, direct).windowed_by(windows).aggregate("sums", || (0, 0), add);
    rows(&sums.suppress_until_closed("held"))
}

/// What was merged travels on: behind one task that hands on what several have sent there are several senders, too.
fn handed_on(moved: &KStream<i64, Sum>, direct: &KStream<i64, Sum>) -> KStream<i64, Row> {
    let windows = Tumbling::of(50).grace(GRACE).emit_on_close();
    let again = moved.repartition("moved").merge(direct).map(|key, value| (key + 1, value)).group_by_key("again");
    rows(&again.windowed_by(windows).aggregate("sums", || (0, 0), add))
}

fn joined(moved: &KStream<i64, Sum>, direct: &KStream<i64, Sum>) -> KStream<i64, Row> {
    let pair = |l: Option<Sum>, r: Option<Sum>| {
        let (l, r) = (l.unwrap_or((-1, -1)), r.unwrap_or((-1, -1)));
        (l.0, l.1, r.0, r.1, 0)
    };
    moved.outer_join_stream(direct, pair, JoinWindows::of(20).grace(GRACE), "pairs")
}

const BUILDS: [(&str, Build); 7] = [
    ("cogroup", cogroup),
    ("tumbling", tumbling),
    ("sliding", sliding),
    ("sessions", sessions),
    ("suppressed", suppressed),
    ("handed on", handed_on),
    ("joined", joined),
];

fn driver(build: Build, partitions: usize) -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    let moved = app.stream::<String, Sum>("in", Json).map(|_, value| (value.0, value));
    let direct = app.stream::<i64, Sum>("direct", Json);
    build(&moved, &direct).to("out", Json);
    let driver = TopologyTestDriver::new(app.build().unwrap()).unwrap().with_partitions(partitions as i32).unwrap();
    driver.with_topic_partitions("out", partitions as i32).unwrap().stepping()
}

/// Every record is at most a grace behind its own partition's time.
fn timely(partitions: usize, seed: u64) -> Vec<Vec<Input>> {
    let mut inputs = inputs(partitions, seed);
    for records in &mut inputs {
        let mut time = 0;
        for (_, _, at) in records {
            time = time.max(*at);
            *at = (*at).max(time - GRACE / 2);
        }
    }
    inputs
}

/// The records that are read directly have groups that belong to their partition.
fn feed_direct(driver: &mut TopologyTestDriver, inputs: &[Vec<Input>]) {
    for (partition, records) in (0..).zip(inputs) {
        let mut input = driver.input::<i64, Sum>("direct", Json).to_partition(partition);
        for (group, amount, time) in records {
            let group = if inputs.len() == 1 { *group } else { 100 * (i64::from(partition) + 1) + *group };
            input.pipe(driver, group, (group, *amount), *time).unwrap();
        }
    }
}

fn written(driver: &mut TopologyTestDriver) -> Vec<Row> {
    let mut rows = driver.output::<i64, Row>("out", Json).read_values(driver).unwrap();
    rows.sort_unstable();
    rows
}

fn late(driver: &TopologyTestDriver) -> i64 {
    driver.counters().iter().filter(|(name, _)| name.starts_with("late:")).map(|(_, count)| count).sum()
}

#[test]
fn every_interleaving_of_a_source_and_a_slow_task_gives_the_same_and_finds_nothing_late() {
    for (name, build) in BUILDS {
        for partitions in [1, 2] {
            let (moved, direct) = (timely(partitions, 1), timely(partitions, 2));
            let mut first = None;
            for seed in 0..8 {
                let at = format!("{name}, {partitions} partitions, seed {seed}");
                let mut driver = driver(build, partitions);
                feed(&mut driver, "in", &moved);
                feed_direct(&mut driver, &direct);
                run(&mut driver, seed, seed % 2 == 1);
                assert_eq!(late(&driver), 0, "{at}");
                let found = written(&mut driver);
                assert!(found.len() > 20, "{at}");
                assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{at}");
            }
        }
    }
}

/// Lets all tasks but the slow one take all they can, and commit.
fn run_but(driver: &mut TopologyTestDriver, slow: Option<TaskId>) {
    let tasks: Vec<_> = driver.tasks().into_iter().filter(|task| Some(*task) != slow).collect();
    let mut moved = true;
    while std::mem::take(&mut moved) {
        for task in &tasks {
            while driver.step(*task).unwrap() {
                moved = true;
            }
            driver.commit_task(*task).unwrap();
        }
    }
}

/// The plainest case: the source is read to its end before the upstream task has taken its first record.
#[test]
fn a_source_that_is_far_ahead_waits_with_its_windows_for_the_upstream_task() {
    let mut driver = driver(cogroup, 1);
    let slow = driver.tasks()[0];
    feed_direct(&mut driver, &[vec![(1, 5, 10), (1, 5, 60), (1, 5, 1_000)]]);
    feed(&mut driver, "in", &[vec![(1, 7, 20), (1, 7, 90), (1, 7, 1_000)]]);
    run_but(&mut driver, Some(slow));
    assert_eq!(written(&mut driver), []);
    run_but(&mut driver, None);
    assert_eq!(written(&mut driver), [(1, 0, 50, 2, 12), (1, 50, 100, 2, 12)]);
    assert_eq!(late(&driver), 0);
}

type Feed = fn(&mut TopologyTestDriver, &[Vec<Input>]);

/// Nobody waits for ever for a source, or for an upstream task, that has nothing to say, though the other goes on.
#[test]
fn windows_close_without_whoever_has_been_quiet_for_long() {
    let record = |time| vec![vec![(1, 5, time)]];
    let feeds: [Feed; 2] = [|driver, inputs| feed(driver, "in", inputs), feed_direct];
    for (place, speaks) in feeds.into_iter().enumerate() {
        let mut driver = driver(tumbling, 1);
        speaks(&mut driver, &record(10));
        speaks(&mut driver, &record(1_000));
        run_but(&mut driver, None);
        assert_eq!(written(&mut driver), [], "{place}");
        driver.advance_wall_clock(seconds(20)).unwrap();
        speaks(&mut driver, &record(1_001));
        run_but(&mut driver, None);
        driver.advance_wall_clock(seconds(10)).unwrap();
        run_but(&mut driver, None);
        assert_eq!(written(&mut driver), [(1, 0, 50, 1, 5)], "{place}");
        // It is waited for again when it has spoken.
        feeds[1 - place](&mut driver, &record(1_010));
        speaks(&mut driver, &record(5_000));
        run_but(&mut driver, None);
        assert_eq!(written(&mut driver), [], "{place}");
        feeds[1 - place](&mut driver, &record(5_000));
        run_but(&mut driver, None);
        let starts: BTreeSet<i64> = written(&mut driver).iter().map(|row| row.1).collect();
        assert_eq!(starts, BTreeSet::from([1_000]), "{place}");
    }
}

/// When the senders' times leap, what has found no partner comes to the windows below before these close.
#[test]
fn what_has_found_no_partner_is_in_time_for_the_windows_below_however_far_time_leaps() {
    fn alone(moved: &KStream<i64, Sum>, direct: &KStream<i64, Sum>) -> KStream<i64, Sum> {
        let pair = |l: Sum, r: Option<Sum>| (l.1, r.map_or(0, |r| r.1));
        moved.left_join_stream(direct, pair, JoinWindows::of(0).no_grace(), "pairs")
    }
    fn sums(stream: &KStream<i64, Sum>) -> KStream<i64, Row> {
        let windows = Tumbling::of(50).no_grace().emit_on_close();
        rows(&stream.group_by_key("by-group").windowed_by(windows).aggregate("sums", || (0, 0), add))
    }
    fn counted(moved: &KStream<i64, Sum>, direct: &KStream<i64, Sum>) -> KStream<i64, Row> {
        sums(&alone(moved, direct))
    }
    fn moved_on(moved: &KStream<i64, Sum>, direct: &KStream<i64, Sum>) -> KStream<i64, Row> {
        sums(&alone(moved, direct).map(|key, value| (key + 1, value)))
    }
    for (place, build) in [counted as Build, moved_on].into_iter().enumerate() {
        let mut driver = driver(build, 1);
        feed_direct(&mut driver, &[vec![(1, 5, 1_000)]]);
        feed(&mut driver, "in", &[vec![(1, 7, 10), (1, 7, 1_000)]]);
        run_but(&mut driver, None);
        driver.end_of_input().unwrap();
        assert_eq!(late(&driver), 0, "{place}");
        let starts: Vec<i64> = written(&mut driver).iter().map(|row| row.1).collect();
        assert_eq!(starts, [0, 1_000], "{place}");
    }
}
