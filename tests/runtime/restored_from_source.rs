//! A table's store that has no changelog is restored from the table's topic, up to the committed offset and no further.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use headwater::{
    log::{Log, ProducerConfig, TopicSpec},
    prelude::*,
    runtime::{App, Mode, Progress, run},
};
use headwater_core::{BatchBuilder, Headers, TopicPartition, partition_for_key};

use super::{common::*, processors::wait_for};

/// Prices of items in cents; a missing one is a deletion. The time is in the value.
type Prices = Vec<(String, Option<(i64, i64)>)>;

/// Latest prices, and by digit of the price their sum. A row restored beyond what was read would be subtracted from a sum
/// that it was never added to.
fn topology(choose: impl Fn(Materialized<String, (i64, i64)>) -> Materialized<String, (i64, i64)>) -> Topology {
    let app = StreamsBuilder::new("shop");
    let consumed =
        Consumed::<String, Option<(i64, i64)>>::json().timestamp(|_, value| value.map_or(0, |(_, time)| time));
    let prices = app.table("prices", consumed, choose(Materialized::named("latest")));
    prices
        .group_by(|_, (cents, _)| (cents % 10, cents), "by-digit")
        .reduce("sums", |a, b| a + b, |a, b| a - b)
        .to_stream()
        .to("sums", Json);
    app.build().unwrap()
}

fn from_source(store: Materialized<String, (i64, i64)>) -> Materialized<String, (i64, i64)> {
    store.restored_from_source()
}

fn prices(from: usize, count: usize) -> Prices {
    let mut random = 7 + from as u64;
    let mut next = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % bound
    };
    let price = |n: usize| {
        let item = format!("item-{}", next(300));
        let value = (next(5) > 0).then(|| (next(1_000) as i64, (from + n) as i64));
        (item, value)
    };
    (0..count).map(price).collect()
}

fn append(log: &dyn Log, prices: &Prices) {
    let spec = |name: &str| TopicSpec {
        name: name.into(),
        partitions: PARTITIONS,
        config: BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]),
    };
    log.create_topics(&[spec("prices"), spec("sums")]).unwrap();
    let mut batches: BTreeMap<i32, BatchBuilder> = BTreeMap::new();
    for (item, value) in prices {
        let value = value.map(|value| serde_json::to_vec(&value).unwrap());
        let batch = batches.entry(partition_for_key(item.as_bytes(), PARTITIONS)).or_default();
        batch.push(1, Some(item.as_bytes()), value.as_deref(), &Headers::new());
    }
    let mut producer = log.producer(&ProducerConfig::default()).unwrap();
    for (partition, mut batch) in batches {
        producer.send(&TopicPartition::new("prices", partition), batch.take().unwrap()).unwrap();
    }
    producer.flush().unwrap();
}

/// What the table must hold, and the sums by digit.
fn expected(prices: &[&Prices]) -> (BTreeMap<String, (i64, i64)>, BTreeMap<i64, i64>) {
    let mut latest = BTreeMap::new();
    for (item, value) in prices.iter().copied().flatten() {
        match value {
            Some(value) => latest.insert(item.clone(), *value),
            None => latest.remove(item),
        };
    }
    let mut sums = BTreeMap::new();
    latest.values().for_each(|(cents, _)| *sums.entry(cents % 10).or_default() += cents);
    (latest, sums)
}

/// What a run that reads nothing new finds in its stores.
fn stored(topology: &Topology, log: &Arc<dyn Log>, dir: &Path) -> (BTreeMap<String, (i64, i64)>, BTreeMap<i64, i64>) {
    let app = App::start(topology, log, &settings(dir, 1), Mode::Live).unwrap();
    let latest = app.stores().store::<String, (i64, i64)>("latest").unwrap();
    let sums = app.stores().store::<i64, i64>("sums").unwrap();
    wait_for("the stores", || latest.all().is_ok() && sums.all().is_ok());
    let times = latest.all().unwrap().map(|row| row.unwrap().0);
    for item in times {
        let (value, time) = latest.get_with_timestamp(&item).unwrap().unwrap();
        assert_eq!(value.1, time, "a row has the time that its source takes from the value");
    }
    let rows = (latest.all().unwrap().map(Result::unwrap).collect(), sums.all().unwrap().map(Result::unwrap).collect());
    app.stop().unwrap();
    rows
}

fn without_zeros(
    (latest, mut sums): (BTreeMap<String, (i64, i64)>, BTreeMap<i64, i64>),
) -> (BTreeMap<String, (i64, i64)>, BTreeMap<i64, i64>) {
    sums.retain(|_, sum| *sum != 0);
    (latest, sums)
}

#[test]
fn after_the_loss_of_the_state_the_rows_are_those_that_were_read_and_no_others() {
    for choose in [from_source, |store| from_source(store).in_memory()] {
        let dir = tempfile::tempdir().unwrap();
        let log = open_log(dir.path());
        let topology = topology(choose);
        let (first, second, third) = (prices(0, 2_000), prices(2_000, 2_000), prices(4_000, 500));
        append(&*log, &first);
        run_bounded(&topology, &log, &settings(dir.path(), 2));
        assert!(!log.topics().unwrap().iter().any(|topic| topic.name == "shop-latest-changelog"));
        // More has come when the state is lost: it is read, and not restored.
        append(&*log, &second);
        std::fs::remove_dir_all(dir.path().join("state")).unwrap();
        run_bounded(&topology, &log, &settings(dir.path(), 2));
        assert_eq!(without_zeros(stored(&topology, &log, dir.path())), without_zeros(expected(&[&first, &second])));
        append(&*log, &third);
        run_bounded(&topology, &log, &settings(dir.path(), 1));
        let all = without_zeros(expected(&[&first, &second, &third]));
        assert_eq!(without_zeros(stored(&topology, &log, dir.path())), all);
        std::fs::remove_dir_all(dir.path().join("state")).unwrap();
        assert_eq!(without_zeros(stored(&topology, &log, dir.path())), all);
    }
}

/// A crash takes what RocksDB had not yet on disk, so the state is that of an earlier commit.
#[test]
fn a_state_from_before_a_crash_catches_up_with_the_committed_offset() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    let topology = topology(from_source);
    let (first, second, third) = (prices(0, 1_500), prices(1_500, 1_500), prices(3_000, 1_500));
    append(&*log, &first);
    run_bounded(&topology, &log, &settings(dir.path(), 1));
    let (state, kept) = (dir.path().join("state"), dir.path().join("kept"));
    copy(&state, &kept);
    append(&*log, &second);
    let progress = Arc::new(Progress::default());
    let watched = progress.clone();
    let stopper = std::thread::spawn(move || {
        while watched.processed() < 500 && !watched.is_stopping() {
            std::thread::yield_now();
        }
        watched.stop();
    });
    run(&topology, &log, &settings(dir.path(), 1), Mode::Bounded, &progress).unwrap();
    progress.stop();
    stopper.join().unwrap();
    std::fs::remove_dir_all(&state).unwrap();
    std::fs::rename(&kept, &state).unwrap();
    append(&*log, &third);
    run_bounded(&topology, &log, &settings(dir.path(), 2));
    let all = without_zeros(expected(&[&first, &second, &third]));
    assert_eq!(without_zeros(stored(&topology, &log, dir.path())), all);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn a_store_cannot_be_given_a_changelog_later_as_its_rows_would_not_be_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    append(&*log, &prices(0, 100));
    run_bounded(&topology(from_source), &log, &settings(dir.path(), 1));
    let progress = Arc::new(Progress::default());
    let error = run(&topology(|store| store), &log, &settings(dir.path(), 1), Mode::Bounded, &progress).unwrap_err();
    assert_eq!(error.code(), "HW0601");
    assert!(error.to_string().contains("restored from prices"), "{error}");
}
