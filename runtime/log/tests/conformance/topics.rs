//! Topics, their settings, and removing what is in them.

use std::collections::BTreeMap;

use headwater_core::{ErrorKind, TopicPartition};
use headwater_log::{Isolation, TopicInfo, TopicSpec};

use super::{World, batch, read_to_end};

pub fn topics_are_created_once_listed_and_deleted(world: &World) {
    let topic = world.topic("t", 3, &[]);
    let name = topic[0].topic.to_string();
    world.write(&topic[2], &["stays"]);
    world.topic("t", 3, &[]);
    assert_eq!(world.end(&topic[2]), 1, "creating it again left it alone");
    assert!(world.log.topics().unwrap().contains(&TopicInfo { name: name.clone(), partitions: 3 }));
    let other = TopicSpec { name: name.clone(), partitions: 4, config: BTreeMap::new() };
    let error = world.log.create_topics(&[other]).unwrap_err();
    assert_eq!((error.code(), error.kind()), ("HW0303", ErrorKind::Config), "{error}");
    world.log.delete_topics(&[name.clone(), "never-there".to_owned()]).unwrap();
    assert!(!world.log.topics().unwrap().iter().any(|topic| topic.name == name));
}

pub fn settings_are_checked_and_can_be_altered(world: &World) {
    let name = format!("{}-bad", world.name);
    let config = BTreeMap::from([("retention.m".to_owned(), "1".to_owned())]);
    let error = world.log.create_topics(&[TopicSpec { name: name.clone(), partitions: 1, config }]).unwrap_err();
    assert_eq!(error.code(), "HW0304", "{error}");
    assert!(!world.log.topics().unwrap().iter().any(|topic| topic.name == name));
    let topic = world.topic("t", 1, &[("max.message.bytes", "2000"), ("cleanup.policy", "compact")]);
    let name = topic[0].topic.to_string();
    let large = "x".repeat(10_000);
    let mut producer = world.producer();
    let refused = producer.send(&topic[0], batch(&[&large])).and_then(|()| producer.flush());
    assert_eq!(refused.unwrap_err().code(), "HW0308");
    let alter = |setting: &str, value: &str| {
        world.log.alter_topic(&name, &BTreeMap::from([(setting.to_owned(), value.to_owned())]))
    };
    alter("max.message.bytes", "20000").unwrap();
    let settings = world.log.topic_settings(&name).unwrap();
    let setting = |name: &str| settings.get(name).map(String::as_str);
    assert_eq!((setting("max.message.bytes"), setting("cleanup.policy")), (Some("20000"), Some("compact")));
    assert_eq!(world.log.topic_settings("never-there").unwrap_err().code(), "HW0302");
    world.write(&topic[0], &[&large]);
    assert_eq!(alter("retention.ms", "soon").unwrap_err().code(), "HW0304");
    let missing = world.log.alter_topic("never-there", &BTreeMap::new()).unwrap_err();
    assert_eq!(missing.code(), "HW0302", "{missing}");
}

pub fn what_does_not_exist_is_named(world: &World) {
    let topic = world.topic("t", 1, &[]);
    let no_topic = TopicPartition::new("never-there", 0);
    let no_partition = TopicPartition::new(&*topic[0].topic, 7);
    for missing in [&no_topic, &no_partition] {
        let one = std::slice::from_ref(missing);
        let mut consumer = world.reader(&[]);
        let mut producer = world.producer();
        let errors = [
            world.log.start_offsets(one).unwrap_err(),
            world.log.end_offsets(one, Isolation::ReadCommitted).unwrap_err(),
            world.log.offsets_for_times(&[(missing.clone(), 0)]).unwrap_err(),
            world.log.delete_records(&[(missing.clone(), 0)]).unwrap_err(),
            consumer.assign(&[(missing.clone(), 0)]).unwrap_err(),
            producer.send(missing, batch(&["x"])).and_then(|()| producer.flush()).unwrap_err(),
        ];
        for error in errors {
            assert_eq!((error.code(), error.kind()), ("HW0302", ErrorKind::Config), "{error}");
            assert!(error.to_string().contains(&*missing.topic), "{error}");
        }
    }
    let group = Some(format!("{}-group", world.name));
    let mut member = world.log.consumer(&headwater_log::ConsumerConfig { group, ..Default::default() }).unwrap();
    assert_eq!(member.subscribe(&["never-there".to_owned()]).unwrap_err().code(), "HW0302");
    assert!(world.log.committed("no-group", &topic).unwrap().is_empty());
}

pub fn deleted_records_are_gone_and_the_rest_stays(world: &World) {
    let topic = world.topic("t", 2, &[]);
    world.write(&topic[0], &["0", "1", "2", "3"]);
    world.write(&topic[0], &["4", "5"]);
    world.write(&topic[1], &["other"]);
    world.log.delete_records(&[(topic[0].clone(), 2)]).unwrap();
    assert_eq!(world.log.start_offsets(&topic).unwrap().into_values().collect::<Vec<_>>(), [2, 0]);
    assert_eq!(world.values(&topic[0]), ["2", "3", "4", "5"]);
    let error = world.log.delete_records(&[(topic[0].clone(), 7)]).unwrap_err();
    assert_eq!(error.code(), "HW0305", "{error}");
    world.log.delete_records(&[(topic[0].clone(), 6)]).unwrap();
    assert_eq!((world.log.start_offsets(&topic).unwrap()[&topic[0]], world.end(&topic[0])), (6, 6));
    world.write(&topic[0], &["6"]);
    let read = read_to_end(&*world.log, &mut *world.reader(&topic), &topic[0]);
    assert_eq!((read.len(), read[0].offset, read[0].value()), (1, 6, "6".into()));
    assert_eq!(world.values(&topic[1]), ["other"]);
}

pub fn a_topic_created_again_is_empty(world: &World) {
    let topic = world.topic("t", 1, &[]);
    world.write(&topic[0], &["old", "older"]);
    world.log.delete_topics(&[topic[0].topic.to_string()]).unwrap();
    world.topic("t", 1, &[]);
    assert_eq!(world.end(&topic[0]), 0);
    world.write(&topic[0], &["new"]);
    assert_eq!(world.values(&topic[0]), ["new"]);
}
