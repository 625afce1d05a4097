//! The test driver itself.

use headwater::{prelude::*, testing::MemorySink};

fn topology() -> Topology {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json).group_by_key("by-key").count("counts").updates().to("out", Json);
    app.build().unwrap()
}

#[test]
fn unknown_names_are_errors_that_say_what_there_is() {
    let mut driver = TopologyTestDriver::new(topology()).unwrap();
    let mut input = driver.input::<String, i64>("imn", Json);
    let error = input.pipe(&mut driver, "k".into(), 1, 0).unwrap_err();
    assert_eq!(error.to_string(), "[HW0120] the topology reads no topic imn; help: it reads these: in");
    let error = driver.output::<String, i64>("in", Json).read(&mut driver).unwrap_err();
    assert_eq!(error.to_string(), "[HW0120] the topology writes no topic in; help: it writes these: out");
    let error = driver.store::<String, i64>("count").unwrap_err();
    assert_eq!(error.to_string(), "[HW0120] the topology keeps no store count; help: it keeps these: counts");
    assert_eq!(driver.window_store::<String, i64>("counts").unwrap_err().code(), "HW0652");
    let mut input = driver.input::<String, i64>("in", Json).to_partition(1);
    assert_eq!(input.pipe(&mut driver, "k".into(), 1, 0).unwrap_err().code(), "HW0121");
}

#[test]
fn an_output_is_read_once_and_only_what_is_new() {
    let mut driver = TopologyTestDriver::new(topology()).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    let output = driver.output::<String, i64>("out", Json);
    input.pipe(&mut driver, "k".into(), 1, 0).unwrap();
    assert_eq!(output.read_values(&mut driver).unwrap(), [1]);
    assert!(output.read_values(&mut driver).unwrap().is_empty());
    input.pipe(&mut driver, "k".into(), 1, 0).unwrap();
    assert_eq!(output.read_values(&mut driver).unwrap(), [2]);
}

#[test]
fn an_output_of_another_type_is_an_error_that_names_the_record() {
    let mut driver = TopologyTestDriver::new(topology()).unwrap();
    driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 1, 0).unwrap();
    let error = driver.output::<String, Vec<bool>>("out", Json).read(&mut driver).unwrap_err();
    assert_eq!(error.code(), "HW0203");
    assert!(error.to_string().contains("out-0@0"), "{error}");
}

#[test]
fn a_crashed_task_starts_again_from_its_last_commit() {
    let app = StreamsBuilder::new("demo");
    let sink = MemorySink::<String, i64>::new("counts");
    app.stream::<String, i64>("in", Json).group_by_key("by-key").count("counts").updates().sink("sink", sink.clone());
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap().stepping();
    let task = driver.tasks()[0];
    let mut input = driver.input::<String, i64>("in", Json);
    for n in 0..3 {
        input.pipe(&mut driver, "k".into(), n, n).unwrap();
    }
    assert!(driver.step(task).unwrap());
    driver.commit_task(task).unwrap();
    assert!(driver.step(task).unwrap());
    driver.restart_task(task).unwrap();
    assert!(driver.step(task).unwrap() && driver.step(task).unwrap());
    assert!(!driver.step(task).unwrap());
    driver.commit_task(task).unwrap();
    assert_eq!(sink.rows(), [("k".to_owned(), 1), ("k".to_owned(), 3)]);
}

/// Daily counts behind a repartition, read from two partitions.
fn regrouped() -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json)
        .group_by(|_, n| *n, "by-number")
        .windowed_by(Tumbling::of(days(1)).no_grace().emit_on_close())
        .count("counts")
        .updates()
        .map(|window, n| (window.key, n))
        .to("out", Json);
    TopologyTestDriver::new(app.build().unwrap()).unwrap().with_partitions(2).unwrap()
}

fn pipe_to(driver: &mut TopologyTestDriver, partition: i32, time: i64) {
    let mut input = driver.input::<String, i64>("in", Json).to_partition(partition);
    input.pipe(driver, "k".into(), 1, time).unwrap();
}

#[test]
fn a_window_waits_for_the_slower_partition_and_not_for_an_idle_one() {
    let mut driver = regrouped();
    let output = driver.output::<i64, i64>("out", Json);
    pipe_to(&mut driver, 0, hours(1));
    pipe_to(&mut driver, 1, hours(2));
    pipe_to(&mut driver, 0, hours(30));
    assert!(output.read_values(&mut driver).unwrap().is_empty());
    // Partition 1 may still bring records of the first day, until it has been silent for half a minute.
    driver.advance_wall_clock(seconds(29)).unwrap();
    assert!(output.read_values(&mut driver).unwrap().is_empty());
    pipe_to(&mut driver, 0, hours(31));
    driver.advance_wall_clock(seconds(1)).unwrap();
    assert_eq!(output.read_values(&mut driver).unwrap(), [2]);
    // What it brings into a closed window then is late only by its own time, or because the window is gone.
    pipe_to(&mut driver, 1, hours(3));
    assert_eq!(driver.counters()["late:counts"], 1);
}

#[test]
fn a_partition_that_speaks_again_is_waited_for_again() {
    let mut driver = regrouped();
    let output = driver.output::<i64, i64>("out", Json);
    pipe_to(&mut driver, 0, hours(1));
    pipe_to(&mut driver, 1, hours(2));
    driver.advance_wall_clock(seconds(30)).unwrap();
    pipe_to(&mut driver, 1, hours(3));
    pipe_to(&mut driver, 0, hours(30));
    assert!(output.read_values(&mut driver).unwrap().is_empty());
    pipe_to(&mut driver, 1, hours(30));
    assert_eq!(output.read_values(&mut driver).unwrap(), [3]);
}

#[test]
fn the_end_of_input_travels_through_repartitions_and_a_later_run_begins_anew() {
    let mut driver = regrouped();
    let output = driver.output::<i64, i64>("out", Json);
    pipe_to(&mut driver, 0, hours(1));
    driver.end_of_input().unwrap();
    assert_eq!(output.read_values(&mut driver).unwrap(), [1]);
    pipe_to(&mut driver, 0, hours(30));
    pipe_to(&mut driver, 1, hours(31));
    assert!(output.read_values(&mut driver).unwrap().is_empty());
    driver.end_of_input().unwrap();
    assert_eq!(output.read_values(&mut driver).unwrap(), [2]);
}
