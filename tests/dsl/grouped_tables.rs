//! Aggregates of tables: a row's part is added, and subtracted again when the row changes.

use headwater::prelude::*;

/// A row's group and its part in the sum.
type Part = (Option<String>, i64);

fn sums(store: Materialized<Option<String>, i64>) -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    app.table::<String, Part>("in", Json, Materialized::named("parts").uncached())
        .group_by(|_, (group, n)| (group, n), "by-group")
        .reduce(store, |sum, n| sum + n, |sum, n| sum - n)
        .to_stream()
        .to("out", Json);
    TopologyTestDriver::new(app.build().unwrap()).unwrap()
}

fn pipe(driver: &mut TopologyTestDriver, key: &str, part: Option<(&str, i64)>, time: i64) {
    let part: Option<Part> = part.map(|(group, n)| ((group != "-").then(|| group.to_owned()), n));
    driver.input::<String, Option<Part>>("in", Json).pipe(driver, key.to_owned(), part, time).unwrap();
}

fn changes(driver: &mut TopologyTestDriver) -> Vec<(String, Option<i64>, i64)> {
    let records = driver.output::<String, Option<i64>>("out", Json).read(driver).unwrap();
    records.into_iter().map(|record| (record.key, record.value, record.timestamp)).collect()
}

fn uncached() -> Materialized<Option<String>, i64> {
    Materialized::named("sums").uncached()
}

#[test]
fn a_row_that_stays_in_its_group_is_replaced_in_one_step() {
    let mut driver = sums(uncached());
    for (n, time) in [(5, 10), (7, 3)] {
        pipe(&mut driver, "k", Some(("a", n)), time);
    }
    pipe(&mut driver, "l", Some(("a", 100)), 4);
    let a = || "a".to_owned();
    assert_eq!(changes(&mut driver), [(a(), Some(5), 10), (a(), Some(7), 10), (a(), Some(107), 10)]);
}

#[test]
fn a_row_that_changes_its_group_is_subtracted_there_first_and_then_added_here() {
    let mut driver = sums(uncached());
    pipe(&mut driver, "k", Some(("a", 5)), 1);
    pipe(&mut driver, "l", Some(("a", 1)), 2);
    pipe(&mut driver, "k", Some(("b", 6)), 3);
    pipe(&mut driver, "k", None, 4);
    let (a, b) = (|| "a".to_owned(), || "b".to_owned());
    let expected = [(a(), Some(5), 1), (a(), Some(6), 2), (a(), Some(1), 3), (b(), Some(6), 3), (b(), Some(0), 4)];
    assert_eq!(changes(&mut driver), expected);
}

#[test]
fn a_row_whose_group_is_null_has_no_part_and_is_counted() {
    let mut driver = sums(uncached());
    pipe(&mut driver, "k", Some(("a", 5)), 1);
    pipe(&mut driver, "k", Some(("-", 6)), 2);
    pipe(&mut driver, "k", Some(("a", 7)), 3);
    let a = || "a".to_owned();
    assert_eq!(changes(&mut driver), [(a(), Some(5), 1), (a(), Some(0), 2), (a(), Some(7), 3)]);
    assert_eq!(driver.counters()["null:by-group"], 1);
}

#[test]
fn a_group_that_was_deleted_starts_afresh_time_too() {
    let app = StreamsBuilder::new("demo");
    let add = |_: &Option<String>, n: i64, row: &mut Option<i64>| *row = Some(row.unwrap_or(0) + n);
    let subtract =
        |_: &Option<String>, n: i64, row: &mut Option<i64>| *row = row.map(|sum| sum - n).filter(|sum| *sum != 0);
    app.table::<String, Part>("in", Json, Materialized::named("parts").uncached())
        .group_by(|_, (group, n)| (group, n), "by-group")
        .update(uncached(), add, subtract)
        .to_stream()
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    pipe(&mut driver, "k", Some(("a", 5)), 10);
    pipe(&mut driver, "k", None, 4);
    pipe(&mut driver, "k", Some(("a", 6)), 3);
    let a = || "a".to_owned();
    assert_eq!(changes(&mut driver), [(a(), Some(5), 10), (a(), None, 10), (a(), Some(6), 3)]);
}

#[test]
fn a_cached_aggregate_sends_one_change_per_group_and_commit() {
    let mut driver = sums(Materialized::named("sums")).without_auto_commit();
    for (key, n) in [("k", 1), ("l", 2), ("k", 3)] {
        pipe(&mut driver, key, Some(("a", n)), n);
    }
    driver.commit().unwrap();
    assert_eq!(changes(&mut driver), [("a".to_owned(), Some(5), 3)]);
}

#[test]
fn whatever_the_partitions_the_sums_are_those_of_the_rows() {
    for partitions in [1, 3] {
        let mut driver = sums(Materialized::named("sums")).with_partitions(partitions).unwrap();
        for n in 0..60_i64 {
            let group = ["a", "b", "-"][usize::try_from(n * 7 % 3).unwrap()];
            let part = (n % 5 != 0).then_some((group, n));
            pipe(&mut driver, &format!("key-{}", n * 13 % 11), part, n);
        }
        let mut expected = std::collections::BTreeMap::new();
        for (_, (group, n)) in driver.store::<String, Part>("parts").unwrap().all().unwrap() {
            *expected.entry(group).or_insert(0) += n;
        }
        expected.remove(&None);
        let sums = driver.store::<Option<String>, i64>("sums").unwrap().all().unwrap();
        assert_eq!(sums.into_iter().collect::<std::collections::BTreeMap<_, _>>(), expected, "{partitions} partitions");
    }
}

#[test]
fn a_filter_above_takes_rows_out_of_the_sum_as_they_stop_passing() {
    let app = StreamsBuilder::new("demo");
    app.table::<String, i64>("in", Json, "latest")
        .filter(|_, n| *n > 10)
        .map_values(|_, n| n * 2)
        .group_by(|_, n| ("all".to_owned(), n), "to-one")
        .aggregate("sum", || 0, |_, n, sum| *sum += n, |_, n, sum| *sum -= n)
        .updates()
        .to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    for (key, n) in [("a", 20), ("b", 5), ("a", 30), ("a", 1)] {
        input.pipe(&mut driver, key.into(), n, 0).unwrap();
    }
    assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [40, 60, 0]);
}

#[test]
fn values_are_transformed_with_state_deletions_too_and_a_failure_names_the_step() {
    let app = StreamsBuilder::new("demo");
    let seen = app.store::<String, i64>("seen");
    let numbered = app.table::<String, i64>("in", Json, Materialized::named("latest").uncached()).transform_values(
        Materialized::named("numbered").uncached(),
        seen,
        |seen| {
            move |key: &String, n: Option<i64>| {
                if n == Some(0) {
                    return Err("zero".into());
                }
                let times = seen.get(key)?.unwrap_or_default() + 1;
                seen.put(key.clone(), times)?;
                Ok(n.map(|n| n * 100 + times).filter(|n| *n < 1000))
            }
        },
    );
    numbered.to_stream().to("out", Json);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut input = driver.input::<String, Option<i64>>("in", Json);
    for n in [Some(1), None, Some(2), Some(50)] {
        input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    }
    let out = driver.output::<String, Option<i64>>("out", Json).read_values(&mut driver).unwrap();
    assert_eq!(out, [Some(101), None, Some(203), None]);
    let error = input.pipe(&mut driver, "k".into(), Some(0), 0).unwrap_err();
    assert_eq!(error.code(), "HW0221", "{error}");
    assert!(error.to_string().contains("node numbered") && error.to_string().contains("in-0@4"), "{error}");
    assert_eq!(driver.store::<String, i64>("seen").unwrap().get(&"k".into()).unwrap(), Some(4));
}
