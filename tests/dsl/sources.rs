//! Sources: several topics, patterns, and where event time comes from.

use headwater::prelude::*;

fn out(driver: &mut TopologyTestDriver) -> Vec<(i64, Timestamp)> {
    let records = driver.output::<String, i64>("out", Json).read(driver).unwrap();
    records.iter().map(|record| (record.value, record.timestamp)).collect()
}

fn pipe(driver: &mut TopologyTestDriver, topic: &str, n: i64, time: i64) -> headwater::Result<()> {
    driver.input::<String, i64>(topic, Json).pipe(driver, "k".into(), n, time)
}

#[test]
fn several_topics_are_one_stream_in_the_order_of_time_and_of_one_task() {
    let app = StreamsBuilder::new("demo");
    let both = app.stream::<String, i64>(["a", "b"], Json);
    both.group_by_key("by-key").count("counts");
    both.to("out", Json);
    let topology = app.build().unwrap();
    assert_eq!((topology.plan().input_topics(), topology.plan().subtopologies.len()), (vec!["a", "b"], 1));
    assert!(topology.describe().contains("(topics: [a, b])"), "{}", topology.describe());
    let mut driver = TopologyTestDriver::new(topology).unwrap().stepping();
    for (topic, n, time) in [("a", 1, 10), ("a", 2, 30), ("b", 3, 20), ("b", 4, 40)] {
        pipe(&mut driver, topic, n, time).unwrap();
    }
    let task = driver.tasks()[0];
    while driver.step(task).unwrap() {}
    driver.commit_task(task).unwrap();
    assert_eq!(out(&mut driver), [(1, 10), (3, 20), (2, 30), (4, 40)]);
    assert_eq!(driver.store::<String, i64>("counts").unwrap().get(&"k".into()).unwrap(), Some(4));
}

#[test]
fn topics_of_unlike_width_that_meet_at_a_store_are_refused() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>(["a", "b"], Json).group_by_key("by-key").count("counts");
    let driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    assert_eq!(driver.with_topic_partitions("b", 2).unwrap_err().code(), "HW0111");
}

#[test]
fn a_source_knows_which_of_its_topics_a_record_came_from() {
    let app = StreamsBuilder::new("demo");
    let consumed = Consumed::json().timestamp_by(|arrival| {
        arrival.topic.len() as i64 * 1_000 + i64::from(arrival.partition) * 100 + arrival.offset
    });
    app.stream::<String, i64>(["a", "bbb"], consumed).to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    for topic in ["a", "bbb", "a"] {
        pipe(&mut driver, topic, 7, 0).unwrap();
    }
    assert_eq!(out(&mut driver), [(7, 1_000), (7, 3_000), (7, 1_001)]);
}

#[test]
fn mistakes_in_topic_lists_and_patterns_are_reported() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>(Vec::<String>::new(), Consumed::json().named("none")).to("o1", Json);
    app.stream::<String, i64>(Topics::matching("orders-("), Consumed::json().named("bad")).to("o2", Json);
    app.stream::<String, i64>(["a", "a"], Consumed::json().named("twice")).to("o3", Json);
    app.stream::<String, i64>(["o1", "b"], Consumed::json().named("circle")).to("o4", Json);
    app.stream::<String, i64>("no topic", Json).to("o5", Json);
    let errors = app.build().unwrap_err().0;
    let mut found: Vec<_> = errors.iter().map(|error| (error.code, error.node.as_str())).collect();
    found.sort_unstable();
    found.dedup();
    let expected =
        [("HW0101", "no topic"), ("HW0103", "twice"), ("HW0109", "circle"), ("HW0165", "bad"), ("HW0165", "none")];
    assert_eq!(found, expected);
}

#[test]
fn a_pattern_reads_what_matches_in_full_and_nothing_that_is_read_by_name_or_written() {
    let app = StreamsBuilder::new("demo");
    let all = app.stream::<String, i64>(Topics::matching("orders.*"), Consumed::json().named("orders"));
    all.to("orders-copy", Json);
    all.repartition("orders-wide").to("out", Json);
    app.stream::<String, i64>("orders-special", Json).for_each(|_, _| {});
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    for topic in ["orders-eu", "orders", "old-orders", "orders-special", "orders-copy", "demo-orders-wide-repartition"]
    {
        driver = driver.with_topic_partitions(topic, 1).unwrap();
    }
    for (n, topic) in (1..).zip(["orders-eu", "orders", "orders-special"]) {
        pipe(&mut driver, topic, n, n).unwrap();
    }
    assert_eq!(pipe(&mut driver, "old-orders", 9, 9).unwrap_err().code(), "HW0120");
    assert_eq!(out(&mut driver), [(1, 1), (2, 2)]);
}

#[test]
fn a_record_without_time_is_dropped_and_counted_unless_it_is_said_otherwise() {
    let source = |consumed: Consumed<String, i64>| {
        let app = StreamsBuilder::new("demo");
        app.stream("in", consumed).to("out", Json);
        TopologyTestDriver::new(app.build().unwrap()).unwrap()
    };
    let mut driver = source(Consumed::json());
    pipe(&mut driver, "in", 1, -1).unwrap();
    pipe(&mut driver, "in", 2, 5).unwrap();
    assert_eq!((out(&mut driver), driver.counters()["negative-timestamp:in"]), (vec![(2, 5)], 1));

    let mut driver = source(Consumed::json().on_negative_time(NegativeTime::Fail));
    pipe(&mut driver, "in", 1, 5).unwrap();
    let error = pipe(&mut driver, "in", 2, -7).unwrap_err();
    assert_eq!((error.code(), error.context().node.as_deref()), ("HW0248", Some("in")));
    assert!(error.to_string().contains("-7") && error.to_string().contains("in-0@1"), "{error}");

    let mut driver = source(Consumed::json().on_negative_time(NegativeTime::PartitionTime));
    for (n, time) in [(1, 50), (2, -1), (3, 20), (4, -1)] {
        pipe(&mut driver, "in", n, time).unwrap();
    }
    assert_eq!(out(&mut driver), [(1, 50), (2, 50), (3, 20), (4, 50)]);

    let mut driver = source(Consumed::json().on_negative_time(NegativeTime::PartitionTime));
    assert_eq!(pipe(&mut driver, "in", 1, -1).unwrap_err().code(), "HW0248");
}

#[test]
fn the_policy_for_negative_times_holds_for_times_of_the_users_own_too() {
    let app = StreamsBuilder::new("demo");
    let consumed = Consumed::json().timestamp(|_, n: &i64| *n).on_negative_time(NegativeTime::PartitionTime);
    app.stream::<String, i64>("in", consumed).to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    for n in [30, -2, 10] {
        pipe(&mut driver, "in", n, 0).unwrap();
    }
    assert_eq!(out(&mut driver), [(30, 30), (-2, 30), (10, 10)]);
}

#[test]
fn partition_time_is_that_of_the_records_own_partition() {
    let app = StreamsBuilder::new("demo");
    let consumed = Consumed::json().timestamp_by(|arrival| {
        if arrival.timestamp >= 0 { arrival.timestamp } else { arrival.partition_time.unwrap_or(7) + 1 }
    });
    app.stream::<String, i64>(["a", "b"], consumed).to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    for (topic, n, time) in [("a", 1, 100), ("b", 2, -1), ("a", 3, -1), ("b", 4, -1)] {
        pipe(&mut driver, topic, n, time).unwrap();
    }
    assert_eq!(out(&mut driver), [(1, 100), (2, 8), (3, 101), (4, 9)]);
}

#[test]
fn event_time_can_be_the_clocks() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Consumed::json().wall_clock()).to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap().with_wall_clock(1_000).unwrap();
    pipe(&mut driver, "in", 1, 5).unwrap();
    driver.advance_wall_clock(500).unwrap();
    pipe(&mut driver, "in", 2, -5).unwrap();
    assert_eq!(out(&mut driver), [(1, 1_000), (2, 1_500)]);
}

#[test]
fn a_plan_of_an_earlier_version_with_one_topic_is_still_read() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json).to("out", Json);
    let topology = app.build().unwrap();
    let json = topology.plan().to_json();
    let old = json.replace("\"topics\": [\n        \"in\"\n      ],", "\"topic\": \"in\",");
    assert_ne!(old, json);
    let read: headwater::dsl::Plan = serde_json::from_str(&old).unwrap();
    assert_eq!(&read, topology.plan());
}
