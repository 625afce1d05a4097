//! Records at which the program's own code fails: skipped or dead-lettered, and their neighbours untouched.

use headwater::prelude::*;

fn topology(on_failure: OnFailure) -> Topology {
    let app = StreamsBuilder::new("demo");
    app.on_failure(on_failure);
    app.stream::<String, i64>("in", Json)
        .peek(|_, n| assert!(*n != 13, "unlucky"))
        .try_map_values(|n| if n < 0 { Err("negative".into()) } else { Ok(n) })
        .group_by_key("by-key")
        .reduce("sums", |sum, n| sum + n)
        .updates()
        .to("sums", Json);
    app.build().unwrap()
}

fn pipe(driver: &mut TopologyTestDriver, numbers: &[i64]) {
    let mut input = driver.input::<String, i64>("in", Json);
    for n in numbers {
        input.pipe(driver, "k".into(), *n, 0).unwrap();
    }
}

#[test]
fn a_failed_record_goes_raw_to_the_dead_letters_and_its_neighbours_count_once() {
    let mut driver = TopologyTestDriver::new(topology(OnFailure::DeadLetter("failed".into()))).unwrap();
    // One transaction holds good and bad ones.
    driver = driver.without_auto_commit();
    pipe(&mut driver, &[1, 13, 2, -5, 3]);
    driver.commit().unwrap();
    assert_eq!(driver.output::<String, i64>("sums", Json).read_values(&mut driver).unwrap(), [6]);
    let letters = driver.output::<String, i64>("failed", Json).read(&mut driver).unwrap();
    assert_eq!(letters.iter().map(|letter| letter.value).collect::<Vec<_>>(), [13, -5]);
    let header = |place: usize, name: &str| {
        let header = letters[place].headers.iter().find(|header| header.name == name).unwrap();
        let value = header.value.as_ref().unwrap();
        String::from_utf8(value.to_vec()).unwrap()
    };
    assert!(header(0, "__streams.errors.message").contains("unlucky"));
    assert!(header(1, "__streams.errors.message").contains("negative"));
    assert_eq!((header(1, "__streams.errors.topic"), header(1, "__streams.errors.offset")), ("in".into(), "3".into()));
    assert_eq!(driver.counters().get("failed:in"), Some(&2));
}

#[test]
fn a_failed_record_is_left_out_if_it_is_to_be_skipped() {
    let mut driver = TopologyTestDriver::new(topology(OnFailure::Skip)).unwrap();
    pipe(&mut driver, &[1, 13, 2]);
    assert_eq!(driver.output::<String, i64>("sums", Json).read_values(&mut driver).unwrap(), [1, 3]);
    assert_eq!(driver.counters().get("failed:in"), Some(&1));
}

#[test]
fn a_failure_behind_a_repartition_keeps_the_record_without_its_envelope() {
    let app = StreamsBuilder::new("demo");
    app.on_failure(OnFailure::DeadLetter("failed".into()));
    app.stream::<String, String>("in", Text)
        .select_key(|_, text| text.len() as i64)
        .repartition("by-length")
        .try_map_values(|text| Ok(text.parse::<i64>()?))
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap().with_partitions(2).unwrap();
    let mut input = driver.input::<String, String>("in", Text);
    for (key, text) in [("a", "1"), ("b", "two"), ("c", "3")] {
        input.pipe(&mut driver, key.into(), text.into(), 0).unwrap();
    }
    let mut numbers = driver.output::<i64, i64>("out", Json).read_values(&mut driver).unwrap();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 3]);
    assert_eq!(
        driver.output::<i64, String>("failed", Postcard).read_key_values(&mut driver).unwrap(),
        [(3, "two".into())]
    );
}

#[test]
fn a_failure_at_a_commit_belongs_to_no_record_and_stops_the_program() {
    let app = StreamsBuilder::new("demo");
    app.on_failure(OnFailure::Skip);
    app.stream::<String, i64>("in", Json)
        .group_by_key("by-key")
        .count("counts")
        .updates()
        .try_map_values(|_| Err::<i64, _>("never".into()))
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let error = driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 1, 0).unwrap_err();
    assert_eq!(error.code(), "HW0221", "{error}");
}

#[test]
fn a_failure_on_what_was_held_back_blames_no_record_that_comes_later() {
    let app = StreamsBuilder::new("demo");
    app.on_failure(OnFailure::Skip);
    app.stream::<String, i64>("in", Json)
        .group_by_key("by-key")
        .windowed_by(Tumbling::of(10).no_grace())
        .count(Materialized::named("counts").uncached())
        .suppress_until_closed("final")
        .updates()
        .try_map_values(|_| Err::<i64, _>("never".into()))
        .for_each(|_, _| {});
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    input.pipe(&mut driver, "k".into(), 1, 0).unwrap();
    let error = input.pipe(&mut driver, "k".into(), 2, 10).unwrap_err();
    assert_eq!(error.code(), "HW0221", "{error}");
}

#[test]
fn a_failure_on_a_record_without_partner_blames_no_record_that_comes_later() {
    let app = StreamsBuilder::new("demo");
    app.on_failure(OnFailure::Skip);
    let (left, right) = (app.stream::<String, i64>("left", Json), app.stream::<String, i64>("right", Json));
    let within = JoinWindows::of(5).no_grace();
    let join = |n: i64, partner: Option<i64>| partner.map(|partner| n + partner);
    left.left_join_stream(&right, join, within, "pairs")
        .try_map_values(|sum: Option<i64>| sum.ok_or_else(|| "no partner".into()))
        .for_each(|_, _| {});
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut left = driver.input::<String, i64>("left", Json);
    left.pipe(&mut driver, "k".into(), 1, 0).unwrap();
    let error = left.pipe(&mut driver, "k".into(), 2, 100).unwrap_err();
    assert_eq!(error.code(), "HW0221", "{error}");
}
