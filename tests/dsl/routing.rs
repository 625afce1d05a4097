//! Merge, split, flat maps, partitions: where records go and in what order.

use headwater::prelude::*;

#[test]
fn a_merge_keeps_the_order_of_each_side_and_takes_the_older_head_first() {
    let app = StreamsBuilder::new("demo");
    let left: KStream<String, i64> = app.stream("left", Json);
    left.merge(&app.stream("right", Json)).to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap().stepping();
    let (mut left, mut right) = (driver.input::<String, i64>("left", Json), driver.input("right", Json));
    for (n, time) in [(1, 10), (2, 5), (3, 40)] {
        left.pipe(&mut driver, "k".into(), n, time).unwrap();
    }
    for (n, time) in [(11, 7), (12, 20), (13, 30)] {
        right.pipe(&mut driver, "k".to_owned(), n, time).unwrap();
    }
    let task = driver.tasks()[0];
    while driver.step(task).unwrap() {}
    driver.commit_task(task).unwrap();
    let merged = driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap();
    assert_eq!(merged, [11, 1, 2, 12, 13, 3]);
}

#[test]
fn a_diamond_gives_each_branch_the_record_in_the_order_written() {
    let app = StreamsBuilder::new("demo");
    let numbers = app.stream::<String, i64>("in", Json);
    let (plus, times) = (numbers.map_values(|n| n + 1), numbers.map_values(|n| n * 10));
    plus.merge(&times).to("out", Json);
    numbers.merge(&numbers).to("twice", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    for n in [1, 2] {
        input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    }
    assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [2, 10, 3, 20]);
    assert_eq!(driver.output::<String, i64>("twice", Json).read_values(&mut driver).unwrap(), [1, 1, 2, 2]);
}

#[test]
fn a_record_goes_to_the_first_branch_that_takes_it_and_else_to_the_default_wherever_that_is_written() {
    let app = StreamsBuilder::new("demo");
    let split = app.stream::<String, i64>("in", Json).split();
    split.branch(|_, n| *n < 10).to("small", Json);
    split.default_branch().to("rest", Json);
    split.branch(|_, n| n % 2 == 0).to("even", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    for n in [2, 12, 13] {
        input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    }
    let mut read = |topic| driver.output::<String, i64>(topic, Json).read_values(&mut driver).unwrap();
    assert_eq!((read("small"), read("even"), read("rest")), (vec![2], vec![12], vec![13]));
}

#[test]
fn without_a_default_branch_the_rest_goes_nowhere() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json).split().branch(|_, n| *n < 10).to("small", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    for n in [20, 2] {
        input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    }
    assert_eq!(driver.output::<String, i64>("small", Json).read_values(&mut driver).unwrap(), [2]);
}

#[test]
fn keys_go_to_the_partition_that_javas_producer_chooses() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json).to("out", (Text, Json));
    let driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut driver = driver.with_topic_partitions("out", 4).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    for key in ["a", "b", "c", "hello", "kafka"] {
        input.pipe(&mut driver, key.into(), 0, 0).unwrap();
    }
    let records = driver.output::<String, i64>("out", Json).read(&mut driver).unwrap();
    assert_eq!(records.iter().map(|record| record.partition).collect::<Vec<_>>(), [0, 0, 2, 1, 0]);
}

#[test]
fn a_record_without_key_stays_on_its_tasks_number() {
    let app = StreamsBuilder::new("demo");
    app.stream::<Option<String>, i64>("in", Json).to("out", Json);
    let driver = TopologyTestDriver::new(app.build().unwrap()).unwrap().with_partitions(3).unwrap();
    let mut driver = driver.with_topic_partitions("out", 2).unwrap();
    for partition in 0..3 {
        let mut input = driver.input::<Option<String>, i64>("in", Json).to_partition(partition);
        input.pipe(&mut driver, None, i64::from(partition), 0).unwrap();
    }
    let records = driver.output::<Option<String>, i64>("out", Json).read(&mut driver).unwrap();
    assert_eq!(records.iter().map(|r| (r.value, r.partition)).collect::<Vec<_>>(), [(0, 0), (1, 1), (2, 0)]);
}

#[test]
fn headers_and_time_pass_through_stateless_steps_and_repartitions() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json).map(|key, n| (n, key)).repartition("moved").to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut headers = Headers::new();
    headers.push_text("trace", "7");
    headers.push("null", None);
    let mut input = driver.input::<String, i64>("in", Json);
    input.pipe_with_headers(&mut driver, "k".into(), 1, 99, headers.clone()).unwrap();
    let records = driver.output::<i64, String>("out", Json).read(&mut driver).unwrap();
    assert_eq!((records[0].timestamp, &records[0].headers), (99, &headers));
}

#[test]
fn a_repartition_brings_equal_keys_to_one_task() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json).group_by(|_, n| n % 3, "by-rest").count("counts");
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap().with_partitions(4).unwrap();
    for n in 0..40 {
        let mut input = driver.input::<String, i64>("in", Json).to_partition((n % 4) as i32);
        input.pipe(&mut driver, format!("key {n}"), n, n).unwrap();
    }
    let mut rows = driver.store::<i64, i64>("counts").unwrap().all().unwrap();
    rows.sort_unstable();
    assert_eq!(rows, [(0, 14), (1, 13), (2, 13)]);
}

/// Both counts of a stream whose key was changed, and how many topics it takes.
fn counted_twice(merged: bool, second: Grouped<i64, i64>) -> (usize, [Vec<(i64, i64)>; 2]) {
    let app = StreamsBuilder::new("demo");
    if merged {
        app.merge_repartitions();
    }
    let by_rest = app.stream::<String, i64>("in", Json).select_key(|_, n| n % 3);
    by_rest.group_by_key("a").count("counts");
    by_rest.group_by_key(second).aggregate("sums", || 0_i64, |_, n, sum| *sum += n);
    let topology = app.build().unwrap();
    let topics = topology.plan().repartition_topics().len();
    let mut driver = TopologyTestDriver::new(topology).unwrap().with_partitions(4).unwrap();
    for n in 0..40 {
        let mut input = driver.input::<String, i64>("in", Json).to_partition((n % 4) as i32);
        input.pipe(&mut driver, format!("key {n}"), n, n).unwrap();
    }
    let rows = ["counts", "sums"].map(|store| {
        let mut rows = driver.store::<i64, i64>(store).unwrap().all().unwrap();
        rows.sort_unstable();
        rows
    });
    (topics, rows)
}

#[test]
fn merged_repartitions_are_one_topic_and_give_the_same_results() {
    let (topics, rows) = counted_twice(false, Grouped::named("b"));
    assert_eq!((topics, &rows[0]), (2, &vec![(0, 14), (1, 13), (2, 13)]));
    assert_eq!(counted_twice(true, Grouped::named("b")), (1, rows.clone()));
    // Other bytes: a topic of their own.
    assert_eq!(counted_twice(true, Grouped::with("b", Json, Json)), (2, rows));
}
