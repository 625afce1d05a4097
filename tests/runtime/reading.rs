//! The stores of a running application are read from other threads: what is committed, of one version, with its types.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use headwater::{
    ErrorKind,
    log::Log,
    prelude::*,
    runtime::{App, Mode, ReadOnlyKeyValueStore, Settings, Stores},
};

use super::{common::*, processors::wait_for};

type Choose = fn(Materialized<i64, i64>) -> Materialized<i64, i64>;

/// Readings counted per room, per room and hour, and per session of a room; the latest one of each sensor, with history.
fn rooms(choose: Choose) -> Topology {
    let app = StreamsBuilder::new("rooms");
    let readings = app.stream::<String, i64>("readings", Json);
    let by_room = readings.map(|_, n| (n % 7, n)).repartition("by-room");
    by_room.group_by_key("rooms").count(choose(Materialized::named("counts")));
    by_room
        .group_by_key("hours")
        .windowed_by(Tumbling::of(hours(1)).grace(minutes(30)))
        .count(choose(Materialized::named("hourly").retention(days(30))));
    by_room
        .group_by_key("sessions-by-room")
        .windowed_by(Session::with_gap(minutes(2)).grace(days(30)))
        .count(choose(Materialized::named("sessions")));
    let latest = Materialized::named("latest").versioned(days(30));
    readings.latest_as_table("by-sensor", latest);
    app.build().unwrap()
}

fn on_disk(store: Materialized<i64, i64>) -> Materialized<i64, i64> {
    store
}

fn start(log: &Arc<dyn Log>, settings: &Settings, choose: Choose) -> App {
    App::start(&rooms(choose), log, settings, Mode::Live).unwrap()
}

/// The rows of a store once it is readable. While threads join, tasks still move between them.
fn all_of(store: &ReadOnlyKeyValueStore<i64, i64>) -> BTreeMap<i64, i64> {
    let mut rows = None;
    wait_for("reading the store", || match store.all().and_then(Iterator::collect) {
        Ok(found) => {
            rows = Some(found);
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            false
        }
    });
    rows.unwrap()
}

fn counted(readings: &[(String, i64, i64)]) -> BTreeMap<i64, i64> {
    let mut counts = BTreeMap::new();
    readings.iter().for_each(|(_, n, _)| *counts.entry(n % 7).or_default() += 1);
    counts
}

fn wait_for_counts(stores: &Stores, expected: &BTreeMap<i64, i64>) -> ReadOnlyKeyValueStore<i64, i64> {
    let counts = stores.store::<i64, i64>("counts").unwrap();
    wait_for("the counts", || all_of(&counts) == *expected);
    counts
}

#[test]
fn counts_are_read_while_they_are_made_and_never_go_back() {
    let readings = readings(20_000);
    let expected = counted(&readings);
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    feed(&*log, &readings[..5_000]);
    let app = start(&log, &settings(dir.path(), 2), on_disk);
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (stores, done, expected) = (app.stores(), done.clone(), expected.clone());
            std::thread::spawn(move || {
                let counts = stores.store::<i64, i64>("counts").unwrap();
                let (mut seen, mut steps): (BTreeMap<i64, i64>, _) = (BTreeMap::new(), 0);
                while !done.load(Ordering::SeqCst) {
                    for (room, count) in all_of(&counts) {
                        let before = seen.insert(room, count).unwrap_or_default();
                        assert!(before <= count && count <= expected[&room], "room {room}: {before}, then {count}");
                        steps += i32::from(before < count);
                    }
                }
                steps
            })
        })
        .collect();
    for part in readings[5_000..].chunks(3_000) {
        feed(&*log, part);
    }
    wait_for_counts(&app.stores(), &expected);
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.join().unwrap() > 7, "the reader saw the counts grow");
    }
    app.stop().unwrap();
}

#[test]
fn an_iterator_that_is_held_shows_the_commit_it_was_made_at_on_disk_and_in_memory() {
    let readings = readings(4_000);
    for choose in [on_disk as Choose, Materialized::in_memory] {
        let dir = tempfile::tempdir().unwrap();
        let log = open_log(dir.path());
        let app = start(&log_with(&log, &readings[..2_000]), &settings(dir.path(), 1), choose);
        let counts = wait_for_counts(&app.stores(), &counted(&readings[..2_000]));
        let hourly = app.stores().window_store::<i64, i64>("hourly").unwrap();
        let (mut held, held_hours) = (counts.all().unwrap(), hourly.all().unwrap());
        let hours_before: Vec<_> = hourly.all().unwrap().map(Result::unwrap).collect();
        let first = held.next().unwrap().unwrap();
        feed(&*log, &readings[2_000..]);
        wait_for_counts(&app.stores(), &counted(&readings));
        wait_for("the hours", || hourly.all().unwrap().count() > hours_before.len());
        let rows: BTreeMap<_, _> = std::iter::once(first).chain(held.map(Result::unwrap)).collect();
        assert_eq!(rows, counted(&readings[..2_000]));
        assert_eq!(held_hours.map(Result::unwrap).collect::<Vec<_>>(), hours_before);
        app.stop().unwrap();
    }
}

fn log_with(log: &Arc<dyn Log>, readings: &[(String, i64, i64)]) -> Arc<dyn Log> {
    feed(&**log, readings);
    log.clone()
}

#[test]
fn windows_sessions_and_versions_are_found_by_key_and_time() {
    let readings = readings(3_000);
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    feed(&*log, &readings);
    let app = start(&log, &settings(dir.path(), 1), on_disk);
    let stores = app.stores();
    let counts = wait_for_counts(&stores, &counted(&readings));

    assert_eq!(counts.get(&3).unwrap(), counted(&readings).get(&3).copied());
    assert_eq!(counts.get(&99).unwrap(), None);
    let some = counts.range(&2, &4).unwrap().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(some, counted(&readings).range(2..=4).map(|(k, v)| (*k, *v)).collect::<Vec<_>>());
    assert_eq!(counts.prefix(&2_i64.to_be_bytes()).unwrap().count(), 1);

    let mut hours_of_3 = BTreeMap::new();
    for (_, _, time) in readings.iter().filter(|(_, n, _)| n % 7 == 3) {
        *hours_of_3.entry(time - time.rem_euclid(hours(1))).or_insert(0) += 1;
    }
    let hourly = stores.window_store::<i64, i64>("hourly").unwrap().of_length(hours(1)).unwrap();
    let fetch = |from, to| hourly.fetch(&3, from, to).unwrap().map(Result::unwrap).collect::<BTreeMap<_, _>>();
    wait_for("the hours", || fetch(i64::MIN, i64::MAX) == hours_of_3);
    let (from, to) = (days(1) + hours(5), days(1) + hours(9));
    assert_eq!(fetch(from, to), hours_of_3.range(from..=to).map(|(k, v)| (*k, *v)).collect());
    assert_eq!(hourly.get(&3, from).unwrap(), hours_of_3.get(&from).copied());
    let all: Vec<_> = hourly.all().unwrap().map(|row| row.unwrap().0).collect();
    let mut sorted = all.clone();
    sorted.sort_by_key(|window| (window.start, window.key));
    assert_eq!(all, sorted, "merged in the order of time, then key");
    assert!(all.iter().all(|window| window.end - window.start == hours(1)));

    let sessions = stores.session_store::<i64, i64>("sessions").unwrap();
    let sum = |room: &i64| sessions.fetch(room).unwrap().map(|row| row.unwrap().1).sum::<i64>();
    wait_for("the sessions", || counted(&readings).iter().all(|(room, count)| sum(room) == *count));
    let last = sessions.fetch(&3).unwrap().last().unwrap().unwrap();
    assert_eq!(sessions.get(&3, last.0.start, last.0.end).unwrap(), Some(last.1));
    assert_eq!(sessions.find(&3, last.0.end, i64::MAX).unwrap().count(), 1);

    let latest = stores.versioned_store::<String, i64>("latest").unwrap();
    let mut of_one: Vec<_> = readings.iter().filter(|(sensor, ..)| sensor == "sensor-7").collect();
    of_one.sort_by_key(|(_, _, time)| *time);
    let (_, newest, _) = of_one.last().unwrap();
    let (_, middle, at) = of_one[of_one.len() / 2];
    let sensor = "sensor-7".to_owned();
    wait_for("the latest readings", || latest.get(&sensor).ok().flatten() == Some(*newest));
    assert_eq!(latest.get_as_of(&sensor, *at).unwrap(), Some(*middle));
    assert_eq!(latest.get_as_of(&sensor, 0).unwrap(), None);
    assert_eq!(latest.versions(&sensor).unwrap().count(), of_one.len());
    app.stop().unwrap();
}

#[test]
fn what_is_not_committed_is_not_seen_and_what_was_is_there_after_a_restart() {
    let readings = readings(2_000);
    let topology = || {
        let app = StreamsBuilder::new("rooms");
        app.stream::<String, i64>("readings", Json).group_by_key("by-sensor").count("per-sensor");
        app.build().unwrap()
    };
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    feed(&*log, &readings);
    let settings = Settings { commit_interval: Duration::from_secs(3_600), ..settings(dir.path(), 1) };
    let app = App::start(&topology(), &log, &settings, Mode::Live).unwrap();
    let store = app.stores().store::<String, i64>("per-sensor").unwrap();
    wait_for("all records", || app.progress().processed() == 2_000);
    assert_eq!(app.progress().commits(), 0);
    assert_eq!(store.all().unwrap().count(), 0);
    app.stop().unwrap();
    assert_eq!(store.all().unwrap_err().code(), "HW0651", "the run has ended");

    for wipe in [false, true] {
        if wipe {
            std::fs::remove_dir_all(settings.state_dir("rooms")).unwrap();
        }
        let app = App::start(&topology(), &log, &settings, Mode::Live).unwrap();
        let store = app.stores().store::<String, i64>("per-sensor").unwrap();
        wait_for("the start", || store.all().is_ok());
        let sum: i64 = store.all().unwrap().map(|row| row.unwrap().1).sum();
        assert_eq!(sum, 2_000, "restored from the changelog: {wipe}");
        app.stop().unwrap();
    }
}

#[test]
fn a_store_asked_for_with_other_types_formats_windows_or_by_another_name_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    feed(&*log, &readings(10));
    let app = start(&log, &settings(dir.path(), 1), on_disk);
    let stores = app.stores();
    let error = stores.store::<String, i64>("counts").unwrap_err();
    assert_eq!(error.code(), "HW0652");
    assert!(error.to_string().contains("<i64, i64>") && error.to_string().contains("String"), "{error}");
    assert_eq!(stores.store(Materialized::<i64, i64>::with("counts", Json, Json)).unwrap_err().code(), "HW0652");
    for error in [
        stores.store::<i64, i64>("hourly").unwrap_err(),
        stores.window_store::<i64, i64>("sessions").unwrap_err(),
        stores.session_store::<i64, i64>("counts").unwrap_err(),
        stores.versioned_store::<i64, i64>("counts").unwrap_err(),
        stores.window_store::<i64, i64>("hourly").unwrap().of_length(minutes(1)).unwrap_err(),
    ] {
        assert_eq!(error.code(), "HW0652", "{error}");
        assert!(error.help_text().is_some(), "{error}");
    }
    assert_eq!(stores.store::<i64, i64>("count").unwrap_err().code(), "HW0120");
    app.stop().unwrap();
}

/// One of an application's processes, as far as the log can tell. They share a directory; each has state of its own there.
fn start_beside(log: &Arc<dyn Log>, dir: &Path, name: &str) -> App {
    let settings = Settings { instance: name.to_owned(), ..settings(dir, 1) };
    start(log, &settings, on_disk)
}

#[test]
fn a_key_whose_task_is_elsewhere_is_an_error_and_not_a_missing_row() {
    let readings = readings(2_000);
    let expected = counted(&readings);
    let dir = tempfile::tempdir().unwrap();
    let log = open_log(dir.path());
    feed(&*log, &readings);
    let (one, two) = (start_beside(&log, dir.path(), "one"), start_beside(&log, dir.path(), "two"));
    let counts = [&one, &two].map(|app| app.stores().store::<i64, i64>("counts").unwrap());
    let local = [&one, &two].map(|app| app.stores().store::<i64, i64>("counts").unwrap().of_local_tasks());
    let rows_of = |store: &ReadOnlyKeyValueStore<i64, i64>| -> Option<BTreeMap<i64, i64>> {
        store.all().ok()?.collect::<Result<_, _>>().ok()
    };
    wait_for("the counts of both", || {
        let rows = local.each_ref().map(rows_of);
        let [Some(one), Some(two)] = rows else { return false };
        !one.is_empty() && !two.is_empty() && one.into_iter().chain(two).collect::<BTreeMap<_, _>>() == expected
    });
    assert_eq!(counts.each_ref().map(|store| store.all().unwrap_err().code()), ["HW0651", "HW0651"]);
    for (room, count) in &expected {
        let found = counts.each_ref().map(|store| store.get(room));
        let (here, elsewhere): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
        assert_eq!(here.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [Some(*count)], "room {room}");
        let error = elsewhere.into_iter().next().unwrap().unwrap_err();
        assert_eq!((error.code(), error.kind()), ("HW0651", ErrorKind::Unavailable));
    }
    // What one of them holds ends with its tasks, and the other gets all of them.
    let hours = two.stores().window_store::<i64, i64>("hourly").unwrap().of_local_tasks();
    let mut held = hours.all().unwrap();
    assert!(held.next().unwrap().is_ok());
    two.stop().unwrap();
    assert_eq!(held.by_ref().find_map(Result::err).unwrap().code(), "HW0651");
    assert!(held.next().is_none());
    wait_for("all tasks", || rows_of(&counts[0]).as_ref() == Some(&expected));
    one.stop().unwrap();
}
