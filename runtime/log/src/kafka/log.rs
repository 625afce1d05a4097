//! Connecting to Kafka.

use std::{collections::BTreeMap, sync::Arc};

use headwater_core::{Offset, Result, Timestamp, TopicPartition};

use super::{
    admin::Admin,
    config::{Clients, KafkaConfig},
    consumer::KafkaConsumer,
    errors as kafka_errors,
    offsets::{Offsets, Wanted},
    producer::KafkaProducer,
};
use crate::{
    CommittedOffset, Consumer, ConsumerConfig, Isolation, Log, OffsetCommit, Producer, ProducerConfig, TopicInfo,
    TopicSpec,
};

/// Apache Kafka as the log.
pub struct KafkaLog {
    clients: Clients,
    admin: Arc<Admin>,
    offsets: Offsets,
}

impl std::fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaLog").field("brokers", &self.clients.brokers()).finish_non_exhaustive()
    }
}

impl KafkaLog {
    /// Connects to the cluster with these bootstrap brokers (`HOST:PORT`, several with commas).
    ///
    /// # Errors
    /// `HW0301` if none answers within `connect_timeout`, `HW0322` if a client property is not accepted.
    pub fn connect(brokers: &str, config: KafkaConfig) -> Result<Arc<Self>> {
        let clients = Clients::new(brokers, config);
        let admin = Admin::open(clients.clone())?;
        admin.connect()?;
        let offsets = Offsets::new(clients.clone());
        Ok(Arc::new(Self { clients, admin: Arc::new(admin), offsets }))
    }

    fn list(
        &self,
        partitions: &[TopicPartition],
        wanted: Wanted,
        isolation: Isolation,
    ) -> Result<BTreeMap<TopicPartition, Offset>> {
        self.admin.check_partitions(partitions.iter())?;
        let wanted: Vec<_> = partitions.iter().map(|partition| (partition.clone(), wanted)).collect();
        self.offsets.list(&wanted, isolation)
    }
}

impl Log for KafkaLog {
    fn describe(&self) -> String {
        kafka_errors::kafka(self.clients.brokers())
    }

    fn create_topics(&self, topics: &[TopicSpec]) -> Result<()> {
        self.admin.create(topics)
    }

    fn delete_topics(&self, topics: &[String]) -> Result<()> {
        self.admin.delete(topics)
    }

    fn topics(&self) -> Result<Vec<TopicInfo>> {
        self.admin.topics()
    }

    fn alter_topic(&self, topic: &str, config: &BTreeMap<String, String>) -> Result<()> {
        self.admin.alter(topic, config)
    }

    fn topic_settings(&self, topic: &str) -> Result<BTreeMap<String, String>> {
        self.admin.settings(topic)
    }

    fn start_offsets(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, Offset>> {
        self.list(partitions, Wanted::Start, Isolation::ReadCommitted)
    }

    fn end_offsets(
        &self,
        partitions: &[TopicPartition],
        isolation: Isolation,
    ) -> Result<BTreeMap<TopicPartition, Offset>> {
        self.list(partitions, Wanted::End, isolation)
    }

    fn offsets_for_times(&self, times: &[(TopicPartition, Timestamp)]) -> Result<BTreeMap<TopicPartition, Offset>> {
        self.admin.check_partitions(times.iter().map(|(partition, _)| partition))?;
        let wanted: Vec<_> = times.iter().map(|(partition, time)| (partition.clone(), Wanted::AtTime(*time))).collect();
        self.offsets.list(&wanted, Isolation::ReadCommitted)
    }

    fn delete_records(&self, before: &[(TopicPartition, Offset)]) -> Result<()> {
        self.admin.delete_records(before)
    }

    fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, CommittedOffset>> {
        self.offsets.committed(group, partitions)
    }

    fn reset_offsets(&self, group: &str, offsets: &[OffsetCommit]) -> Result<()> {
        self.offsets.reset(group, offsets)
    }

    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>> {
        Ok(Box::new(KafkaConsumer::open(self.clients.clone(), Arc::clone(&self.admin), config.clone())?))
    }

    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>> {
        Ok(Box::new(KafkaProducer::open(&self.clients, Arc::clone(&self.admin), config)?))
    }
}
