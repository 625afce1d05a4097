//! Sliding windows and sessions that have closed stay readable for their retention, and nothing else depends on it.

use std::collections::BTreeMap;

use headwater::prelude::*;

use super::by_chance::Random;

type Span = (String, i64, i64);
type Counts = BTreeMap<Span, i64>;

#[derive(Debug, Clone, Copy)]
enum Family {
    Sliding,
    Sessions,
}

impl Family {
    const GRACE: i64 = 40;

    /// Counts per key, with updates of (key, start, end), in a store that is kept for this long.
    fn topology(self, retention: Option<i64>) -> Topology {
        let app = StreamsBuilder::new("demo");
        let store = Materialized::<String, i64>::named("counts");
        let store = retention.map_or(store.clone(), |ms| store.retention(ms));
        let grouped = app.stream::<String, i64>("in", Json).group_by_key("k");
        let table = match self {
            Self::Sliding => grouped.windowed_by(Sliding::of(50).grace(Self::GRACE)).count(store),
            Self::Sessions => grouped.windowed_by(Session::with_gap(30).grace(Self::GRACE)).count(store),
        };
        table.to_stream().map(|window, n| ((window.key, window.start, window.end), n)).to("out", Json);
        app.build().unwrap()
    }

    fn stored(self, driver: &TopologyTestDriver) -> Counts {
        let rows = match self {
            Self::Sliding => driver.window_store::<String, i64>("counts").unwrap().all().unwrap(),
            Self::Sessions => driver.session_store::<String, i64>("counts").unwrap().all().unwrap(),
        };
        rows.into_iter().map(|(window, n)| ((window.key, window.start, window.end), n)).collect()
    }
}

type Updates = Vec<(Span, Option<i64>)>;

/// Pipes the same disorderly records for a seed, restarting the task now and then. Returns every update.
fn drive(driver: &mut TopologyTestDriver, seed: u64) -> Updates {
    let mut random = Random(seed);
    let mut input = driver.input::<String, i64>("in", Json);
    let mut now = 0_i64;
    for _ in 0..400 {
        // A pause now and then ends what is open.
        now += if random.below(12) == 0 { 200 } else { random.below(12) as i64 };
        let time = (now - random.below(120) as i64).max(0);
        let key = if random.below(2) == 0 { "a" } else { "b" };
        input.pipe(driver, key.into(), 0, time).unwrap();
        if random.below(40) == 0 {
            let task = driver.tasks()[0];
            driver.restart_task(task).unwrap();
        }
    }
    driver.output::<Span, Option<i64>>("out", Json).read_key_values(driver).unwrap()
}

#[test]
fn whatever_the_retention_results_are_the_same_and_what_is_kept_is_what_was_sent_last() {
    for family in [Family::Sliding, Family::Sessions] {
        for seed in 0..20 {
            let mut plain = TopologyTestDriver::new(family.topology(None)).unwrap();
            let mut keeping = TopologyTestDriver::new(family.topology(Some(1_000_000))).unwrap();
            let updates = drive(&mut plain, seed);
            assert_eq!(updates, drive(&mut keeping, seed), "{family:?}, seed {seed}");
            assert_eq!(plain.counters(), keeping.counters(), "{family:?}, seed {seed}");
            let mut sent = Counts::new();
            for (span, n) in updates {
                match n {
                    Some(n) => sent.insert(span, n),
                    None => sent.remove(&span),
                };
            }
            let stored = family.stored(&keeping);
            assert_eq!(stored, sent, "{family:?}, seed {seed}");
            assert!(family.stored(&plain).len() < stored.len(), "{family:?}, seed {seed}");
        }
    }
}

#[test]
fn a_kept_window_goes_when_its_retention_has_passed() {
    for family in [Family::Sliding, Family::Sessions] {
        let mut driver = TopologyTestDriver::new(family.topology(Some(300))).unwrap();
        let mut input = driver.input::<String, i64>("in", Json);
        let mut pipe = |driver: &mut TopologyTestDriver, time| input.pipe(driver, "k".into(), 0, time).unwrap();
        pipe(&mut driver, 100);
        let first = family.stored(&driver);
        let kept = |driver: &TopologyTestDriver| first.keys().all(|span| family.stored(driver).contains_key(span));
        // Of a sliding window the start counts, of a session the end.
        let last = 299 + if matches!(family, Family::Sliding) { 50 } else { 100 };
        for time in [200, 300, last, last] {
            pipe(&mut driver, time);
            assert!(kept(&driver), "{family:?} at {time}");
        }
        pipe(&mut driver, last + 1);
        pipe(&mut driver, last + 1);
        assert!(!kept(&driver), "{family:?}: {:?}", family.stored(&driver));
    }
}

#[test]
fn kept_windows_are_found_by_key_and_time_like_others() {
    let mut driver = TopologyTestDriver::new(Family::Sliding.topology(Some(10_000))).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    for time in [100, 1_000, 5_000] {
        input.pipe(&mut driver, "k".into(), 0, time).unwrap();
    }
    let store = driver.window_store::<String, i64>("counts").unwrap();
    assert_eq!(store.fetch(&"k".into(), 0, 2_000).unwrap(), [(50, 1), (950, 1)]);
    assert_eq!(store.fetch(&"k".into(), i64::MIN, i64::MAX).unwrap(), [(50, 1), (950, 1), (4_950, 1)]);
    assert_eq!(store.get(&"k".into(), 50).unwrap(), Some(1));
    let starts: Vec<_> = store.fetch_all(51, i64::MAX).unwrap().into_iter().map(|(w, _)| (w.start, w.end)).collect();
    assert_eq!(starts, [(950, 1_000), (4_950, 5_000)]);

    let mut driver = TopologyTestDriver::new(Family::Sessions.topology(Some(10_000))).unwrap();
    for time in [100, 110, 1_000, 5_000] {
        input.pipe(&mut driver, "k".into(), 0, time).unwrap();
    }
    let store = driver.session_store::<String, i64>("counts").unwrap();
    let spans = |found: Vec<(Windowed<String>, i64)>| -> Vec<_> {
        found.into_iter().map(|(session, n)| (session.start, session.end, n)).collect()
    };
    assert_eq!(spans(store.fetch(&"k".into()).unwrap()), [(100, 110, 2), (1_000, 1_000, 1), (5_000, 5_000, 1)]);
    assert_eq!(spans(store.find(&"k".into(), 111, 1_000).unwrap()), [(1_000, 1_000, 1)]);
}
