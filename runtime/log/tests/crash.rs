//! What the embedded log promises when its process dies, its files are torn or its disk is full. The test program
//! runs itself again as the process that dies.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod child;

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use child::{Child, GROUP, INPUT, OUTPUTS, Role};
use headwater_core::{ErrorKind, Offset, SystemClock, TopicPartition};
use headwater_log::{ConsumerConfig, EmbeddedConfig, EmbeddedLog, Isolation, Log, Polled};

fn open(dir: &Path) -> Arc<EmbeddedLog> {
    EmbeddedLog::open(dir, EmbeddedConfig::default(), Arc::new(SystemClock)).unwrap()
}

/// All values of a partition, which must count its transactions without a gap.
fn transactions(log: &dyn Log, partition: &TopicPartition) -> Vec<u64> {
    let end = log.end_offsets(std::slice::from_ref(partition), Isolation::ReadCommitted).unwrap()[partition];
    let mut consumer = log.consumer(&ConsumerConfig::default()).unwrap();
    consumer.assign(&[(partition.clone(), 0)]).unwrap();
    let mut all = Vec::new();
    while consumer.position(partition).unwrap() < end {
        let Polled::Records(batches) = consumer.poll(Duration::ZERO).unwrap() else {
            panic!("{partition} has no records at {:?} of {end}", consumer.position(partition));
        };
        for record in batches.iter().flat_map(|(_, batch)| batch) {
            let record = record.unwrap();
            assert_eq!(record.offset, all.len() as Offset, "offsets count records");
            all.push(u64::from_be_bytes(record.value.unwrap()[..8].try_into().unwrap()));
        }
    }
    all
}

/// Checks that what is there is a whole number of transactions, and gives that number.
fn check_whole(log: &dyn Log) -> u64 {
    let input = TopicPartition::new(INPUT, 0);
    let committed: BTreeMap<_, _> = log.committed(GROUP, std::slice::from_ref(&input)).unwrap();
    let done = committed.get(&input).map_or(0, |committed| committed.offset.unsigned_abs());
    for partition in 0..OUTPUTS {
        let written = transactions(log, &TopicPartition::new("out", partition));
        let expected: Vec<u64> = (0..done).flat_map(|n| [n; child::RECORDS]).collect();
        assert!(written == expected, "partition {partition} holds {} records, group offset {done}", written.len());
    }
    done
}

#[test]
fn killed_at_any_moment_it_keeps_what_was_acknowledged_and_no_half_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("log");
    let mut acknowledged = 0;
    for round in 0..20_u64 {
        let mut child = Child::start(Role::Commit, &dir);
        // Spread over the first commits, where files are written for the first time, and later ones.
        let more = 1 + round * round % 97;
        while child.acknowledged < acknowledged + more {
            child.next_acknowledged();
        }
        acknowledged = child.kill();
        let started = Instant::now();
        let log = open(&dir);
        let opened = started.elapsed();
        let done = check_whole(&*log);
        assert!(done >= acknowledged, "round {round}: {acknowledged} acknowledged, {done} there");
        assert!(done <= acknowledged + 1, "round {round}: more is there than was sent");
        assert!(opened < Duration::from_secs(5), "round {round}: opening took {opened:?}");
        acknowledged = done;
    }
}

#[test]
fn a_torn_tail_costs_whole_transactions_only() {
    for cut in [1, 7, 30, 200, 1_000, 5_000, 20_000] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("log");
        let mut child = Child::start(Role::Commit, &dir);
        while child.acknowledged < 40 {
            child.next_acknowledged();
        }
        let acknowledged = child.kill();
        let wal = newest_wal(&dir);
        let file = OpenOptions::new().write(true).open(&wal).unwrap();
        file.set_len(file.metadata().unwrap().len().saturating_sub(cut)).unwrap();
        let done = check_whole(&*open(&dir));
        // The last transaction, acknowledged or not, is the torn one; a long cut takes more than one.
        assert!(done <= acknowledged, "cut by {cut}: {acknowledged} acknowledged, {done} there");
        assert!(cut < 20_000 || done < acknowledged, "cut by {cut}: nothing is missing");
    }
}

#[test]
fn damage_in_the_middle_is_an_error_and_not_silently_less() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("log");
    let mut child = Child::start(Role::Commit, &dir);
    while child.acknowledged < 60 {
        child.next_acknowledged();
    }
    child.kill();
    let wal = newest_wal(&dir);
    let mut bytes = fs::read(&wal).unwrap();
    let middle = bytes.iter().rposition(|byte| *byte != 0).unwrap() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&wal, bytes).unwrap();
    let error = EmbeddedLog::open(&dir, EmbeddedConfig::default(), Arc::new(SystemClock)).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("HW0316", ErrorKind::State), "{error}");
    assert!(error.to_string().contains(&dir.display().to_string()), "{error}");
}

fn newest_wal(dir: &Path) -> PathBuf {
    let logs = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    logs.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().unwrap()
}

#[test]
fn a_second_process_is_told_who_holds_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("log");
    let mut child = Child::start(Role::Hold, &dir);
    child.wait_until_open();
    let error = EmbeddedLog::open(&dir, EmbeddedConfig::default(), Arc::new(SystemClock)).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("HW0313", ErrorKind::State), "{error}");
    assert!(error.to_string().contains(&format!("process {}", child.pid())), "{error}");
    child.kill();
    let held = open(&dir);
    let error = EmbeddedLog::open(&dir, EmbeddedConfig::default(), Arc::new(SystemClock)).unwrap_err();
    assert!(error.code() == "HW0313" && error.to_string().contains("this process"), "{error}");
    drop(held);
    open(&dir);
}

#[test]
fn a_full_disk_is_a_named_error_and_what_was_committed_stays() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("log");
    drop(open(&dir));
    // No file of the child can grow past 3 MiB, which to it is a disk without room.
    let mut child = Child::start_with_file_limit(Role::Commit, &dir, 3 << 20);
    while child.next_acknowledged() {}
    let error = child.error();
    assert!(error.starts_with("Storage [HW0314]") && error.contains(&dir.display().to_string()), "{error}");
    let acknowledged = child.acknowledged;
    assert!(acknowledged > 0, "nothing was committed before the disk was full");
    child.kill();
    let done = check_whole(&*open(&dir));
    assert!((acknowledged..=acknowledged + 1).contains(&done), "{acknowledged} acknowledged, {done} there");
}

#[test]
fn a_directory_that_cannot_be_made_is_a_named_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let error = EmbeddedLog::open(&file.join("log"), EmbeddedConfig::default(), Arc::new(SystemClock)).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("HW0314", ErrorKind::Storage), "{error}");
}

#[test]
fn closed_cleanly_it_is_ready_again_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("log");
    let mut child = Child::start(Role::Commit, &dir);
    while child.acknowledged < 200 {
        child.next_acknowledged();
    }
    child.kill();
    drop(open(&dir));
    let started = Instant::now();
    let log = open(&dir);
    let took = started.elapsed();
    println!("opened in {took:?}");
    assert!(took < Duration::from_millis(500), "{took:?}");
    check_whole(&*log);
}

/// Not a test: the body of the process that the tests above start and kill.
#[test]
#[ignore = "run by the other tests as a process of its own"]
fn child_process() {
    child::main();
}
