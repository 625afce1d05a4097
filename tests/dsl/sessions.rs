//! Sessions: which records belong together, what a merge says, and when sessions close.

use headwater::prelude::*;
use proptest::prelude::*;

type Row = ((i64, i64), Option<Vec<i64>>);

fn driver(sessions: Session, cached: bool) -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    let store = Materialized::<String, Vec<i64>>::named("lists");
    app.stream::<String, i64>("in", Json)
        .group_by_key("by-key")
        .windowed_by(sessions)
        .aggregate(
            if cached { store } else { store.uncached() },
            Vec::new,
            |_, n, list| list.push(n),
            |_, a, b| [a, b].concat(),
        )
        .to_stream()
        .map(|session, list| ((session.start, session.end), list))
        .to("out", Json);
    TopologyTestDriver::new(app.build().unwrap()).unwrap()
}

/// Each record's value is its time.
fn pipe(driver: &mut TopologyTestDriver, times: &[i64]) {
    let mut input = driver.input::<String, i64>("in", Json);
    for time in times {
        input.pipe(driver, "k".into(), *time, *time).unwrap();
    }
}

fn results(driver: &mut TopologyTestDriver) -> Vec<Row> {
    driver.output::<(i64, i64), Option<Vec<i64>>>("out", Json).read_key_values(driver).unwrap()
}

fn row(start: i64, end: i64, list: &[i64]) -> Row {
    ((start, end), Some(list.to_vec()))
}

fn gone(start: i64, end: i64) -> Row {
    ((start, end), None)
}

fn stored(driver: &TopologyTestDriver) -> Vec<(i64, i64, Vec<i64>)> {
    let rows = driver.session_store::<String, Vec<i64>>("lists").unwrap().all().unwrap();
    rows.into_iter()
        .map(|(session, mut list)| {
            list.sort_unstable();
            (session.start, session.end, list)
        })
        .collect()
}

/// The sessions by their definition.
fn model(times: &[i64], gap: i64) -> Vec<(i64, i64, Vec<i64>)> {
    let mut times = times.to_vec();
    times.sort_unstable();
    let sessions = times.chunk_by(|a, b| b - a <= gap);
    sessions.map(|list| (list[0], list[list.len() - 1], list.to_vec())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn in_any_order_of_records_the_sessions_are_those_of_the_definition(
        times in prop::collection::vec(0_i64..100, 1..20),
        gap in 0_i64..12,
        cached: bool,
    ) {
        let mut driver = driver(Session::with_gap(gap).grace(1_000), cached);
        pipe(&mut driver, &times);
        prop_assert_eq!(stored(&driver), model(&times, gap));
    }

    #[test]
    fn results_do_not_depend_on_when_commits_come(
        times in prop::collection::vec((0_i64..300, prop::bool::weighted(0.3)), 1..40),
        gap in 0_i64..40,
        grace in 0_i64..20,
    ) {
        let sessions = Session::with_gap(gap).grace(grace);
        let (mut each, mut some) = (driver(sessions, false), driver(sessions, false).without_auto_commit());
        for (time, commit) in times {
            pipe(&mut each, &[time]);
            pipe(&mut some, &[time]);
            if commit {
                some.commit().unwrap();
            }
        }
        some.commit().unwrap();
        prop_assert_eq!(results(&mut some), results(&mut each));
        prop_assert_eq!(stored(&some), stored(&each));
        prop_assert_eq!(some.counters(), each.counters());
    }

    #[test]
    fn on_close_each_session_comes_once_and_in_the_order_of_ends(
        times in prop::collection::vec(0_i64..300, 1..30),
        gap in 0_i64..12,
    ) {
        let mut driver = driver(Session::with_gap(gap).grace(300).emit_on_close(), true);
        pipe(&mut driver, &times);
        driver.end_of_input().unwrap();
        let found: Vec<_> = results(&mut driver)
            .into_iter()
            .map(|((start, end), list)| {
                let mut list = list.unwrap();
                list.sort_unstable();
                (start, end, list)
            })
            .collect();
        prop_assert_eq!(found, model(&times, gap));
        prop_assert_eq!(stored(&driver), []);
    }
}

#[test]
fn a_pause_of_the_gap_is_within_a_session_and_a_longer_one_ends_it() {
    let mut driver = driver(Session::with_gap(10).grace(1_000), true);
    pipe(&mut driver, &[0, 10, 21]);
    assert_eq!(stored(&driver), [(0, 10, vec![0, 10]), (21, 21, vec![21])]);
}

#[test]
fn a_merge_deletes_the_old_sessions_first_and_adds_the_record_last() {
    for cached in [true, false] {
        let mut driver = driver(Session::with_gap(10).grace(1_000), cached);
        pipe(&mut driver, &[20, 0, 10]);
        let merged = [gone(0, 0), gone(20, 20), row(0, 20, &[0, 20, 10])];
        assert_eq!(results(&mut driver), [[row(20, 20, &[20]), row(0, 0, &[0])].as_slice(), &merged].concat());
    }
}

#[test]
fn a_record_within_a_session_replaces_it_and_one_at_its_only_time_changes_it_in_place() {
    let mut driver = driver(Session::with_gap(10).grace(1_000), false);
    pipe(&mut driver, &[0, 0]);
    assert_eq!(results(&mut driver), [row(0, 0, &[0]), row(0, 0, &[0, 0])]);
    pipe(&mut driver, &[5, 3]);
    let expected = [gone(0, 0), row(0, 5, &[0, 0, 5]), gone(0, 5), row(0, 5, &[0, 0, 5, 3])];
    assert_eq!(results(&mut driver), expected);
}

#[test]
fn cached_sessions_that_come_and_go_between_two_commits_are_no_news() {
    let mut driver = driver(Session::with_gap(10).grace(1_000), true).without_auto_commit();
    pipe(&mut driver, &[0, 5]);
    driver.commit().unwrap();
    assert_eq!(results(&mut driver), [row(0, 5, &[0, 5])]);
    pipe(&mut driver, &[30, 10, 20, 4]);
    driver.commit().unwrap();
    assert_eq!(results(&mut driver), [gone(0, 5), row(0, 30, &[0, 5, 10, 30, 20, 4])]);
}

#[test]
fn a_result_has_the_time_of_its_end_and_so_has_its_deletion() {
    let mut driver = driver(Session::with_gap(10).grace(1_000), false);
    pipe(&mut driver, &[20, 12]);
    let records = driver.output::<(i64, i64), Option<Vec<i64>>>("out", Json).read(&mut driver).unwrap();
    let found: Vec<_> = records.iter().map(|record| (record.key, record.timestamp)).collect();
    assert_eq!(found, [((20, 20), 20), ((20, 20), 20), ((12, 20), 20)]);
}

#[test]
fn a_late_record_is_taken_if_it_joins_a_session_that_is_alive() {
    let mut driver = driver(Session::with_gap(10).grace(5), true);
    pipe(&mut driver, &[100, 115, 98]);
    assert_eq!(driver.counters()["late:lists"], 0, "the session ended at 100, 15 before 115");
    pipe(&mut driver, &[110, 200]);
    pipe(&mut driver, &[184]);
    assert_eq!(driver.counters()["late:lists"], 1);
    pipe(&mut driver, &[194, 184]);
    assert_eq!(driver.counters()["late:lists"], 1, "it joins the session from 194 on");
    assert_eq!(stored(&driver).last().unwrap().0, 184);
}

#[test]
fn a_late_record_joins_no_session_that_a_record_in_time_could_not_reach() {
    for dead in [80, 81] {
        let mut driver = driver(Session::with_gap(10).no_grace(), false);
        pipe(&mut driver, &[dead, 101]);
        // Late by itself, but it joins the session from 101 on, which is alive.
        pipe(&mut driver, &[91, 90]);
        assert_eq!(driver.counters()["late:lists"], 0);
        let start = if dead == 81 { 81 } else { 90 };
        assert_eq!(stored(&driver).last().unwrap().0, start, "the session at {dead} ended {} ago", 101 - dead);
    }
}

#[test]
fn on_close_a_session_is_emitted_when_time_is_beyond_its_end_gap_and_grace() {
    let mut driver = driver(Session::with_gap(10).grace(5).emit_on_close(), true);
    pipe(&mut driver, &[100, 115]);
    assert_eq!(results(&mut driver), []);
    pipe(&mut driver, &[116]);
    assert_eq!(results(&mut driver), [row(100, 100, &[100])]);
    driver.end_of_input().unwrap();
    assert_eq!(results(&mut driver), [row(115, 116, &[115, 116])]);
    driver.end_of_input().unwrap();
    assert_eq!(results(&mut driver), []);
}

/// Kafka Streams, with a long retention, merges what it has emitted already, and counts those records twice.
#[test]
fn a_session_that_was_emitted_is_never_changed() {
    let mut driver = driver(Session::with_gap(10).no_grace().emit_on_close(), true);
    pipe(&mut driver, &[100, 111, 106]);
    assert_eq!(results(&mut driver), [row(100, 100, &[100])]);
    pipe(&mut driver, &[100]);
    assert_eq!(driver.counters()["late:lists"], 0, "it lies within the gap of the session from 106 on");
    driver.end_of_input().unwrap();
    assert_eq!(results(&mut driver), [row(100, 111, &[111, 106, 100])]);
}

#[test]
fn null_values_are_folded_and_null_keys_dropped_without_moving_time() {
    let app = StreamsBuilder::new("demo");
    app.stream::<Option<String>, Option<i64>>("in", Json)
        .group_by_key("by-key")
        .windowed_by(Session::with_gap(10).no_grace())
        .count("counts");
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<Option<String>, Option<i64>>("in", Json);
    for (key, time) in [(Some("k"), 20), (None, 900), (Some("k"), 25)] {
        input.pipe(&mut driver, key.map(str::to_owned), None, time).unwrap();
    }
    assert_eq!((driver.counters()["null-key:counts"], driver.counters()["late:counts"]), (1, 0));
    let rows = driver.session_store::<Option<String>, i64>("counts").unwrap().all().unwrap();
    assert_eq!(rows, [(Windowed { key: Some("k".to_owned()), start: 20, end: 25 }, 2)]);
}

#[test]
fn sessions_can_be_looked_up_by_key_and_time() {
    let mut driver = driver(Session::with_gap(10).grace(1_000), true);
    pipe(&mut driver, &[0, 5, 50, 100, 109]);
    let store = driver.session_store::<String, Vec<i64>>("lists").unwrap();
    let bounds = |found: Vec<(Windowed<String>, Vec<i64>)>| -> Vec<(i64, i64)> {
        found.into_iter().map(|(session, _)| (session.start, session.end)).collect()
    };
    assert_eq!(bounds(store.fetch(&"k".into()).unwrap()), [(0, 5), (50, 50), (100, 109)]);
    assert_eq!(bounds(store.find(&"k".into(), 5, 50).unwrap()), [(0, 5), (50, 50)]);
    assert_eq!(bounds(store.find(&"k".into(), 6, 49).unwrap()), []);
    assert!(store.fetch(&"other".into()).unwrap().is_empty());
    assert_eq!(driver.session_store::<String, i64>("nothing").unwrap_err().code(), "HW0120");
}

#[test]
fn times_near_the_ends_of_the_range_are_no_trouble() {
    for sessions in [Session::with_gap(10).grace(5), Session::with_gap(10).grace(5).emit_on_close()] {
        let mut driver = driver(sessions, true);
        pipe(&mut driver, &[0, 3, i64::MAX - 2, i64::MAX - 1]);
        driver.end_of_input().unwrap();
        assert_eq!(results(&mut driver).last().unwrap().0, (i64::MAX - 2, i64::MAX - 1));
    }
}
