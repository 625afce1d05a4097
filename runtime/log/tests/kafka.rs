//! Apache Kafka, through our client, keeps every promise of the suite, and some are its own.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod conformance;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use conformance::{PATIENCE, World, batch, groups::Member, groups::settle, poll_until};
use headwater_core::{ErrorKind, TopicPartition};
use headwater_log::{
    ConsumerConfig, Isolation, KafkaConfig, KafkaLog, Log, OffsetCommit, Polled, testkit::KafkaServer,
};

fn open_with(test: &str, config: KafkaConfig) -> World {
    let log: Arc<KafkaLog> = KafkaLog::connect(KafkaServer::shared().brokers(), config).unwrap();
    World::new(log, test, None)
}

fn open(test: &str) -> World {
    open_with(test, KafkaConfig::default())
}

suite!(crate::open);

#[test]
fn no_broker_at_the_address_is_an_error_within_ten_seconds_that_names_it() {
    let started = Instant::now();
    // Port 9 (discard) is never a broker.
    let error = KafkaLog::connect("127.0.0.1:9", KafkaConfig::default()).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!((error.code(), error.kind()), ("HW0301", ErrorKind::Unavailable));
    assert!(error.to_string().contains("127.0.0.1:9"), "{error}");
}

#[test]
fn an_unknown_client_property_is_named() {
    let properties = BTreeMap::from([("sasl.pasword".to_owned(), "canary".to_owned())]);
    let error = KafkaLog::connect("127.0.0.1:9", KafkaConfig { properties, ..KafkaConfig::default() }).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("HW0322", ErrorKind::Config));
    assert!(error.to_string().contains("sasl.pasword") && !error.to_string().contains("canary"), "{error}");
}

#[test]
fn old_records_stay_unless_a_retention_is_set() {
    let world = open("retention");
    let (kept, limited) = (world.topic("kept", 1, &[]), world.topic("limited", 1, &[("retention.ms", "1000")]));
    // Their timestamps are of 1970.
    world.write(&kept[0], &["0", "1"]);
    world.write(&limited[0], &["0", "1"]);
    let deadline = Instant::now() + PATIENCE;
    while world.log.start_offsets(&limited).unwrap()[&limited[0]] == 0 {
        assert!(Instant::now() < deadline, "the broker does not enforce retention");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(world.values(&kept[0]), ["0", "1"]);
}

#[test]
fn an_open_transaction_hides_what_follows_it_until_it_ends() {
    let world = open("lso");
    let topic = world.topic("t", 1, &[]);
    let mut first = world.transactional("first");
    first.begin().unwrap();
    first.send(&topic[0], batch(&["open"])).unwrap();
    // A poll of the transaction's own client moves the record on its way.
    let end = |isolation| world.log.end_offsets(&topic, isolation).unwrap()[&topic[0]];
    let deadline = Instant::now() + PATIENCE;
    while end(Isolation::ReadUncommitted) == 0 {
        assert!(Instant::now() < deadline, "the record never arrives");
    }
    world.write(&topic[0], &["after"]);
    assert_eq!((end(Isolation::ReadCommitted), end(Isolation::ReadUncommitted)), (0, 2));
    let everything = ConsumerConfig { isolation: Isolation::ReadUncommitted, ..ConsumerConfig::default() };
    let mut uncommitted = world.reader_of(&topic, &everything);
    let read = conformance::read_to_end(&*world.log, &mut *uncommitted, &topic[0]);
    assert_eq!(read.iter().map(conformance::Read::value).collect::<Vec<_>>(), ["open", "after"]);
    first.commit().unwrap();
    assert_eq!(world.values(&topic[0]), ["open", "after"]);
}

#[test]
fn committed_offsets_wait_for_the_transaction_that_holds_them() {
    let pending_timeout = Duration::from_secs(1);
    let world = open_with("pending", KafkaConfig { pending_timeout, ..KafkaConfig::default() });
    let topic = world.topic("t", 1, &[]);
    let member = Member::join(&world, "group", None, &[&topic]);
    let mut producer = world.transactional("p");
    producer.begin().unwrap();
    let commit = OffsetCommit { partition: topic[0].clone(), offset: 3, metadata: String::new() };
    producer.send_offsets(&[commit], &member.consumer.group_metadata().unwrap()).unwrap();
    let error = world.log.committed(&member.group(), &topic).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("HW0307", ErrorKind::Unavailable), "{error}");
    producer.commit().unwrap();
    assert_eq!(world.log.committed(&member.group(), &topic).unwrap()[&topic[0]].offset, 3);
}

/// With limits that a member breaks within two seconds.
fn impatient(test: &str) -> World {
    let properties = BTreeMap::from([("max.poll.interval.ms".to_owned(), "2000".to_owned())]);
    let session_timeout = Duration::from_secs(2);
    open_with(test, KafkaConfig { properties, session_timeout, ..KafkaConfig::default() })
}

#[test]
fn a_member_that_does_not_poll_loses_its_partitions_and_gets_them_anew() {
    let world = impatient("lost");
    let topic = world.topic("t", 1, &[]);
    let mut member = Member::join(&world, "group", None, &[&topic]);
    std::thread::sleep(Duration::from_secs(3));
    poll_until(&mut *member.consumer, "the loss", |polled| match polled.unwrap() {
        Polled::Lost(partitions) => {
            assert_eq!(partitions, topic);
            Some(())
        }
        Polled::Nothing => None,
        other => panic!("{other:?}"),
    });
    assert_eq!(member.consumer.position(&topic[0]), None);
    member.owned.clear();
    settle(&mut [&mut member], |members| members[0].owned.len() == 1);
}

#[test]
fn a_member_that_was_given_up_cannot_commit_what_it_still_holds() {
    let world = impatient("given-up");
    let topic = world.topic("t", 1, &[]);
    let mut member = Member::join(&world, "group", None, &[&topic]);
    let mut producer = world.transactional("p");
    // The other can only get the partition once the group has given up on the first, which does not poll.
    let mut other = Member::subscribe(&world, "group", None, &[&topic]);
    settle(&mut [&mut other], |members| members[0].owned.len() == 1);
    let commit = OffsetCommit { partition: topic[0].clone(), offset: 9, metadata: String::new() };
    producer.begin().unwrap();
    let error = producer.send_offsets(&[commit], &member.consumer.group_metadata().unwrap()).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("HW0310", ErrorKind::Unavailable), "{error}");
    producer.abort().unwrap();
    // Told late, it may hear of a revocation where a loss is meant; letting go is right for both.
    poll_until(&mut *member.consumer, "the end of its ownership", |polled| match polled.unwrap() {
        Polled::Lost(_) => Some(()),
        Polled::Revoked(partitions) => {
            assert_eq!(partitions, topic);
            Some(())
        }
        _ => None,
    });
}

/// A member in a process of its own.
struct Process {
    child: Child,
    owned: String,
}

impl Process {
    /// Starts it and waits until it owns something.
    fn start(world: &World, instance: &str, topic: &TopicPartition) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["member_process", "--exact", "--ignored", "--nocapture"])
            .env("HEADWATER_BROKERS", KafkaServer::shared().brokers())
            .env("HEADWATER_MEMBER", format!("{}-group {instance} {}", world.name, topic.topic))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let owned =
            lines.filter_map(|line| line.strip_prefix("owns ").map(str::to_owned)).find(|owned| !owned.is_empty());
        Self { child, owned: owned.expect("the process ended") }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
#[ignore = "holds only where the killed process is back within the session: run it on a quiet machine"]
fn a_killed_instance_finds_its_partitions_again_and_nobody_else_notices() {
    let world = open("static");
    let topic = world.topic("t", 4, &[]);
    let mut here = Member::join(&world, "group", Some("here"), &[&topic]);
    let process = std::thread::scope(|scope| {
        let started = scope.spawn(|| Process::start(&world, "there", &topic[0]));
        settle(&mut [&mut here], |members| members[0].owned.len() == 2 && started.is_finished());
        started.join().unwrap()
    });
    let (before, changes) = (process.owned.clone(), here.changes);
    process.kill();
    let returned = Instant::now();
    let process = std::thread::scope(|scope| {
        let started = scope.spawn(|| Process::start(&world, "there", &topic[0]));
        settle(&mut [&mut here], |_| started.is_finished());
        started.join().unwrap()
    });
    println!("back after {:?} with {}", returned.elapsed(), process.owned);
    assert_eq!(process.owned, before);
    assert_eq!((here.changes, here.owned.len()), (changes, 2), "the other member was disturbed");
    process.kill();
}

/// Not a test: the body of the process that the test above starts and kills.
#[test]
#[ignore = "run by another test as a process of its own"]
fn member_process() {
    let (Ok(brokers), Ok(member)) = (std::env::var("HEADWATER_BROKERS"), std::env::var("HEADWATER_MEMBER")) else {
        return;
    };
    let [group, instance, topic] = member.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let log = KafkaLog::connect(&brokers, KafkaConfig::default()).unwrap();
    let config =
        ConsumerConfig { group: Some(group.to_owned()), instance: Some(instance.to_owned()), ..Default::default() };
    let mut consumer = log.consumer(&config).unwrap();
    consumer.subscribe(&[topic.to_owned()]).unwrap();
    println!();
    // The parent kills this process; if it is gone itself, a minute is enough.
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        match consumer.poll(Duration::from_millis(100)).unwrap() {
            Polled::Assigned(partitions) => {
                let names: Vec<_> = partitions.iter().map(ToString::to_string).collect();
                println!("owns {}", names.join(" "));
                std::io::stdout().flush().unwrap();
            }
            Polled::Revoked(partitions) => consumer.release(&partitions).unwrap(),
            _ => {}
        }
    }
}
