//! Opening the embedded log, and its administration.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use headwater_core::{Clock, Offset, Result, Timestamp, TopicPartition, check_name};
use rocksdb::WriteBatch;

use super::{
    catalog::{Topic, damaged},
    consumer::EmbeddedConsumer,
    engine::Engine,
    keeper::{self, Keeper},
    keys, locks, offsets,
    producer::EmbeddedProducer,
    read, retention,
    settings::TopicSettings,
    storage::Storage,
};
use crate::{
    CommittedOffset, Consumer, ConsumerConfig, Isolation, Log, OffsetCommit, Producer, ProducerConfig, TopicInfo,
    TopicSpec, errors,
};

/// Settings of the embedded log.
#[derive(Debug, Clone)]
pub struct EmbeddedConfig {
    /// Whether a commit outlasts a power cut when it returns (about 0.2 ms each). Without it, it still outlasts
    /// kill -9. Default: true.
    pub durable: bool,
    /// Bytes of records held in memory before they go to a file. Default: 48 MiB.
    pub memory_bytes: usize,
    /// Bytes of the newest records kept in memory for those who read along. Default: 16 MiB.
    pub tail_bytes: usize,
    /// How often the topics' retention settings are enforced. Default: 5 min.
    pub retention_interval: Duration,
}

impl Default for EmbeddedConfig {
    fn default() -> Self {
        Self {
            durable: true,
            memory_bytes: 48 << 20,
            tail_bytes: 16 << 20,
            retention_interval: Duration::from_secs(300),
        }
    }
}

/// A log inside this process, stored in one directory. Closed when it and all its consumers and producers are
/// dropped. Topics keep their records for ever unless `retention.ms` or `retention.bytes` is set.
pub struct EmbeddedLog {
    // Dropped first: its thread must not be the last to hold the engine.
    keeper: Keeper,
    engine: Arc<Engine>,
}

impl std::fmt::Debug for EmbeddedLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedLog").field("dir", &self.engine.storage.dir()).finish_non_exhaustive()
    }
}

impl EmbeddedLog {
    /// Opens the log in `dir`, creating it if there is none.
    ///
    /// # Errors
    /// `HW0313` if another process (or this one) has it open, `HW0314` if the directory cannot be written, `HW0316`
    /// if it is damaged, `HW0320` if another version wrote it.
    pub fn open(dir: &Path, config: EmbeddedConfig, clock: Arc<dyn Clock>) -> Result<Arc<Self>> {
        let storage = Storage::open(dir, &config)?;
        let interval = config.retention_interval;
        let engine = Arc::new(Engine::new(storage, config, clock)?);
        let keeper = Keeper::start(&engine, interval)?;
        Ok(Arc::new(Self { keeper, engine }))
    }

    /// Enforces the topics' retention settings now and gives the disk space back before it returns.
    ///
    /// # Errors
    /// If the directory cannot be read or written.
    pub fn enforce_retention(&self) -> Result<()> {
        keeper::reclaim(&self.engine, &retention::enforce(&self.engine)?)
    }

    fn create(&self, specs: &[TopicSpec]) -> Result<()> {
        let engine = &self.engine;
        let mut next = match engine.storage.get(keys::NEXT_TOPIC)? {
            None => 1,
            Some(value) => {
                <[u8; 4]>::try_from(value).map(u32::from_le_bytes).map_err(|_| damaged(&engine.storage, "a counter"))?
            }
        };
        let mut write = WriteBatch::default();
        let mut created = Vec::new();
        for spec in specs {
            check_name("topic", &spec.name)?;
            if spec.partitions < 1 {
                return Err(errors::bad_setting(&spec.name, "partitions", format!("is {}", spec.partitions)));
            }
            match engine.catalog.topic(&spec.name) {
                None => {
                    created.push(Topic::create(&mut write, next, &spec.name, spec.partitions, &spec.config)?);
                    next += 1;
                }
                Some(topic) if topic.partitions.len() as i32 == spec.partitions => {}
                Some(topic) => {
                    let has = topic.partitions.len() as i32;
                    return Err(errors::other_partition_count(&spec.name, has, spec.partitions));
                }
            }
        }
        if created.is_empty() {
            return Ok(());
        }
        write.put(keys::NEXT_TOPIC, next.to_le_bytes());
        engine.storage.write(write, engine.config.durable)?;
        created.into_iter().for_each(|topic| engine.catalog.insert(topic));
        Ok(())
    }
}

impl Log for EmbeddedLog {
    fn describe(&self) -> String {
        self.engine.describe()
    }

    fn create_topics(&self, topics: &[TopicSpec]) -> Result<()> {
        self.engine.alone(|| self.create(topics))
    }

    fn delete_topics(&self, topics: &[String]) -> Result<()> {
        for name in topics {
            if let Some(topic) = self.engine.catalog.topic(name) {
                self.keeper.reclaim(vec![retention::delete_topic(&self.engine, &topic)?]);
            }
        }
        Ok(())
    }

    fn topics(&self) -> Result<Vec<TopicInfo>> {
        let info = |topic: &Arc<Topic>| TopicInfo {
            name: topic.shared.name.to_string(),
            partitions: topic.partitions.len() as i32,
        };
        Ok(self.engine.catalog.all().iter().map(info).collect())
    }

    fn alter_topic(&self, name: &str, config: &BTreeMap<String, String>) -> Result<()> {
        let engine = &self.engine;
        engine.alone(|| {
            let topic = engine.catalog.topic(name).ok_or_else(|| errors::no_such_topic(&self.describe(), name))?;
            let mut raw = locks::read(&topic.shared.settings).raw.clone();
            raw.extend(config.clone());
            let settings = TopicSettings::parse(name, &raw)?;
            let mut write = WriteBatch::default();
            topic.store(&mut write, &settings)?;
            engine.storage.write(write, engine.config.durable)?;
            *locks::write(&topic.shared.settings) = settings;
            Ok(())
        })
    }

    fn topic_settings(&self, name: &str) -> Result<BTreeMap<String, String>> {
        let topic = self.engine.catalog.topic(name).ok_or_else(|| errors::no_such_topic(&self.describe(), name))?;
        Ok(locks::read(&topic.shared.settings).raw.clone())
    }

    fn start_offsets(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, Offset>> {
        partitions.iter().map(|name| Ok((name.clone(), self.engine.partition(name)?.start()))).collect()
    }

    fn end_offsets(
        &self,
        partitions: &[TopicPartition],
        _isolation: Isolation,
    ) -> Result<BTreeMap<TopicPartition, Offset>> {
        // An open transaction is not in the log yet, so both isolations see the same. Between two commits, the ends
        // of all partitions belong together.
        self.engine
            .alone(|| partitions.iter().map(|name| Ok((name.clone(), self.engine.partition(name)?.end()))).collect())
    }

    fn offsets_for_times(&self, times: &[(TopicPartition, Timestamp)]) -> Result<BTreeMap<TopicPartition, Offset>> {
        let find = |name: &TopicPartition, time| {
            read::offset_for_time(&self.engine.storage, &*self.engine.partition(name)?, time)
        };
        times.iter().map(|(name, time)| Ok((name.clone(), find(name, *time)?))).collect()
    }

    fn delete_records(&self, before: &[(TopicPartition, Offset)]) -> Result<()> {
        self.keeper.reclaim(retention::delete_records(&self.engine, before)?);
        Ok(())
    }

    fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, CommittedOffset>> {
        self.engine.alone(|| self.engine.committed(group, partitions))
    }

    fn reset_offsets(&self, group: &str, commits: &[OffsetCommit]) -> Result<()> {
        let engine = &self.engine;
        engine.alone(|| {
            if engine.groups.is_active(group) {
                return Err(errors::group_active(group));
            }
            let mut write = WriteBatch::default();
            for commit in commits {
                let id = engine.partition(&commit.partition)?.id;
                write.put(keys::group_offset(group, id), offsets::encode(commit.offset, &commit.metadata));
            }
            engine.storage.write(write, engine.config.durable)
        })
    }

    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>> {
        Ok(Box::new(EmbeddedConsumer::new(Arc::clone(&self.engine), config.clone())))
    }

    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>> {
        Ok(Box::new(EmbeddedProducer::open(Arc::clone(&self.engine), config)?))
    }
}
