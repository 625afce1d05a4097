//! What a task's store promises, on disk and in memory alike.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test stops at the first surprise"
)]

mod support;

use std::{collections::BTreeMap, fs, ops::ControlFlow, path::Path};

use headwater_core::StoreReader;
use headwater_state::{FlushPolicy, StoreChanges, StoreHandle, StoreMemory, TaskStore};
use support::{Numbers, fill, input, names, open, rows, small_memory};

const STORES: [&str; 2] = ["a", "b"];

/// The same check on both kinds of store.
fn on_both(check: impl Fn(TaskStore)) {
    check(TaskStore::in_memory(&names(&STORES)));
    let root = tempfile::tempdir().unwrap();
    check(open(root.path(), &STORES));
}

fn some_key(numbers: &mut Numbers) -> Vec<u8> {
    // Few keys with shared prefixes and extreme bytes, the empty one among them.
    (0..numbers.below(4)).map(|_| [0, 1, 0x7F, 0xFF][numbers.below(4) as usize]).collect()
}

#[test]
fn random_changes_give_what_a_sorted_map_gives() {
    on_both(|store| {
        let mut numbers = Numbers(3);
        let mut model: BTreeMap<&str, BTreeMap<Vec<u8>, Vec<u8>>> = BTreeMap::new();
        let mut changes = StoreChanges::new();
        for round in 0..300_i64 {
            changes.clear();
            for _ in 0..numbers.below(12) {
                let name = STORES[numbers.below(2) as usize];
                let (key, rows) = (some_key(&mut numbers), model.entry(name).or_default());
                if numbers.below(3) == 0 {
                    changes.delete(name, &key);
                    rows.remove(&key);
                } else {
                    let value = numbers.next().to_be_bytes()[..numbers.below(9) as usize].to_vec();
                    changes.put(name, &key, &value);
                    rows.insert(key, value);
                }
            }
            changes.position(input(0), round);
            store.apply(&changes).unwrap();
            if numbers.below(25) == 0 {
                store.flush().unwrap();
            }
            assert_eq!(store.positions().unwrap(), [(input(0), round)].into());
            for name in STORES {
                let (reader, rows_now) = (store.reader(name).unwrap(), model.entry(name).or_default());
                let (from, to) = (some_key(&mut numbers), some_key(&mut numbers));
                assert_eq!(reader.get(&from).unwrap(), rows_now.get(&from).cloned());
                let expected =
                    rows_now.range(from.clone()..).filter(|(key, _)| **key < to).map(|(k, v)| (k.clone(), v.clone()));
                assert_eq!(rows(&reader, &from, Some(&to)), expected.collect::<Vec<_>>());
            }
        }
        for name in STORES {
            let all: Vec<_> = model.remove(name).unwrap_or_default().into_iter().collect();
            assert_eq!(rows(&store.reader(name).unwrap(), &[], None), all);
        }
    });
}

#[test]
fn a_visitor_may_stop_and_may_read_again() {
    on_both(|store| {
        let mut changes = StoreChanges::new();
        for n in 0..500_u32 {
            changes.put("a", &n.to_be_bytes(), b"v");
        }
        store.apply(&changes).unwrap();
        let reader = store.reader("a").unwrap();
        assert_eq!(rows(&reader, &[], None).len(), 500);
        let mut seen = 0;
        reader
            .range(&[], None, &mut |key, _| {
                assert!(reader.get(key).unwrap().is_some());
                seen += 1;
                if seen < 130 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
            .unwrap();
        assert_eq!(seen, 130);
    });
}

#[test]
fn changes_that_name_an_unknown_store_change_nothing() {
    on_both(|store| {
        let mut changes = StoreChanges::new();
        changes.put("a", b"k", b"v");
        changes.put("nowhere", b"k", b"v");
        changes.position(input(0), 1);
        let error = store.apply(&changes).unwrap_err();
        assert_eq!(error.code(), "HW0404");
        assert!(error.message().contains("nowhere"), "{error}");
        assert_eq!(store.reader("a").unwrap().get(b"k").unwrap(), None);
        assert!(store.positions().unwrap().is_empty());
        assert_eq!(store.reader("nowhere").unwrap_err().code(), "HW0404");
    });
}

#[test]
fn delete_all_leaves_an_empty_store_that_works() {
    on_both(|store| {
        for round in 0..5 {
            fill(&store, &STORES, round);
        }
        let empty = TaskStore::in_memory(&names(&["a"])).digest("a").unwrap();
        assert_ne!(store.digest("a").unwrap(), empty);
        store.delete_all().unwrap();
        assert!(store.positions().unwrap().is_empty());
        assert_eq!(store.digest("a").unwrap(), empty);
        assert_eq!(store.digest("b").unwrap(), empty);
        fill(&store, &STORES, 1);
        assert_eq!(store.digest("a").unwrap().rows, 49);
    });
}

#[test]
fn equal_content_has_equal_digests_whatever_its_history() {
    let root = tempfile::tempdir().unwrap();
    let (disk, memory) = (open(root.path(), &STORES), TaskStore::in_memory(&names(&STORES)));
    for round in 0..20 {
        fill(&disk, &STORES, round);
        disk.flush().unwrap();
        fill(&memory, &STORES, round);
    }
    assert_eq!(disk.digest("a").unwrap(), memory.digest("a").unwrap());
    let mut changes = StoreChanges::new();
    changes.put("a", b"one more", b"");
    disk.apply(&changes).unwrap();
    assert_ne!(disk.digest("a").unwrap(), memory.digest("a").unwrap());
}

#[test]
fn a_digest_tells_where_a_key_ends() {
    let store = TaskStore::in_memory(&names(&STORES));
    let mut changes = StoreChanges::new();
    changes.put("a", b"k1", b"2");
    changes.put("b", b"k", b"12");
    store.apply(&changes).unwrap();
    assert_ne!(store.digest("a").unwrap(), store.digest("b").unwrap());
}

#[test]
fn stores_are_added_and_none_is_lost_when_reopened() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("task");
    let before = {
        let store = open(&dir, &["first", "second"]);
        fill(&store, &["first", "second"], 4);
        (store.digest("first").unwrap(), store.digest("second").unwrap())
    };
    {
        // Closing flushed what was in memory; `first` is not asked for this time.
        let store = open(&dir, &["second", "third"]);
        assert_eq!(store.stores(), ["first", "second", "third"]);
        assert_eq!(store.digest("third").unwrap().rows, 0);
        fill(&store, &["third"], 5);
    }
    let store = open(&dir, &["first", "second", "third"]);
    assert_eq!((store.digest("first").unwrap(), store.digest("second").unwrap()), before);
    assert_eq!(store.digest("third").unwrap().rows, 49);
    assert_eq!(store.positions().unwrap(), [(input(0), 5)].into());
}

#[test]
fn positions_keep_topics_and_partitions_apart() {
    let root = tempfile::tempdir().unwrap();
    let mut expected = BTreeMap::new();
    let mut changes = StoreChanges::new();
    for (topic, partition, offset) in [("a", 0, 1), ("a", 1, 2), ("a.b-c", 0, i64::MAX), ("ab", i32::MAX, 0)] {
        let partition = headwater_core::TopicPartition::new(topic, partition);
        changes.position(partition.clone(), offset);
        expected.insert(partition, offset);
    }
    {
        let store = open(root.path(), &["s"]);
        store.apply(&changes).unwrap();
        assert_eq!(store.positions().unwrap(), expected);
    }
    assert_eq!(open(root.path(), &["s"]).positions().unwrap(), expected);
}

#[test]
fn an_open_store_is_not_opened_twice() {
    let root = tempfile::tempdir().unwrap();
    let _store = open(root.path(), &["s"]);
    let error = TaskStore::open(root.path(), &names(&["s"]), &small_memory()).unwrap_err();
    assert_eq!(error.code(), "HW0401", "{error}");
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let root = tempfile::tempdir().unwrap();
    drop(open(root.path(), &["s"]));
    let change_version = |version: &str| {
        let options = rocksdb::Options::default();
        let families = rocksdb::DB::list_cf(&options, root.path()).unwrap();
        let db = rocksdb::DB::open_cf(&options, root.path(), families).unwrap();
        db.put("format_version", version).unwrap();
    };
    change_version("2");
    let error = TaskStore::open(root.path(), &names(&["s", "new"]), &small_memory()).unwrap_err();
    assert_eq!(error.code(), "HW0403", "{error}");
    assert!(error.message().contains('2'), "{error}");
    change_version("1");
    assert_eq!(open(root.path(), &[]).stores(), ["s"], "the refused start added no store");
}

#[test]
fn a_damaged_store_is_named() {
    let root = tempfile::tempdir().unwrap();
    {
        let store = open(root.path(), &["s"]);
        fill(&store, &["s"], 1);
    }
    let table = files(root.path()).into_iter().find(|path| path.extension().is_some_and(|e| e == "sst")).unwrap();
    fs::remove_file(table).unwrap();
    let result = TaskStore::open(root.path(), &names(&["s"]), &small_memory()).and_then(|store| store.digest("s"));
    let error = result.unwrap_err();
    assert_eq!(error.code(), "HW0405", "{error}");
    assert!(error.message().contains(root.path().to_str().unwrap()), "{error}");
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_due_flush_brings_rows_to_disk_without_closing() {
    let root = tempfile::tempdir().unwrap();
    let store = open(root.path(), &["s"]);
    let tables = || files(root.path()).iter().filter(|path| path.extension().is_some_and(|e| e == "sst")).count();
    store.set_flush_policy(FlushPolicy { max_age_ms: 1_000, max_bytes: u64::MAX });
    fill(&store, &["s"], 1);
    assert!(!store.flush_if_due(0).unwrap());
    assert_eq!(tables(), 0);
    assert!(store.flush_if_due(1_000).unwrap());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while tables() == 0 {
        assert!(std::time::Instant::now() < deadline, "the flush in the background ends");
        std::thread::yield_now();
    }
    assert!(!store.flush_if_due(1_000_000).unwrap(), "nothing changed since");
}

#[test]
fn stores_of_a_process_share_one_memory_bound() {
    let root = tempfile::tempdir().unwrap();
    let memory = StoreMemory::new(8 << 20, 2 << 20);
    let stores: Vec<_> =
        (0..4).map(|n| TaskStore::open(&root.path().join(n.to_string()), &names(&["s"]), &memory).unwrap()).collect();
    let mut changes = StoreChanges::new();
    for round in 0..800_u32 {
        for store in &stores {
            changes.clear();
            for row in 0..20_u32 {
                changes.put("s", &[round.to_be_bytes(), row.to_be_bytes()].concat(), &[1; 200]);
            }
            store.apply(&changes).unwrap();
        }
    }
    // 12.8 MB of values went through; without the bound all of them would wait in memory. Flushes lag behind writers,
    // and every open memtable holds its own arena blocks, hence the allowance.
    assert!(memory.write_buffer_usage() < 6 << 20, "{} bytes", memory.write_buffer_usage());
}

#[test]
fn handles_go_to_other_threads() {
    fn needs<T: Clone + Send + Sync + 'static>() {}
    needs::<TaskStore>();
    needs::<StoreHandle>();
    needs::<StoreMemory>();
}

#[test]
fn a_cursor_sees_the_version_of_its_making_however_the_store_changes_and_after_a_flush() {
    on_both(|store| {
        let mut changes = StoreChanges::new();
        for key in [b"a", b"b", b"c", b"d", b"e"] {
            changes.put("a", key, b"old");
        }
        store.apply(&changes).unwrap();
        let reader = store.reader("a").unwrap();
        let mut cursor = reader.cursor(b"b", Some(b"e")).unwrap();
        let mut next = || cursor.next().unwrap().map(|(key, value)| String::from_utf8([key, value].concat()).unwrap());
        assert_eq!(next().as_deref(), Some("bold"));
        changes.clear();
        changes.delete("a", b"c");
        changes.put("a", b"d", b"new");
        changes.put("a", b"dd", b"new");
        store.apply(&changes).unwrap();
        store.flush().unwrap();
        assert_eq!([next(), next(), next(), next()].map(Option::unwrap_or_default), ["cold", "dold", "", ""]);
        let now = rows(&reader, b"b", Some(b"e"));
        assert_eq!(now.iter().map(|(key, _)| key.as_slice()).collect::<Vec<_>>(), [&b"b"[..], b"d", b"dd"]);
    });
}

#[test]
fn a_cursor_can_be_sent_back_and_forth() {
    on_both(|store| {
        let mut changes = StoreChanges::new();
        for key in [b"a", b"b", b"c", b"d"] {
            changes.put("a", key, b"");
        }
        store.apply(&changes).unwrap();
        let mut cursor = store.reader("a").unwrap().cursor(&[], Some(b"d")).unwrap();
        let mut at = |from: Option<&[u8]>| {
            from.into_iter().for_each(|from| cursor.seek(from));
            cursor.next().unwrap().map(|(key, _)| key)
        };
        assert_eq!(at(Some(b"bb")), Some(b"c".to_vec()));
        assert_eq!(at(None), None);
        assert_eq!(at(Some(b"a")), Some(b"a".to_vec()));
        assert_eq!(at(None), Some(b"b".to_vec()));
        assert_eq!(at(Some(b"d")), None);
    });
}
