//! Consumer groups.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use headwater_core::{ErrorKind, TopicPartition};
use headwater_log::{Consumer, ConsumerConfig, OffsetCommit, Polled};

use super::{PATIENCE, World, batch, poll_until, records};

/// A member that keeps track of what it owns and lets go when asked.
pub struct Member {
    pub consumer: Box<dyn Consumer>,
    pub owned: BTreeSet<TopicPartition>,
    /// How often something was assigned or taken away.
    pub changes: usize,
    group: String,
}

impl Member {
    /// Subscribes, without waiting for an assignment.
    pub fn subscribe(world: &World, group: &str, instance: Option<&str>, topics: &[&[TopicPartition]]) -> Self {
        let group = format!("{}-{group}", world.name);
        let instance = instance.map(str::to_owned);
        let config = ConsumerConfig { group: Some(group.clone()), instance, ..ConsumerConfig::default() };
        let mut consumer = world.log.consumer(&config).unwrap();
        consumer.subscribe(&topics.iter().map(|topic| topic[0].topic.to_string()).collect::<Vec<_>>()).unwrap();
        Self { consumer, owned: BTreeSet::new(), changes: 0, group }
    }

    /// A lone member with its assignment.
    pub fn join(world: &World, group: &str, instance: Option<&str>, topics: &[&[TopicPartition]]) -> Self {
        let mut member = Self::subscribe(world, group, instance, topics);
        let all: usize = topics.iter().map(|topic| topic.len()).sum();
        settle(&mut [&mut member], |members| members[0].owned.len() == all);
        member
    }

    pub fn group(&self) -> String {
        self.group.clone()
    }

    /// One poll; records are dropped.
    fn step(&mut self) {
        match self.consumer.poll(Duration::from_millis(20)).unwrap() {
            Polled::Assigned(partitions) => {
                self.changes += 1;
                for partition in partitions {
                    assert!(self.owned.insert(partition.clone()), "{partition} was assigned twice");
                }
            }
            Polled::Revoked(partitions) => {
                self.changes += 1;
                for partition in &partitions {
                    assert!(self.owned.remove(partition), "{partition} was not owned");
                }
                self.consumer.release(&partitions).unwrap();
            }
            Polled::Lost(partitions) => panic!("lost {partitions:?}"),
            Polled::Records(_) | Polled::Nothing => {}
        }
    }
}

/// Polls all members until they are as wanted. No partition may ever have two owners.
pub fn settle(members: &mut [&mut Member], wanted: impl Fn(&[&mut Member]) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !wanted(members) {
        for index in 0..members.len() {
            members[index].step();
            let total: usize = members.iter().map(|member| member.owned.len()).sum();
            let distinct: BTreeSet<_> = members.iter().flat_map(|member| &member.owned).collect();
            assert_eq!(total, distinct.len(), "a partition has two owners");
        }
        let owned: Vec<_> = members.iter().map(|member| &member.owned).collect();
        assert!(Instant::now() < deadline, "the group does not settle: {owned:?}");
    }
}

fn numbers(member: &Member, topic: &[TopicPartition]) -> Vec<i32> {
    member.owned.iter().filter(|p| p.topic == topic[0].topic).map(|p| p.partition).collect()
}

pub fn a_lone_member_gets_everything_from_the_committed_offset(world: &World) {
    let topic = world.topic("t", 2, &[]);
    world.write(&topic[0], &["0", "1", "2"]);
    world.write(&topic[1], &["other"]);
    let group = format!("{}-group", world.name);
    let commit = OffsetCommit { partition: topic[0].clone(), offset: 2, metadata: String::new() };
    world.log.reset_offsets(&group, &[commit]).unwrap();
    let mut member = Member::join(world, "group", None, &[&topic]);
    assert_eq!(member.consumer.position(&topic[0]), Some(2), "known when assigned");
    assert_eq!(member.consumer.position(&topic[1]), Some(0));
    let mut seen = BTreeSet::new();
    poll_until(&mut *member.consumer, "both records", |polled| {
        if let Polled::Records(batches) = polled.unwrap() {
            seen.extend(records(&batches).into_values().flatten().map(|record| record.value()));
        }
        (seen.len() == 2).then_some(())
    });
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["2", "other"]);
}

pub fn two_members_share_and_equal_numbers_stay_together(world: &World) {
    let (a, b) = (world.topic("a", 4, &[]), world.topic("b", 4, &[]));
    let mut first = Member::join(world, "group", Some("one"), &[&a, &b]);
    let mut second = Member::subscribe(world, "group", Some("two"), &[&a, &b]);
    settle(&mut [&mut first, &mut second], |m| m[0].owned.len() == 4 && m[1].owned.len() == 4);
    assert_eq!((numbers(&first, &a), numbers(&first, &b)), (vec![0, 1], vec![0, 1]));
    assert_eq!((numbers(&second, &a), numbers(&second, &b)), (vec![2, 3], vec![2, 3]));
    let mut third = Member::subscribe(world, "group", Some("zzz"), &[&a, &b]);
    settle(&mut [&mut first, &mut second, &mut third], |m| m[2].owned.len() == 2 && m[0].owned.len() == 4);
    assert_eq!(numbers(&third, &a), numbers(&third, &b));
}

pub fn work_is_handed_over_with_its_commit(world: &World) {
    let topic = world.topic("t", 2, &[]);
    world.write(&topic[1], &["0", "1", "2"]);
    let mut first = Member::join(world, "group", Some("a"), &[&topic]);
    let mut second = Member::subscribe(world, "group", Some("b"), &[&topic]);
    let mut producer = world.transactional("p");
    // The first is asked to give up; before it releases, it commits.
    let revoked = poll_until(&mut *first.consumer, "a revocation", |polled| match polled.unwrap() {
        Polled::Revoked(partitions) => Some(partitions),
        Polled::Assigned(partitions) => panic!("assigned {partitions:?}"),
        _ => None,
    });
    assert!(revoked.contains(&topic[1]));
    assert!(!matches!(second.consumer.poll(Duration::from_millis(300)).unwrap(), Polled::Assigned(p) if !p.is_empty()));
    producer.begin().unwrap();
    let commit = OffsetCommit { partition: topic[1].clone(), offset: 2, metadata: String::new() };
    producer.send_offsets(&[commit], &first.consumer.group_metadata().unwrap()).unwrap();
    producer.commit().unwrap();
    first.owned.retain(|partition| !revoked.contains(partition));
    first.consumer.release(&revoked).unwrap();
    settle(&mut [&mut first, &mut second], |m| m[0].owned.len() == 1 && m[1].owned.len() == 1);
    assert!(second.owned.contains(&topic[1]));
    let position = second.consumer.position(&topic[1]).unwrap();
    assert!(position >= 2, "the second starts where the first committed, not at {position}");
}

pub fn a_former_owner_cannot_commit(world: &World) {
    let topic = world.topic("t", 2, &[]);
    let mut first = Member::join(world, "group", Some("a"), &[&topic]);
    let outdated = first.consumer.group_metadata().unwrap();
    let mut second = Member::subscribe(world, "group", Some("b"), &[&topic]);
    settle(&mut [&mut first, &mut second], |m| m[0].owned.len() == 1 && m[1].owned.len() == 1);
    let commit =
        |partition: &TopicPartition| OffsetCommit { partition: partition.clone(), offset: 1, metadata: String::new() };
    let mut producer = world.transactional("p");
    let fresh = first.consumer.group_metadata().unwrap();
    for (offsets, metadata) in [(commit(&topic[0]), &outdated), (commit(&topic[1]), &fresh)] {
        producer.begin().unwrap();
        let error = producer.send_offsets(&[offsets], metadata).unwrap_err();
        assert_eq!((error.code(), error.kind()), ("HW0310", ErrorKind::Unavailable), "{error}");
        producer.abort().unwrap();
    }
    producer.begin().unwrap();
    producer.send_offsets(&[commit(&topic[0])], &first.consumer.group_metadata().unwrap()).unwrap();
    producer.commit().unwrap();
    let committed = world.log.committed(&first.group(), &topic).unwrap();
    assert_eq!(committed.into_keys().collect::<Vec<_>>(), [topic[0].clone()]);
}

pub fn a_dropped_members_partitions_move_on(world: &World) {
    let topic = world.topic("t", 4, &[]);
    let mut first = Member::join(world, "group", None, &[&topic]);
    let mut second = Member::subscribe(world, "group", None, &[&topic]);
    settle(&mut [&mut first, &mut second], |m| m[0].owned.len() == 2 && m[1].owned.len() == 2);
    first.consumer.close(PATIENCE);
    settle(&mut [&mut second], |m| m[0].owned.len() == 4);
    world.write(&topic[3], &["still read"]);
    let read = poll_until(&mut *second.consumer, "a record", |polled| match polled.unwrap() {
        Polled::Records(batches) => records(&batches).remove(&topic[3]),
        _ => None,
    });
    assert_eq!(read[0].value(), "still read");
}

pub fn a_second_consumer_of_an_instance_name_takes_over(world: &World) {
    let topic = world.topic("t", 2, &[]);
    let mut first = Member::join(world, "group", Some("same"), &[&topic]);
    let mut second = Member::subscribe(world, "group", Some("same"), &[&topic]);
    settle(&mut [&mut second], |m| m[0].owned.len() == 2);
    let error = poll_until(&mut *first.consumer, "an error", Result::err);
    assert_eq!((error.code(), error.kind()), ("HW0315", ErrorKind::Fenced), "{error}");
    world.write(&topic[0], &["for the second"]);
    poll_until(&mut *second.consumer, "a record", |polled| matches!(polled.unwrap(), Polled::Records(_)).then_some(()));
}

pub fn a_returning_instance_gets_its_partitions_back(world: &World) {
    let topic = world.topic("t", 2, &[]);
    let mut first = Member::join(world, "group", Some("a"), &[&topic]);
    let mut second = Member::subscribe(world, "group", Some("b"), &[&topic]);
    settle(&mut [&mut first, &mut second], |m| m[0].owned.len() == 1 && m[1].owned.len() == 1);
    let before = first.owned.clone();
    first.consumer.close(PATIENCE);
    let mut again = Member::subscribe(world, "group", Some("a"), &[&topic]);
    settle(&mut [&mut again, &mut second], |m| m[0].owned.len() == 1 && m[1].owned.len() == 1);
    assert_eq!(again.owned, before);
    let mut producer = world.producer();
    producer.send(&topic[0], batch(&["x"])).unwrap();
    producer.flush().unwrap();
    poll_until(&mut *again.consumer, "a record", |polled| matches!(polled.unwrap(), Polled::Records(_)).then_some(()));
}
