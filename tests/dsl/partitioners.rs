//! Partitioners, repartition options, and topics chosen per record.

use headwater::prelude::*;

fn placed(topology: Topology, topic: &str, values: &[i64]) -> Vec<(i32, i64)> {
    let driver = TopologyTestDriver::new(topology).unwrap();
    let mut driver = driver.with_topic_partitions(topic, 4).unwrap();
    for n in values {
        driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), *n, 0).unwrap();
    }
    let records = driver.output::<String, i64>(topic, Json).read(&mut driver).unwrap();
    records.iter().map(|record| (record.partition, record.value)).collect()
}

#[test]
fn a_partitioner_sends_a_record_to_one_partition_several_none_or_where_it_goes_by_default() {
    let app = StreamsBuilder::new("demo");
    let place = Produced::with(Text, Json).partitioner("mixed", |_, n: &i64, partitions| match n {
        0 => Placement::Nowhere,
        1 => Placement::One(partitions - 1),
        2 => Placement::Several(vec![0, 2]),
        3 => Placement::Several(Vec::new()),
        _ => Placement::Default,
    });
    app.stream::<String, i64>("in", Json).to("out", place);
    let topology = app.build().unwrap();
    let by_default = headwater_core::partition_for_key(b"k", 4);
    assert_eq!(placed(topology.clone(), "out", &[0, 1, 2, 3, 4]), [(3, 1), (0, 2), (2, 2), (by_default, 4)]);

    let mut driver = TopologyTestDriver::new(topology).unwrap();
    for n in [0, 3] {
        driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), n, 0).unwrap();
    }
    assert_eq!(driver.counters().get("no-partition:to-out"), Some(&2));
}

#[test]
fn a_partition_that_the_topic_does_not_have_is_an_error_that_names_partitioner_step_and_record() {
    let app = StreamsBuilder::new("demo");
    let place = Produced::with(Text, Json).partitioner("by-value", |_, n: &i64, _| *n as i32);
    app.stream::<String, i64>("in", Json).to("out", place);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    for n in [-1, 1] {
        let error = driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), n, 0).unwrap_err();
        assert_eq!((error.code(), error.context().node.as_deref()), ("HW0247", Some("to-out")));
        assert!(error.to_string().contains("by-value") && error.to_string().contains("in-0@0"), "{error}");
        driver = driver.with_partitions(1).unwrap();
    }
}

#[test]
fn a_panicking_partitioner_names_its_step() {
    let app = StreamsBuilder::new("demo");
    let place =
        Produced::with(Text, Json).partitioner("bad", |_, n: &i64, _| if *n == 13 { panic!("unlucky") } else { 0 });
    app.stream::<String, i64>("in", Json).to("out", place);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let error = driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 13, 0).unwrap_err();
    assert_eq!((error.code(), error.context().node.as_deref()), ("HW0220", Some("to-out")));
}

#[test]
fn a_repartition_has_the_partitions_and_the_partitioner_it_was_given() {
    struct Place;
    impl FixedKeyProcessor<String, i64> for Place {
        type ValueOut = i64;
        fn process(
            &mut self,
            cx: &mut FixedKeyContext<'_, String, i64>,
            record: FixedKeyRecord<'_, String, i64>,
        ) -> UserResult<()> {
            let at = i64::from(cx.record_metadata().ok_or("no record")?.partition);
            Ok(cx.forward(record.with_value(at))?)
        }
    }
    let app = StreamsBuilder::new("demo");
    let options = Repartitioned::named("wide").partitions(8).partitioner("by-value", |_, n: &i64, of| *n as i32 % of);
    app.stream::<String, i64>("in", Json).repartition(options).process_values("place", (), |()| Place).to("out", Json);
    let topology = app.build().unwrap();
    let json = topology.plan().to_json();
    assert!(json.contains("\"partitioner\": \"by-value\""), "{json}");
    let mut driver = TopologyTestDriver::new(topology).unwrap();
    for n in [3, 9, 16] {
        driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), n, 0).unwrap();
    }
    let places = driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap();
    assert_eq!(places, [3, 1, 0]);
}

#[test]
fn streams_that_meet_must_be_partitioned_alike() {
    let build = |left: &str, right: &str| {
        let app = StreamsBuilder::new("demo");
        let by = |name: &str, partitioner: &str| {
            let options = Repartitioned::named(name);
            let options = match partitioner {
                "" => options,
                name => options.partitioner(name, |_, n: &i64, of| *n as i32 % of),
            };
            app.stream::<String, i64>(name, Json).repartition(options)
        };
        by("left", left).merge(&by("right", right)).group_by_key("both").count("counts");
        app.build().map(drop).map_err(|errors| errors.0.iter().map(|e| e.code).collect::<Vec<_>>())
    };
    assert_eq!(build("a", "a"), Ok(()));
    assert_eq!(build("", ""), Ok(()));
    assert_eq!(build("a", "b"), Err(vec!["HW0166"]));
    assert_eq!(build("a", ""), Err(vec!["HW0166"]));
}

#[test]
fn each_record_goes_to_the_topic_that_is_chosen_for_it_with_its_partitioner() {
    let app = StreamsBuilder::new("demo");
    let produced = Produced::with(Text, Json).partitioner("last", |_, _: &i64, of| of - 1).named("spread");
    let choose = |_: &String, n: &i64| format!("out-{}", n % 2);
    app.stream::<String, i64>("in", Json).to_each(choose, ["out-0", "out-1"], produced);
    let topology = app.build().unwrap();
    assert_eq!(topology.plan().output_topics(), ["out-0", "out-1"]);
    assert!(topology.describe().contains("Sink: spread (topics: [out-0, out-1])"), "{}", topology.describe());
    assert_eq!(placed(topology.clone(), "out-1", &[1, 2, 3]), [(3, 1), (3, 3)]);
    assert_eq!(placed(topology, "out-0", &[1, 2, 3]), [(3, 2)]);
}

#[test]
fn a_topic_that_is_not_among_those_named_is_an_error_that_lists_them() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json).to_each(|_, n| format!("out-{n}"), ["out-0", "out-1"], Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let error = driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap_err();
    assert_eq!(error.code(), "HW0249");
    for part in ["out-7", "out-0, out-1", "in-0@0"] {
        assert!(error.to_string().contains(part), "{part} is missing in: {error}");
    }
}

#[test]
fn a_version_of_the_pipeline_writes_its_own_topics_by_the_same_choice() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json).to_each(|_, _| "out", ["out"], Json);
    let topology = app.build().unwrap().versioned(2);
    assert_eq!(topology.plan().output_topics(), ["out__v2"]);
    let mut driver = TopologyTestDriver::new(topology).unwrap();
    driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    assert_eq!(driver.output::<String, i64>("out__v2", Json).read_values(&mut driver).unwrap(), [7]);
}

#[test]
fn a_choice_among_no_topics_is_a_build_error() {
    let app = StreamsBuilder::new("demo");
    app.stream::<String, i64>("in", Json).to_each(|_, _| "out", Vec::<String>::new(), Json);
    assert_eq!(app.build().unwrap_err().0[0].code, "HW0165");
}
