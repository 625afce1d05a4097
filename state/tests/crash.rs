//! kill -9 at any moment leaves the state of some earlier commit: rows of all stores and positions agree.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test stops at the first surprise"
)]

mod support;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    time::{Duration, Instant},
};

use headwater_state::{FlushPolicy, StoreChanges, TaskStore};
use support::{Numbers, child_dir, input, open, rows, small_memory, spawn_child};

const STORES: [&str; 3] = ["left", "quiet", "right"];
/// Rows go round in so many keys: a row tells which commit wrote it last.
const KEYS: i64 = 500;

/// What commit `n` changes; `quiet` changes rarely, so that its memtable ages while the others are flushed.
fn commit(changes: &mut StoreChanges, n: i64) {
    changes.clear();
    for store in ["left", "right"] {
        changes.put(store, &(n % KEYS).to_be_bytes(), &[&n.to_be_bytes()[..], &[7; 300]].concat());
        if n % 3 == 0 {
            changes.delete(store, &((n + 1) % KEYS).to_be_bytes());
        }
    }
    if n % 97 == 0 {
        changes.put("quiet", b"last", &n.to_be_bytes());
    }
    changes.position(input(0), n);
    changes.position(input(1), -n);
}

/// The rows of `store` after commits `1..=n`.
fn expected(store: &str, n: i64) -> BTreeMap<Vec<u8>, i64> {
    let mut model = BTreeMap::new();
    if store == "quiet" {
        model.extend((n >= 97).then(|| (b"last".to_vec(), n / 97 * 97)));
        return model;
    }
    for n in (n - 2 * KEYS).max(1)..=n {
        model.insert((n % KEYS).to_be_bytes().to_vec(), n);
        if n % 3 == 0 {
            model.remove(&((n + 1) % KEYS).to_be_bytes()[..]);
        }
    }
    model
}

/// The child: goes on committing from where the store is until it is killed.
fn commit_for_ever(dir: &Path) -> ! {
    let store = TaskStore::open(dir, &support::names(&STORES), &small_memory()).expect("the store opens");
    store.set_flush_policy(FlushPolicy { max_age_ms: 40, max_bytes: 3 << 20 });
    let start = store.positions().expect("positions").get(&input(0)).copied().unwrap_or(0);
    let clock = Instant::now();
    let mut changes = StoreChanges::new();
    println!("going");
    for n in start + 1.. {
        commit(&mut changes, n);
        store.apply(&changes).expect("the changes are applied");
        store.flush_if_due(clock.elapsed().as_millis() as i64).expect("the flush begins");
        if n % 4_001 == 0 {
            store.flush().expect("the flush is done");
        }
    }
    unreachable!("the numbers do not end")
}

#[test]
fn rows_and_positions_agree_after_kill_9() {
    if let Some(dir) = child_dir() {
        commit_for_ever(&dir);
    }
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("0_3");
    let mut numbers = Numbers(17);
    let (mut reached, mut advanced) = (0, 0);
    for round in 0..12 {
        let mut child = spawn_child("rows_and_positions_agree_after_kill_9", &dir);
        let output = BufReader::new(child.0.stdout.take().unwrap());
        assert!(output.lines().map_while(Result::ok).any(|line| line.ends_with("going")), "the child works");
        let until = Instant::now() + Duration::from_millis(numbers.below(400));
        while Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill();

        let store = open(&dir, &STORES);
        let positions = store.positions().unwrap();
        let n = positions.get(&input(0)).copied().unwrap_or(0);
        assert_eq!(positions.get(&input(1)).copied().unwrap_or(0), -n, "round {round}");
        for name in STORES {
            let found: BTreeMap<_, _> = rows(&store.reader(name).unwrap(), &[], None)
                .into_iter()
                .map(|(key, value)| (key, i64::from_be_bytes(value[..8].try_into().unwrap())))
                .collect();
            let model = expected(name, n);
            let differs = found.iter().find(|row| model.get(row.0) != Some(row.1));
            assert_eq!(differs, None, "round {round}, store {name}, position {n}: a row of another commit");
            assert_eq!(found.len(), model.len(), "round {round}, store {name}, position {n}: the number of rows");
        }
        assert!(n >= reached, "round {round}: a flushed commit is lost, {reached} became {n}");
        advanced += i32::from(n > reached);
        reached = n;
    }
    assert!(advanced >= 4, "the child commits and flushes between kills, but only {advanced} of 12 rounds advanced");
}
