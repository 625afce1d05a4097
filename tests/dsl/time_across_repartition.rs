//! Time across a repartition: whatever the interleaving of tasks, commits and crashes, the results are the same.

use std::collections::BTreeMap;

use headwater::prelude::*;

use super::by_chance::{Random, run};

const SIZE: i64 = 100;
const GRACE: i64 = 60;
const GROUPS: i64 = 7;

/// A record of one input partition: group, amount, time.
pub(super) type Input = (i64, i64, i64);
/// A final result: group, window start, records, sum of amounts.
type Row = (i64, i64, i64, i64);

/// Partitions whose clocks run at different speeds, with records that come up to 200 late.
pub(super) fn inputs(partitions: usize, seed: u64) -> Vec<Vec<Input>> {
    let mut random = Random(seed);
    (0..partitions)
        .map(|_| {
            let (mut clock, pace) = (random.below(150) as i64, 10 + random.below(40));
            (0..60)
                .map(|_| {
                    clock += random.below(pace) as i64;
                    let behind = if random.below(3) == 0 { random.below(200) as i64 } else { 0 };
                    (random.below(GROUPS as usize) as i64, random.below(100) as i64, (clock - behind).max(0))
                })
                .collect()
        })
        .collect()
}

/// The rule in its plainest form: late is what its own partition's time has passed.
fn model(inputs: &[Vec<Input>]) -> (Vec<Row>, i64) {
    let (mut windows, mut late) = (BTreeMap::<(i64, i64), (i64, i64)>::new(), 0);
    for partition in inputs {
        let mut time = i64::MIN;
        for (group, amount, at) in partition {
            time = time.max(*at);
            let start = at - at % SIZE;
            if start + SIZE + GRACE <= time {
                late += 1;
                continue;
            }
            let (count, sum) = windows.entry((*group, start)).or_default();
            *count += 1;
            *sum += amount;
        }
    }
    let mut rows: Vec<Row> = windows.into_iter().map(|((group, start), (n, sum))| (group, start, n, sum)).collect();
    rows.sort_unstable();
    (rows, late)
}

type Build = fn(&StreamsBuilder) -> KTable<Windowed<i64>, (i64, i64)>;

fn windowed(stream: &KStream<i64, (i64, i64)>) -> KTable<Windowed<i64>, (i64, i64)> {
    sums(stream, Tumbling::of(SIZE).grace(GRACE).emit_on_close())
}

fn sums(stream: &KStream<i64, (i64, i64)>, windows: Tumbling) -> KTable<Windowed<i64>, (i64, i64)> {
    stream.group_by_key("by-group").windowed_by(windows).aggregate(
        "sums",
        || (0, 0),
        |_, (_, amount), (n, sum): &mut (i64, i64)| {
            *n += 1;
            *sum += amount;
        },
    )
}

fn regrouped(app: &StreamsBuilder) -> KStream<i64, (i64, i64)> {
    app.stream::<String, (i64, i64)>("in", Json).map(|_, value| (value.0, value))
}

/// One repartition.
fn direct(app: &StreamsBuilder) -> KTable<Windowed<i64>, (i64, i64)> {
    windowed(&regrouped(app))
}

/// One repartition, and results held back until they are final.
fn suppressed(app: &StreamsBuilder) -> KTable<Windowed<i64>, (i64, i64)> {
    sums(&regrouped(app), Tumbling::of(SIZE).grace(GRACE)).suppress_until_closed("held")
}

/// Records pass a task in the middle, which forwards what others sent it.
fn forwarded(app: &StreamsBuilder) -> KTable<Windowed<i64>, (i64, i64)> {
    let middle = app.stream::<String, (i64, i64)>("in", Json).map(|_, value| (value.1, value)).repartition("middle");
    windowed(&middle.map(|_, value| (value.0, value)))
}

fn driver(build: Build, partitions: usize) -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    let sums = build(&app);
    sums.updates().map(|window, (n, sum)| (window.key, (window.start, n, sum))).to("out", Json);
    // Final results are grouped again, into windows of their own.
    sums.updates()
        .map(|window, (n, _)| (window.key % 2, n))
        .group_by_key("by-parity")
        .windowed_by(Tumbling::of(3 * SIZE).no_grace().emit_on_close())
        .reduce("totals", |a, b| a + b)
        .updates()
        .map(|window, n| (window.key, (window.start, n)))
        .to("totals-out", Json);
    let partitions = partitions as i32;
    let driver = TopologyTestDriver::new(app.build().unwrap()).unwrap().with_partitions(partitions).unwrap();
    let driver = driver.with_topic_partitions("out", partitions).unwrap();
    driver.with_topic_partitions("totals-out", partitions).unwrap().stepping()
}

pub(super) fn feed(driver: &mut TopologyTestDriver, topic: &str, inputs: &[Vec<Input>]) {
    for (partition, records) in (0..).zip(inputs) {
        let mut input = driver.input::<String, (i64, i64)>(topic, Json).to_partition(partition);
        for (group, amount, time) in records {
            input.pipe(driver, "key".into(), (*group, *amount), *time).unwrap();
        }
    }
}

#[derive(Debug, PartialEq)]
struct Results {
    /// By partition of the output, in the order written.
    sums: Vec<Vec<Row>>,
    totals: Vec<Vec<(i64, i64, i64)>>,
    late: i64,
    late_totals: i64,
}

fn results(driver: &mut TopologyTestDriver, partitions: usize) -> Results {
    let mut sums = vec![Vec::new(); partitions];
    for record in driver.output::<i64, (i64, i64, i64)>("out", Json).read(driver).unwrap() {
        let (start, n, sum) = record.value;
        sums[record.partition as usize].push((record.key, start, n, sum));
    }
    let mut totals = vec![Vec::new(); partitions];
    for record in driver.output::<i64, (i64, i64)>("totals-out", Json).read(driver).unwrap() {
        totals[record.partition as usize].push((record.key, record.value.0, record.value.1));
    }
    let counters = driver.counters();
    Results { sums, totals, late: counters["late:sums"], late_totals: counters["late:totals"] }
}

fn check(build: Build, crashes: bool) {
    for partitions in [1, 2, 4] {
        let mut all_late = 0;
        for data in 0..4 {
            let inputs = inputs(partitions, data);
            let (expected, expected_late) = model(&inputs);
            all_late += expected_late;
            let mut first = None;
            for seed in 0..12 {
                let mut driver = driver(build, partitions);
                feed(&mut driver, "in", &inputs);
                run(&mut driver, seed, crashes);
                let found = results(&mut driver, partitions);
                let at = format!("{partitions} partitions, data {data}, seed {seed}");
                let mut rows = found.sums.concat();
                rows.sort_unstable();
                assert_eq!((&rows, found.late), (&expected, expected_late), "{at}");
                let counted: i64 = found.totals.iter().flatten().map(|total| total.2).sum();
                assert!(counted > 0, "{at}");
                assert_eq!(first.get_or_insert_with(|| clone(&found)), &found, "{at}");
            }
        }
        assert!(all_late > 10, "the data has few late records, so the test shows little");
    }
}

fn clone(results: &Results) -> Results {
    Results { sums: results.sums.clone(), totals: results.totals.clone(), ..*results }
}

#[test]
fn every_interleaving_gives_the_same_results_and_the_same_late_records() {
    check(direct, false);
}

#[test]
fn every_interleaving_gives_the_same_through_a_task_in_the_middle() {
    check(forwarded, false);
}

#[test]
fn every_interleaving_gives_the_same_final_results_held_back() {
    check(suppressed, false);
    check(suppressed, true);
}

#[test]
fn crashes_at_any_moment_change_nothing() {
    check(direct, true);
    check(forwarded, true);
}

/// Rows that are kept until time has passed them: the end is one time, whichever task came to its end first.
#[test]
fn every_interleaving_leaves_the_same_rows_at_the_end() {
    let on_update: Build = |app| sums(&regrouped(app), Tumbling::of(SIZE).grace(GRACE));
    let through_the_middle: Build = |app| {
        let middle =
            app.stream::<String, (i64, i64)>("in", Json).map(|_, value| (value.1, value)).repartition("middle");
        sums(&middle.map(|_, value| (value.0, value)), Tumbling::of(SIZE).grace(GRACE))
    };
    for build in [on_update, through_the_middle] {
        let inputs = inputs(4, 3);
        let mut first = None;
        for seed in 0..20 {
            let mut driver = driver(build, 4);
            feed(&mut driver, "in", &inputs);
            run(&mut driver, seed, seed % 2 == 1);
            let mut rows = driver.store_bytes("sums").unwrap();
            rows.sort();
            assert!(!rows.is_empty());
            assert_eq!(first.get_or_insert_with(|| rows.clone()), &rows, "seed {seed}");
        }
    }
}

/// A source partition beside a repartition is one more queue with its own time.
#[test]
fn every_interleaving_gives_the_same_beside_a_source() {
    fn beside(app: &StreamsBuilder) -> KTable<Windowed<i64>, (i64, i64)> {
        let direct = app.stream::<i64, (i64, i64)>("direct", Json);
        windowed(&regrouped(app).repartition("moved").merge(&direct))
    }
    for partitions in [2, 4] {
        let (moved, beside_it) = (inputs(partitions, 1), inputs(partitions, 2));
        let mut all = moved.clone();
        let mut first = None;
        // The side input's records stay where they are, so its groups must be those of their partition.
        let side: Vec<Vec<Input>> = beside_it
            .iter()
            .zip(0_i64..)
            .map(|(records, partition)| {
                records.iter().map(|(group, amount, time)| (group + 100 * (partition + 1), *amount, *time)).collect()
            })
            .collect();
        all.extend(side.clone());
        let (expected, expected_late) = model(&all);
        for seed in 0..20 {
            let mut driver = driver(beside, partitions);
            feed(&mut driver, "in", &moved);
            for (partition, records) in (0..).zip(&side) {
                let mut input = driver.input::<i64, (i64, i64)>("direct", Json).to_partition(partition);
                for (group, amount, time) in records {
                    input.pipe(&mut driver, *group, (*group, *amount), *time).unwrap();
                }
            }
            run(&mut driver, seed, seed % 2 == 1);
            let mut rows = results(&mut driver, partitions);
            let late = rows.late;
            let mut rows = std::mem::take(&mut rows.sums).concat();
            rows.sort_unstable();
            assert_eq!((&rows, late), (&expected, expected_late), "{partitions} partitions, seed {seed}");
            assert_eq!(first.get_or_insert_with(|| rows.clone()), &rows);
        }
    }
}

/// Runs all tasks in turns, a record each, until none has anything to read.
fn settle(driver: &mut TopologyTestDriver) {
    let mut moved = true;
    while std::mem::take(&mut moved) {
        for task in driver.tasks() {
            moved |= driver.step(task).unwrap();
            driver.commit_task(task).unwrap();
        }
    }
}

/// Windows close while the input still flows, without waiting for the end.
#[test]
fn windows_close_as_soon_as_the_slowest_partition_has_passed_them() {
    let mut driver = driver(direct, 2);
    let output = driver.output::<i64, (i64, i64, i64)>("out", Json);
    let (fast, slow) = (vec![(1, 1, 10), (1, 1, 500)], vec![(1, 1, 20), (1, 1, 159), (1, 1, 160)]);
    feed(&mut driver, "in", &[fast, slow[..2].to_vec()]);
    settle(&mut driver);
    assert!(output.read_values(&mut driver).unwrap().is_empty());
    feed(&mut driver, "in", &[Vec::new(), slow[2..].to_vec()]);
    settle(&mut driver);
    assert_eq!(output.read_values(&mut driver).unwrap(), [(0, 2, 2)]);
}

/// A task whose windows hold nothing says how far it is, so that final results behind it do not wait for ever.
#[test]
fn results_of_results_close_though_some_tasks_have_none() {
    let mut driver = driver(direct, 4);
    let output = driver.output::<i64, (i64, i64)>("totals-out", Json);
    // One group only: three of the four tasks in the middle have no window at all.
    let input: Vec<Input> = (0..100).map(|n| (3, 1, n * 20)).collect();
    feed(&mut driver, "in", &[input.clone(), input.clone(), input.clone(), input]);
    settle(&mut driver);
    let totals = output.read_values(&mut driver).unwrap();
    assert_eq!(totals, [(0, 60), (300, 60), (600, 60), (900, 60), (1_200, 60), (1_500, 60)]);
}

/// Both partitions fall silent, the program stops, a backlog gathers, and the one whose records are younger is read first.
#[test]
fn whoever_was_idle_before_a_stop_is_waited_for_after_it() {
    let mut driver = driver(direct, 2);
    feed(&mut driver, "in", &[vec![(1, 1, 10)], vec![(1, 1, 20)]]);
    settle(&mut driver);
    driver.advance_wall_clock(seconds(30)).unwrap();
    settle(&mut driver);
    let [ahead, rest @ ..] = &driver.tasks()[..] else { panic!("no tasks") };
    let (ahead, behind, rest) = (*ahead, rest[0], rest[1..].to_vec());
    for task in driver.tasks() {
        driver.restart_task(task).unwrap();
    }
    feed(&mut driver, "in", &[vec![(1, 1, 10_000)], vec![(1, 1, 150), (1, 1, 10_000)]]);

    driver.step(ahead).unwrap();
    driver.commit_task(ahead).unwrap();
    for task in rest {
        while driver.step(task).unwrap() {}
        driver.commit_task(task).unwrap();
    }
    driver.step(behind).unwrap();
    settle(&mut driver);

    let output = driver.output::<i64, (i64, i64, i64)>("out", Json);
    assert_eq!(output.read_values(&mut driver).unwrap(), [(0, 2, 2), (100, 1, 1)]);
    assert_eq!(driver.counters()["late:sums"], 0);
}
