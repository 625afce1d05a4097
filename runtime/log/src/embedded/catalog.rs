//! The topics and where their partitions begin and end.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use headwater_core::{Error, ErrorKind, Offset, Result, Timestamp, TopicPartition};
use rocksdb::WriteBatch;
use serde::{Deserialize, Serialize};

use super::{
    keys::{self, PartitionId},
    locks,
    settings::TopicSettings,
    storage::Storage,
    tail::Tail,
};

/// What all partitions of a topic share.
pub(super) struct Shared {
    pub name: Arc<str>,
    pub settings: RwLock<TopicSettings>,
    pub deleted: AtomicBool,
}

/// A topic.
pub(super) struct Topic {
    pub id: u32,
    pub shared: Arc<Shared>,
    pub partitions: Vec<Arc<Partition>>,
}

/// A partition. Its offsets change only while the writer's turn is held; readers see an end only once what lies
/// before it has been written.
pub(super) struct Partition {
    pub id: PartitionId,
    pub name: TopicPartition,
    pub topic: Arc<Shared>,
    start: AtomicI64,
    end: AtomicI64,
    newest: AtomicI64,
    /// The bytes of its batches, counted once somebody asked for them.
    pub bytes: Mutex<Option<u64>>,
    /// Its newest batches.
    pub tail: Tail,
}

impl Partition {
    pub fn start(&self) -> Offset {
        self.start.load(Ordering::Acquire)
    }

    pub fn end(&self) -> Offset {
        self.end.load(Ordering::Acquire)
    }

    /// The greatest timestamp ever written.
    pub fn newest(&self) -> Timestamp {
        self.newest.load(Ordering::Acquire)
    }

    pub fn deleted(&self) -> bool {
        self.topic.deleted.load(Ordering::Acquire)
    }

    pub fn grow(&self, end: Offset, newest: Timestamp) {
        self.newest.store(newest, Ordering::Release);
        self.end.store(end, Ordering::Release);
    }

    pub fn cut(&self, start: Offset) {
        self.start.store(start, Ordering::Release);
    }
}

/// A topic as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredTopic {
    id: u32,
    partitions: u32,
    config: BTreeMap<String, String>,
}

const STORED_TOPIC_FORMAT: u8 = 1;

/// All topics by name.
#[derive(Default)]
pub(super) struct Catalog(RwLock<BTreeMap<Arc<str>, Arc<Topic>>>);

impl Catalog {
    /// Reads the topics and offsets that are stored.
    pub fn load(storage: &Storage) -> Result<Self> {
        let ends = offsets(storage, keys::ENDS)?;
        let starts = offsets(storage, keys::STARTS)?;
        let mut topics = BTreeMap::new();
        storage.scan(&[keys::TOPICS], &[keys::TOPICS + 1], |key, value| {
            let name = key.get(1..).and_then(|name| std::str::from_utf8(name).ok());
            let stored = value.split_first().filter(|(format, _)| **format == STORED_TOPIC_FORMAT);
            let stored = stored.and_then(|(_, json)| serde_json::from_slice::<StoredTopic>(json).ok());
            let (Some(name), Some(stored)) = (name, stored) else {
                return Err(damaged(storage, "a topic's description"));
            };
            let topic = Topic::new(name, &stored)?;
            for partition in &topic.partitions {
                let offset = |of: &BTreeMap<_, _>| of.get(&(partition.id.topic, partition.id.partition)).copied();
                let newest = storage.last(&partition.id.time(Timestamp::MIN), &partition.id.past_times())?;
                let newest = newest.and_then(|(key, _)| keys::time_of(&key)).unwrap_or(Timestamp::MIN);
                partition.grow(offset(&ends).unwrap_or(0), newest);
                partition.cut(offset(&starts).unwrap_or(0));
            }
            topics.insert(Arc::clone(&topic.shared.name), Arc::new(topic));
            Ok(())
        })?;
        Ok(Self(RwLock::new(topics)))
    }

    pub fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        locks::read(&self.0).get(name).cloned()
    }

    pub fn partition(&self, of: &TopicPartition) -> Option<Arc<Partition>> {
        let topics = locks::read(&self.0);
        topics.get(&of.topic)?.partitions.get(usize::try_from(of.partition).ok()?).cloned()
    }

    pub fn all(&self) -> Vec<Arc<Topic>> {
        locks::read(&self.0).values().cloned().collect()
    }

    /// Makes a stored topic known.
    pub fn insert(&self, topic: Topic) {
        locks::write(&self.0).insert(Arc::clone(&topic.shared.name), Arc::new(topic));
    }

    /// Forgets a topic; whoever holds one of its partitions sees `deleted`.
    pub fn remove(&self, name: &str) {
        if let Some(topic) = locks::write(&self.0).remove(name) {
            topic.shared.deleted.store(true, Ordering::Release);
        }
    }
}

impl Topic {
    fn new(name: &str, stored: &StoredTopic) -> Result<Self> {
        let shared = Arc::new(Shared {
            name: name.into(),
            settings: RwLock::new(TopicSettings::parse(name, &stored.config)?),
            deleted: AtomicBool::new(false),
        });
        let partition = |number: u32| {
            Arc::new(Partition {
                id: PartitionId { topic: stored.id, partition: number },
                name: TopicPartition::new(Arc::clone(&shared.name), number.cast_signed()),
                topic: Arc::clone(&shared),
                start: AtomicI64::new(0),
                end: AtomicI64::new(0),
                newest: AtomicI64::new(Timestamp::MIN),
                bytes: Mutex::new(None),
                tail: Tail::default(),
            })
        };
        Ok(Self { id: stored.id, partitions: (0..stored.partitions).map(partition).collect(), shared })
    }

    /// A new topic, put into `batch`.
    pub fn create(
        batch: &mut WriteBatch,
        id: u32,
        name: &str,
        partitions: i32,
        config: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let stored = StoredTopic { id, partitions: partitions.cast_unsigned(), config: config.clone() };
        let topic = Self::new(name, &stored)?;
        put(batch, name, &stored)?;
        Ok(topic)
    }

    /// Puts the topic with other settings into `batch`.
    pub fn store(&self, batch: &mut WriteBatch, settings: &TopicSettings) -> Result<()> {
        let partitions = self.partitions.len() as u32;
        let stored = StoredTopic { id: self.id, partitions, config: settings.raw.clone() };
        put(batch, &self.shared.name, &stored)
    }
}

fn put(batch: &mut WriteBatch, name: &str, stored: &StoredTopic) -> Result<()> {
    let mut value = vec![STORED_TOPIC_FORMAT];
    serde_json::to_writer(&mut value, stored).map_err(|error| {
        Error::new(ErrorKind::Internal, "HW0324", format!("topic {name:?} cannot be described")).caused_by(error)
    })?;
    batch.put(keys::topic(name), value);
    Ok(())
}

/// The values of all keys that begin with `tag`, by (topic, partition).
fn offsets(storage: &Storage, tag: u8) -> Result<BTreeMap<(u32, u32), Offset>> {
    let mut found = BTreeMap::new();
    storage.scan(&[tag], &[tag + 1], |key, value| {
        let id = key.get(1..).and_then(PartitionId::parse);
        let (Some(id), Ok(offset)) = (id, <[u8; 8]>::try_from(value)) else {
            return Err(damaged(storage, "an end or start offset"));
        };
        found.insert((id.topic, id.partition), Offset::from_le_bytes(offset));
        Ok(())
    })?;
    Ok(found)
}

pub(super) fn damaged(storage: &Storage, what: &str) -> Error {
    let dir = storage.dir().display();
    Error::new(ErrorKind::State, "HW0316", format!("the log in {dir} is damaged: {what} cannot be read"))
        .help("the disk or another program changed its files; restore the directory from a copy")
}
