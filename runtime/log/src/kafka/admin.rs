//! Topics in Kafka.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::executor::block_on;
use headwater_core::{Error, ErrorKind, Offset, Result, TopicPartition};
use rdkafka::{
    TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    error::KafkaError,
    topic_partition_list::Offset as KafkaOffset,
    types::RDKafkaErrorCode as Code,
};

use super::{config::Clients, context::Requests, errors as kafka_errors, ffi, offsets};
use crate::{TopicInfo, TopicSpec, errors};

/// Between two looks at what a change of topics has come to.
const STEP: Duration = Duration::from_millis(10);

/// The client for topics.
pub(super) struct Admin {
    client: AdminClient<Requests>,
    clients: Clients,
}

impl Admin {
    pub fn open(clients: Clients) -> Result<Self> {
        let client = clients.admin().create_with_context(Requests).map_err(|error| offsets::config(&error))?;
        Ok(Self { client, clients })
    }

    fn kafka(&self) -> String {
        kafka_errors::kafka(self.clients.brokers())
    }

    fn failed(&self, what: &str, error: &KafkaError) -> Error {
        let code = match error {
            KafkaError::AdminOp(code) => Some(*code),
            other => other.rdkafka_error_code(),
        };
        kafka_errors::request_code(what, self.clients.brokers(), code, error)
    }

    fn options(&self) -> AdminOptions {
        let timeout = Some(self.clients.config().request_timeout);
        AdminOptions::new().request_timeout(timeout).operation_timeout(timeout)
    }

    /// All topics with their partition counts; those without a leader for every partition have count 0.
    fn all(&self, timeout: Duration) -> std::result::Result<BTreeMap<String, i32>, KafkaError> {
        let metadata = self.client.inner().fetch_metadata(None, timeout)?;
        let count = |topic: &rdkafka::metadata::MetadataTopic| {
            let led = topic.partitions().iter().all(|partition| partition.leader() >= 0);
            if led { topic.partitions().len() as i32 } else { 0 }
        };
        let there = metadata.topics().iter().filter(|topic| topic.error().is_none());
        Ok(there.map(|topic| (topic.name().to_owned(), count(topic))).collect())
    }

    /// Waits for the first answer of a broker.
    pub fn connect(&self) -> Result<()> {
        let timeout = self.clients.config().connect_timeout;
        match self.client.inner().fetch_metadata(None, timeout) {
            Ok(_) => Ok(()),
            Err(error) => Err(kafka_errors::unreachable(self.clients.brokers(), None, error)),
        }
    }

    pub fn topics(&self) -> Result<Vec<TopicInfo>> {
        let all =
            self.all(self.clients.config().request_timeout).map_err(|error| self.failed("listing topics", &error))?;
        let visible = all.into_iter().filter(|(name, _)| !name.starts_with("__"));
        Ok(visible.map(|(name, partitions)| TopicInfo { name, partitions }).collect())
    }

    /// The partition counts of those of `topics` that exist.
    pub fn partition_counts(&self, topics: &[String]) -> Result<BTreeMap<String, i32>> {
        let mut all = self
            .all(self.clients.config().request_timeout)
            .map_err(|error| self.failed("looking up topics", &error))?;
        all.retain(|name, _| topics.contains(name));
        Ok(all)
    }

    pub fn check_partitions<'a>(&self, partitions: impl Iterator<Item = &'a TopicPartition>) -> Result<()> {
        let partitions: Vec<_> = partitions.collect();
        let topics: Vec<String> = partitions.iter().map(|partition| partition.topic.to_string()).collect();
        let counts = self.partition_counts(&topics)?;
        for partition in partitions {
            match counts.get(&*partition.topic) {
                None => return Err(errors::no_such_topic(&self.kafka(), &partition.topic)),
                Some(count) if (0..*count).contains(&partition.partition) => {}
                Some(_) => return Err(errors::no_such_partition(&self.kafka(), partition)),
            }
        }
        Ok(())
    }

    pub fn create(&self, specs: &[TopicSpec]) -> Result<()> {
        let names: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
        let missing = Self::missing(specs, &self.partition_counts(&names)?)?;
        if missing.is_empty() {
            return Ok(());
        }
        let replication = self.clients.config().replication;
        let topics: Vec<_> = missing.into_iter().map(|spec| new_topic(spec, replication)).collect();
        let results = block_on(self.client.create_topics(&topics, &self.options()))
            .map_err(|error| self.failed("creating topics", &error))?;
        for result in results {
            match result {
                Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
                Err((topic, Code::InvalidConfig)) => {
                    return Err(errors::bad_setting(&topic, "one of its settings", "is not accepted by Kafka"));
                }
                Err((topic, code)) => {
                    let what = format!("creating topic {topic:?}");
                    return Err(kafka_errors::request_code(&what, self.clients.brokers(), Some(code), code));
                }
            }
        }
        self.wait_for("topics were created", |all| {
            Ok(specs.iter().all(|spec| all.get(&spec.name).is_some_and(|count| *count != 0)))
        })?;
        // Somebody else may have created one meanwhile, with another count.
        Self::missing(specs, &self.partition_counts(&names)?).map(|_| ())
    }

    /// Those that do not exist yet.
    fn missing<'a>(specs: &'a [TopicSpec], counts: &BTreeMap<String, i32>) -> Result<Vec<&'a TopicSpec>> {
        let mut missing = Vec::new();
        for spec in specs {
            headwater_core::check_name("topic", &spec.name)?;
            if spec.partitions < 1 {
                return Err(errors::bad_setting(&spec.name, "partitions", format!("is {}", spec.partitions)));
            }
            match counts.get(&spec.name) {
                None => missing.push(spec),
                Some(count) if *count == spec.partitions || *count == 0 => {}
                Some(count) => return Err(errors::other_partition_count(&spec.name, *count, spec.partitions)),
            }
        }
        Ok(missing)
    }

    pub fn delete(&self, topics: &[String]) -> Result<()> {
        let there = self.partition_counts(topics)?;
        if there.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = there.keys().map(String::as_str).collect();
        let results = block_on(self.client.delete_topics(&names, &self.options()))
            .map_err(|error| self.failed("deleting topics", &error))?;
        for result in results {
            match result {
                Ok(_) | Err((_, Code::UnknownTopicOrPartition | Code::UnknownTopic)) => {}
                Err((topic, code)) => {
                    let what = format!("deleting topic {topic:?}");
                    return Err(kafka_errors::request_code(&what, self.clients.brokers(), Some(code), code));
                }
            }
        }
        self.wait_for("topics were deleted", |all| Ok(!topics.iter().any(|topic| all.contains_key(topic))))
    }

    /// Waits until the metadata shows what was done.
    fn wait_for(&self, what: &str, done: impl Fn(&BTreeMap<String, i32>) -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + self.clients.config().request_timeout;
        loop {
            let all = self
                .all(self.clients.config().request_timeout)
                .map_err(|error| self.failed("looking up topics", &error))?;
            if done(&all)? {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let message = format!("{what}, but Kafka at {} does not show it in time", self.clients.brokers());
                return Err(
                    Error::new(ErrorKind::Unavailable, "HW0321", message).help("look at the broker's log; try again")
                );
            }
            std::thread::sleep(STEP);
        }
    }

    pub fn alter(&self, topic: &str, config: &BTreeMap<String, String>) -> Result<()> {
        self.check_topic(topic)?;
        let timeout = self.clients.config().request_timeout;
        ffi::alter_topic(self.client.inner(), topic, config, timeout).map_err(|refused| match refused.code {
            Code::InvalidConfig | Code::InvalidRequest => {
                let names: Vec<&str> = config.keys().map(String::as_str).collect();
                errors::bad_setting(topic, &names.join(", "), format!("is not accepted: {}", refused.reason))
            }
            code => {
                let what = format!("changing the settings of topic {topic:?}");
                kafka_errors::request_code(&what, self.clients.brokers(), Some(code), refused.reason)
            }
        })
    }

    fn check_topic(&self, topic: &str) -> Result<()> {
        if self.partition_counts(&[topic.to_owned()])?.contains_key(topic) {
            return Ok(());
        }
        Err(errors::no_such_topic(&self.kafka(), topic))
    }

    pub fn settings(&self, topic: &str) -> Result<BTreeMap<String, String>> {
        // Asked for a topic that does not exist, the broker may answer with no settings.
        self.check_topic(topic)?;
        let asked = ResourceSpecifier::Topic(topic);
        let results = block_on(self.client.describe_configs([&asked], &self.options()))
            .map_err(|error| self.failed("reading topic settings", &error))?;
        let mut settings = BTreeMap::new();
        for result in results {
            let resource = result.map_err(|code| match code {
                Code::UnknownTopicOrPartition | Code::UnknownTopic => errors::no_such_topic(&self.kafka(), topic),
                code => {
                    let what = format!("reading the settings of topic {topic:?}");
                    kafka_errors::request_code(&what, self.clients.brokers(), Some(code), code)
                }
            })?;
            settings.extend(resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))));
        }
        Ok(settings)
    }

    pub fn delete_records(&self, before: &[(TopicPartition, Offset)]) -> Result<()> {
        if before.is_empty() {
            return Ok(());
        }
        self.check_partitions(before.iter().map(|(partition, _)| partition))?;
        let mut list = TopicPartitionList::new();
        for (partition, offset) in before {
            list.add_partition_offset(&partition.topic, partition.partition, KafkaOffset::Offset(*offset))
                .map_err(|_| errors::past_the_end(partition, *offset))?;
        }
        let results = block_on(self.client.delete_records(&list, &self.options()))
            .map_err(|error| self.failed("deleting records", &error))?;
        for element in results.elements() {
            let Err(error) = element.error() else { continue };
            let partition = TopicPartition::new(element.topic(), element.partition());
            let asked = before.iter().find(|(asked, _)| *asked == partition).map_or(-1, |(_, offset)| *offset);
            return Err(match error.rdkafka_error_code() {
                Some(Code::OffsetOutOfRange) => errors::past_the_end(&partition, asked),
                _ => self.failed(&format!("deleting records of {partition}"), &error),
            });
        }
        Ok(())
    }
}

fn new_topic(spec: &TopicSpec, replication: i32) -> NewTopic<'_> {
    let topic = NewTopic::new(&spec.name, spec.partitions, TopicReplication::Fixed(replication));
    let topic = spec.config.iter().fold(topic, |topic, (name, value)| topic.set(name, value));
    // Kafka's default of seven days goes by the records' own timestamps: replayed history would be gone in minutes.
    let limited = ["retention.ms", "retention.bytes"].iter().any(|name| spec.config.contains_key(*name));
    if limited { topic } else { topic.set("retention.ms", "-1") }
}
