//! Asking Kafka for offsets: of partitions, of times, of groups.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use headwater_core::{Error, ErrorKind, Offset, Result, Timestamp, TopicPartition};
use rdkafka::{
    TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::KafkaError,
    topic_partition_list::Offset as KafkaOffset,
    types::RDKafkaErrorCode as Code,
};

use super::{batches, config::Clients, context::ConsumerEvents, context::lock, errors as kafka_errors};
use crate::{CommittedOffset, Isolation, OffsetCommit, errors};

type Client = Arc<BaseConsumer<ConsumerEvents>>;

/// Clients that never read a record, kept open because opening one takes a while.
pub(super) struct Offsets {
    clients: Clients,
    open: Mutex<HashMap<(String, bool), Client>>,
}

/// What offset of a partition is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    Start,
    End,
    AtTime(Timestamp),
}

impl Offsets {
    pub fn new(clients: Clients) -> Self {
        Self { clients, open: Mutex::default() }
    }

    fn client(&self, group: &str, isolation: Isolation) -> Result<Client> {
        let committed = isolation == Isolation::ReadCommitted;
        let mut open = lock(&self.open);
        if let Some(client) = open.get(&(group.to_owned(), committed)) {
            return Ok(Arc::clone(client));
        }
        let client: BaseConsumer<ConsumerEvents> = self
            .clients
            .offsets(group, isolation)
            .create_with_context(ConsumerEvents::default())
            .map_err(|error| config(&error))?;
        let client = Arc::new(client);
        open.insert((group.to_owned(), committed), Arc::clone(&client));
        Ok(client)
    }

    /// Offsets of partitions, one request per broker.
    pub fn list(
        &self,
        wanted: &[(TopicPartition, Wanted)],
        isolation: Isolation,
    ) -> Result<BTreeMap<TopicPartition, Offset>> {
        if wanted.is_empty() {
            return Ok(BTreeMap::new());
        }
        let client = self.client("headwater-without-group", isolation)?;
        list_offsets(&client, &self.clients, wanted)
    }

    /// What a group has committed.
    pub fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, CommittedOffset>> {
        let client = self.client(group, Isolation::ReadCommitted)?;
        let deadline = Instant::now() + self.clients.config().pending_timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match try_committed(&client, partitions, left.min(Duration::from_secs(5)))? {
                Some(committed) => return Ok(committed),
                None if left.is_zero() => return Err(pending(group, self.clients.config().pending_timeout)),
                None => tracing::warn!(group, "waiting for an open transaction that holds offsets of this group"),
            }
        }
    }

    /// Commits offsets for a group without members.
    pub fn reset(&self, group: &str, offsets: &[OffsetCommit]) -> Result<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        let client = self.client(group, Isolation::ReadCommitted)?;
        let list = commit_list(offsets)?;
        let deadline = Instant::now() + self.clients.config().request_timeout;
        loop {
            match client.commit(&list, CommitMode::Sync) {
                Ok(()) => return Ok(()),
                Err(KafkaError::ConsumerCommit(
                    Code::UnknownMemberId | Code::IllegalGeneration | Code::RebalanceInProgress,
                )) => return Err(errors::group_active(group)),
                Err(error) => {
                    let again = error.rdkafka_error_code().is_some_and(kafka_errors::is_transient);
                    if !again || Instant::now() >= deadline {
                        let what = format!("resetting the offsets of group {group:?}");
                        return Err(kafka_errors::request(&what, self.clients.brokers(), &error));
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
    }
}

/// Offsets as Kafka commits them.
pub(super) fn commit_list(offsets: &[OffsetCommit]) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for commit in offsets {
        let partition = &commit.partition;
        if commit.metadata.len() > errors::MAX_OFFSET_METADATA {
            return Err(errors::metadata_too_long(partition, commit.metadata.len()));
        }
        let mut element = list.add_partition(&partition.topic, partition.partition);
        element.set_metadata(commit.metadata.as_str());
        element.set_offset(KafkaOffset::Offset(commit.offset)).map_err(|error| {
            Error::new(ErrorKind::Config, "HW0305", format!("{} is no offset of {partition}", commit.offset))
                .caused_by(error.to_string())
        })?;
    }
    Ok(list)
}

/// Asks until the brokers know: right after a topic was made, its leader may not know that it is one.
pub(super) fn list_offsets(
    client: &BaseConsumer<ConsumerEvents>,
    clients: &Clients,
    wanted: &[(TopicPartition, Wanted)],
) -> Result<BTreeMap<TopicPartition, Offset>> {
    let deadline = Instant::now() + clients.config().request_timeout;
    loop {
        match try_list_offsets(client, clients, wanted) {
            Err(error) if error.kind() == ErrorKind::Unavailable && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            answered => return answered,
        }
    }
}

fn try_list_offsets(
    client: &BaseConsumer<ConsumerEvents>,
    clients: &Clients,
    wanted: &[(TopicPartition, Wanted)],
) -> Result<BTreeMap<TopicPartition, Offset>> {
    let failed = |error: &KafkaError| kafka_errors::request("listing offsets", clients.brokers(), error);
    let mut list = TopicPartitionList::new();
    for (partition, wanted) in wanted {
        let at = match wanted {
            Wanted::Start => KafkaOffset::Beginning,
            Wanted::End => KafkaOffset::End,
            // Kafka gives negative times a meaning of their own.
            Wanted::AtTime(time) => KafkaOffset::Offset((*time).max(0)),
        };
        list.add_partition_offset(&partition.topic, partition.partition, at).map_err(|error| failed(&error))?;
    }
    let list = client.offsets_for_times(list, clients.config().request_timeout).map_err(|error| failed(&error))?;
    let mut found = BTreeMap::new();
    let mut past = Vec::new();
    for element in list.elements() {
        let partition = TopicPartition::new(element.topic(), element.partition());
        match (element.error(), element.offset()) {
            (Ok(()), KafkaOffset::Offset(offset)) => {
                found.insert(partition, offset);
            }
            (Ok(()), _) => past.push((partition, Wanted::End)),
            (Err(error), _) => return Err(not_listed(clients, &partition, &error)),
        }
    }
    if !past.is_empty() && wanted.iter().any(|(_, wanted)| matches!(wanted, Wanted::AtTime(_))) {
        // No record at or after that time.
        found.extend(try_list_offsets(client, clients, &past)?);
    }
    Ok(found)
}

fn not_listed(clients: &Clients, partition: &TopicPartition, error: &KafkaError) -> Error {
    let kafka = kafka_errors::kafka(clients.brokers());
    match error.rdkafka_error_code() {
        Some(Code::UnknownPartition) => errors::no_such_partition(&kafka, partition),
        Some(Code::UnknownTopic | Code::UnknownTopicOrPartition) => errors::no_such_topic(&kafka, &partition.topic),
        _ => kafka_errors::request(&format!("listing offsets of {partition}"), clients.brokers(), error),
    }
}

/// One attempt; `None` if the answer has to wait for an open transaction (or a slow broker).
pub(super) fn try_committed(
    client: &BaseConsumer<ConsumerEvents>,
    partitions: &[TopicPartition],
    wait: Duration,
) -> Result<Option<BTreeMap<TopicPartition, CommittedOffset>>> {
    if partitions.is_empty() {
        return Ok(Some(BTreeMap::new()));
    }
    let list = match client.committed_offsets(batches::list(partitions), wait.max(Duration::from_millis(1))) {
        Ok(list) => list,
        Err(error) if error.rdkafka_error_code().is_some_and(kafka_errors::is_transient) => return Ok(None),
        Err(error) => return Err(kafka_errors::request("reading committed offsets", "its brokers", &error)),
    };
    let mut committed = BTreeMap::new();
    for element in list.elements() {
        let partition = TopicPartition::new(element.topic(), element.partition());
        match (element.error(), element.offset()) {
            (Ok(()), KafkaOffset::Offset(offset)) => {
                committed.insert(partition, CommittedOffset { offset, metadata: element.metadata().to_owned() });
            }
            (Err(error), _) if error.rdkafka_error_code().is_some_and(kafka_errors::is_transient) => return Ok(None),
            // Nor has a partition an offset that does not exist.
            (Ok(()) | Err(KafkaError::OffsetFetch(Code::UnknownTopicOrPartition | Code::UnknownPartition)), _) => {}
            (Err(error), _) => {
                let what = format!("reading the committed offset of {partition}");
                return Err(kafka_errors::request(&what, "its brokers", &error));
            }
        }
    }
    Ok(Some(committed))
}

pub(super) fn pending(group: &str, after: Duration) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "HW0307",
        format!("the committed offsets of group {group:?} were not to be had within {after:?}"),
    )
    .help("an open transaction holds offsets of this group, or the broker is unreachable; wait for the transaction's timeout and try again")
}

pub(super) fn config(error: &KafkaError) -> Error {
    // The error names the property, and its value, which may be a secret.
    let what = match error {
        KafkaError::ClientConfig(_, description, name, _) => format!("client property {name:?}: {description}"),
        other => other.to_string(),
    };
    Error::new(ErrorKind::Config, "HW0322", format!("librdkafka does not accept the settings: {what}"))
        .help("property names and values are those of librdkafka's CONFIGURATION.md")
}
