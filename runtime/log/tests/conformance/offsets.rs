//! Offsets by time and by group.

use headwater_core::{BatchBuilder, Headers};
use headwater_log::OffsetCommit;

use super::World;

pub fn offsets_for_times_are_exact(world: &World) {
    let topic = world.topic("t", 2, &[]);
    let mut producer = world.producer();
    // Not in order of time, in batches of two.
    for pair in [[100, 50], [80, 300], [200, 120], [310, 305]] {
        let mut builder = BatchBuilder::new();
        for timestamp in pair {
            builder.push(timestamp, None, Some(b"v"), &Headers::new());
        }
        producer.send(&topic[0], builder.take().unwrap()).unwrap();
        producer.flush().unwrap();
    }
    let at = |time| world.log.offsets_for_times(&[(topic[0].clone(), time)]).unwrap()[&topic[0]];
    let found: Vec<_> = [0, 100, 101, 300, 301, 310, 311].into_iter().map(at).collect();
    assert_eq!(found, [0, 0, 3, 3, 6, 6, 8]);
    assert_eq!(world.log.offsets_for_times(&[(topic[1].clone(), 5)]).unwrap()[&topic[1]], 0);
    world.log.delete_records(&[(topic[0].clone(), 5)]).unwrap();
    let found: Vec<_> = [0, 150, 308, 311].into_iter().map(at).collect();
    assert_eq!(found, [5, 6, 6, 8]);
}

pub fn committed_offsets_carry_metadata_and_are_absent_where_there_are_none(world: &World) {
    let topic = world.topic("t", 2, &[]);
    world.write(&topic[0], &["0", "1"]);
    let group = format!("{}-group", world.name);
    let commit = |metadata: &str| OffsetCommit { partition: topic[0].clone(), offset: 2, metadata: metadata.into() };
    world.log.reset_offsets(&group, &[commit("half way")]).unwrap();
    let committed = world.log.committed(&group, &topic).unwrap();
    assert_eq!(committed.len(), 1);
    assert_eq!((committed[&topic[0]].offset, committed[&topic[0]].metadata.as_str()), (2, "half way"));
    assert!(world.log.committed(&format!("{group}-2"), &topic).unwrap().is_empty());
    let mut member = world
        .log
        .consumer(&headwater_log::ConsumerConfig { group: Some(group.clone()), ..Default::default() })
        .unwrap();
    member.subscribe(&[topic[0].topic.to_string()]).unwrap();
    super::poll_until(&mut *member, "an assignment", |polled| {
        matches!(polled.unwrap(), headwater_log::Polled::Assigned(_)).then_some(())
    });
    let error = world.log.reset_offsets(&group, &[commit("")]).unwrap_err();
    assert_eq!(error.code(), "HW0317", "{error}");
}
