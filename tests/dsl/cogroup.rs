//! Several grouped streams with one aggregate.

use headwater::prelude::*;

type Pair = (i64, i64);

fn pair(app: &StreamsBuilder) -> Cogrouped<String, Pair> {
    let left = app.stream::<String, Option<i64>>("left", Json).group_by_key("left-by-key");
    let right = app.stream::<String, Option<String>>("right", Text).group_by_key("right-by-key");
    left.cogroup(|_, n, pair: &mut Pair| pair.0 += n.unwrap_or(1_000))
        .cogroup(right, |_, text, pair| pair.1 += text.map_or(1_000, |text| text.len() as i64))
}

fn pipe_left(driver: &mut TopologyTestDriver, n: Option<i64>, time: i64) {
    driver.input::<String, Option<i64>>("left", Json).pipe(driver, "k".into(), n, time).unwrap();
}

fn pipe_right(driver: &mut TopologyTestDriver, text: Option<&str>, time: i64) {
    let text = text.map(str::to_owned);
    driver.input::<String, Option<String>>("right", Text).pipe(driver, "k".into(), text, time).unwrap();
}

fn windowed(table: &KTable<Windowed<String>, Pair>) {
    table.to_stream().map(|window, pair| ((window.start, window.end), pair)).to("out", Json);
}

type Row = ((i64, i64), Option<Pair>);

fn results(driver: &mut TopologyTestDriver) -> Vec<Row> {
    driver.output::<(i64, i64), Option<Pair>>("out", Json).read_key_values(driver).unwrap()
}

fn started(app: StreamsBuilder) -> TopologyTestDriver {
    TopologyTestDriver::new(app.build().unwrap()).unwrap()
}

#[test]
fn each_stream_has_its_fold_and_all_share_the_row() {
    let app = StreamsBuilder::new("demo");
    pair(&app).aggregate("pairs", || (0, 0)).to_stream().to("out", Json);
    let mut driver = started(app);
    pipe_left(&mut driver, Some(5), 10);
    pipe_right(&mut driver, Some("four"), 5);
    pipe_left(&mut driver, Some(6), 7);
    let records = driver.output::<String, Option<Pair>>("out", Json).read(&mut driver).unwrap();
    let found: Vec<_> = records.into_iter().map(|record| (record.value.unwrap(), record.timestamp)).collect();
    assert_eq!(found, [((5, 0), 10), ((5, 4), 10), ((11, 4), 10)]);
    assert_eq!(driver.store::<String, Pair>("pairs").unwrap().get(&"k".into()).unwrap(), Some((11, 4)));
}

#[test]
fn without_windows_null_values_have_no_part_and_with_windows_they_do() {
    let app = StreamsBuilder::new("demo");
    pair(&app).aggregate("pairs", || (0, 0));
    let mut driver = started(app);
    pipe_left(&mut driver, None, 0);
    pipe_right(&mut driver, None, 0);
    assert_eq!(driver.store::<String, Pair>("pairs").unwrap().all().unwrap(), []);
    assert_eq!(driver.counters()["null-value:pairs"], 2);

    let app = StreamsBuilder::new("demo");
    windowed(&pair(&app).windowed_by(Tumbling::of(100).no_grace()).aggregate("pairs", || (0, 0)));
    let mut driver = started(app);
    pipe_left(&mut driver, None, 0);
    pipe_right(&mut driver, None, 0);
    assert_eq!(results(&mut driver), [((0, 100), Some((1_000, 0))), ((0, 100), Some((1_000, 1_000)))]);
}

/// In Kafka Streams each stream has a time of its own over one store, and the slower one opens closed windows again.
#[test]
fn all_streams_have_one_time_by_which_their_records_are_late() {
    let app = StreamsBuilder::new("demo");
    windowed(&pair(&app).windowed_by(Tumbling::of(100).no_grace().emit_on_close()).aggregate("pairs", || (0, 0)));
    let mut driver = started(app);
    pipe_left(&mut driver, Some(5), 10);
    pipe_left(&mut driver, Some(6), 110);
    assert_eq!(results(&mut driver), [((0, 100), Some((5, 0)))]);
    pipe_right(&mut driver, Some("late"), 20);
    assert_eq!(results(&mut driver), []);
    assert_eq!(driver.counters()["late:pairs"], 1);
    pipe_right(&mut driver, Some("x"), 150);
    driver.end_of_input().unwrap();
    assert_eq!(results(&mut driver), [((100, 200), Some((6, 1)))]);
}

#[test]
fn it_works_with_windows_of_every_kind() {
    let app = StreamsBuilder::new("demo");
    let windows = Hopping::of(100).advance_by(50).no_grace().emit_on_close();
    windowed(&pair(&app).windowed_by(windows).aggregate("pairs", || (0, 0)));
    let mut driver = started(app);
    pipe_left(&mut driver, Some(5), 60);
    pipe_right(&mut driver, Some("four"), 110);
    driver.end_of_input().unwrap();
    let hopping = [((0, 100), Some((5, 0))), ((50, 150), Some((5, 4))), ((100, 200), Some((0, 4)))];
    assert_eq!(results(&mut driver), hopping);

    let app = StreamsBuilder::new("demo");
    windowed(&pair(&app).windowed_by(Sliding::of(10).no_grace().emit_on_close()).aggregate("pairs", || (0, 0)));
    let mut driver = started(app);
    pipe_left(&mut driver, Some(5), 20);
    pipe_right(&mut driver, Some("four"), 25);
    pipe_right(&mut driver, None, 26);
    driver.end_of_input().unwrap();
    let sliding = [((10, 20), Some((5, 0))), ((15, 25), Some((5, 4))), ((21, 31), Some((0, 4)))];
    assert_eq!(results(&mut driver), sliding);
    assert_eq!(driver.counters()["null-value:pairs"], 1);

    let app = StreamsBuilder::new("demo");
    let sessions = pair(&app).windowed_by(Session::with_gap(10).no_grace());
    windowed(&sessions.aggregate("pairs", || (0, 0), |_, a, b| (a.0 + b.0, a.1 + b.1)));
    let mut driver = started(app);
    pipe_left(&mut driver, Some(5), 20);
    pipe_right(&mut driver, Some("four"), 25);
    assert_eq!(results(&mut driver), [((20, 20), Some((5, 0))), ((20, 20), None), ((20, 25), Some((5, 4)))]);

    let app = StreamsBuilder::new("demo");
    windowed(&pair(&app).windowed_by(Unlimited::starting_at(0)).aggregate("pairs", || (0, 0)));
    let mut driver = started(app);
    pipe_left(&mut driver, Some(5), 20);
    assert_eq!(results(&mut driver), [((0, i64::MAX), Some((5, 0)))]);
}

#[test]
fn streams_of_other_keys_travel_through_topics_of_their_own() {
    let app = StreamsBuilder::new("demo");
    let by_length = app.stream::<String, String>("words", Text).group_by(|_, word| word.len() as i64, "by-length");
    let by_number = app.stream::<String, i64>("numbers", Json).group_by(|_, n| *n, "by-number");
    by_length
        .cogroup(|_, word, list: &mut Vec<String>| list.push(word))
        .cogroup(by_number, |_, n, list| list.push(n.to_string()))
        .aggregate("lists", Vec::new);
    let topology = app.build().unwrap();
    let topics = ["demo-by-length-repartition", "demo-by-number-repartition"];
    assert_eq!(topology.plan().repartition_topics(), topics);
    let mut driver = TopologyTestDriver::new(topology).unwrap().with_partitions(4).unwrap();
    for (n, word) in [(0, "two"), (1, "six"), (2, "seven")] {
        driver.input::<String, String>("words", Text).pipe(&mut driver, n.to_string(), word.into(), n).unwrap();
    }
    driver.input::<String, i64>("numbers", Json).pipe(&mut driver, "a".into(), 3, 9).unwrap();
    let store = driver.store::<i64, Vec<String>>("lists").unwrap();
    assert_eq!(store.get(&3).unwrap().unwrap(), ["two", "six", "3"]);
    assert_eq!(store.get(&5).unwrap().unwrap(), ["seven"]);
}

#[test]
fn a_stream_of_another_builder_is_a_mistake() {
    let (app, other) = (StreamsBuilder::new("demo"), StreamsBuilder::new("demo"));
    let left = app.stream::<String, i64>("left", Json).group_by_key("left-by-key");
    let right = other.stream::<String, i64>("right", Json).group_by_key("right-by-key");
    left.cogroup(|_, n, sum: &mut i64| *sum += n).cogroup(right, |_, n, sum| *sum += n).aggregate("sums", || 0);
    let errors = app.build().unwrap_err();
    assert!(errors.to_string().contains("HW0114"), "{errors}");
}
