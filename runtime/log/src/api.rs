//! The `Log` trait and its words. Calls block the calling thread within a deadline; a task thread owns its consumer
//! and its producer, and the trait object `dyn Log` is shared by all of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use headwater_core::{Headers, Offset, RecordBatch, Result, Timestamp, TopicPartition};

/// What a topic is created with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// The topic's name.
    pub name: String,
    /// How many partitions; at least 1.
    pub partitions: i32,
    /// Settings in Kafka's own names, such as `cleanup.policy`, `retention.ms`, `retention.bytes`,
    /// `max.message.bytes`. A log rejects those it does not know. Unless one of the two retentions is set, records
    /// stay for ever, on Kafka too.
    pub config: BTreeMap<String, String>,
}

/// A topic that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// The topic's name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: i32,
}

/// Whether records of transactions that have not (yet) committed are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// Only committed records, and nothing past the first open transaction. Default.
    #[default]
    ReadCommitted,
    /// Everything.
    ReadUncommitted,
}

/// Where a consumer starts in a partition for which its group has committed no offset, or whose offset is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OffsetReset {
    /// At the first record. Default.
    #[default]
    Earliest,
    /// After the last record.
    Latest,
    /// Not at all: an error (`HW0306`).
    Fail,
}

/// An offset that a group has committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The offset of the next record to read.
    pub offset: Offset,
    /// Free text committed with it, at most 4096 bytes.
    pub metadata: String,
}

/// An offset to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetCommit {
    /// Which partition.
    pub partition: TopicPartition,
    /// The offset of the next record to read.
    pub offset: Offset,
    /// Free text, at most 4096 bytes.
    pub metadata: String,
}

/// Settings of a consumer.
#[derive(Debug, Clone)]
pub struct ConsumerConfig {
    /// The consumer group; `None` for a consumer that only ever assigns partitions by itself.
    pub group: Option<String>,
    /// A name that survives restarts (static membership), unique within the group.
    pub instance: Option<String>,
    /// Default: read committed.
    pub isolation: Isolation,
    /// Default: earliest.
    pub reset: OffsetReset,
    /// Upper bound of the bytes one `poll` returns, and of what is fetched ahead. Default: 8 MiB.
    pub max_poll_bytes: usize,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            group: None,
            instance: None,
            isolation: Isolation::default(),
            reset: OffsetReset::default(),
            max_poll_bytes: 8 << 20,
        }
    }
}

/// Settings of a producer.
#[derive(Debug, Clone)]
pub struct ProducerConfig {
    /// With it the producer works in transactions, and opening another with the same id fences this one.
    pub transactional_id: Option<String>,
    /// A transaction that stays open longer is aborted by the log. Default: 60 s.
    pub transaction_timeout: Duration,
    /// Bound of the bytes of one transaction in the embedded log, `HW0309` past it. Default: 256 MiB.
    pub max_transaction_bytes: usize,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self { transactional_id: None, transaction_timeout: Duration::from_secs(60), max_transaction_bytes: 256 << 20 }
    }
}

/// What a `poll` brought. Changes of assignment come alone, records come alone, so that the order is plain.
#[derive(Debug)]
pub enum Polled {
    /// Nothing within the time given.
    Nothing,
    /// Runs of records, each of one partition, in offset order within it.
    Records(Vec<(TopicPartition, RecordBatch)>),
    /// The group gave this member more partitions. Where they start has been looked up (`position`). May be empty.
    Assigned(Vec<TopicPartition>),
    /// The group takes these partitions away. They are still this member's until [`Consumer::release`] is called:
    /// finish and commit their work first.
    Revoked(Vec<TopicPartition>),
    /// These partitions are lost already: work on them cannot be committed any more.
    Lost(Vec<TopicPartition>),
}

/// Proof of group membership for [`Producer::send_offsets`]. Take it anew for each commit, on the thread that polls.
#[derive(Debug, Clone)]
pub struct GroupMetadata(pub(crate) GroupMetadataInner);

#[derive(Debug, Clone)]
pub(crate) enum GroupMetadataInner {
    /// A member of an in-process group.
    Embedded { group: String, member: u64, generation: u64 },
    /// librdkafka's own object, and what the member owned when it was taken.
    Kafka { group: String, metadata: Arc<KafkaMetadata>, owned: Arc<BTreeSet<TopicPartition>> },
}

/// librdkafka's proof of membership.
pub(crate) struct KafkaMetadata(pub rdkafka::consumer::ConsumerGroupMetadata);

impl std::fmt::Debug for KafkaMetadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KafkaMetadata")
    }
}

/// What a commit reports.
#[derive(Debug, Clone, Default)]
pub struct CommitReceipt {
    /// For each partition that the transaction wrote to: one past its last record there.
    pub next_offsets: BTreeMap<TopicPartition, Offset>,
}

/// A log of topics with partitions: Apache Kafka, or the embedded one. The single source of truth.
pub trait Log: Send + Sync + 'static {
    /// `kafka` or `embedded`, and where: for messages.
    fn describe(&self) -> String;

    /// Creates topics that do not exist yet; one that exists with the same number of partitions is left alone.
    ///
    /// # Errors
    /// `HW0303` if a topic exists with another number of partitions.
    fn create_topics(&self, topics: &[TopicSpec]) -> Result<()>;

    /// Deletes topics with all records and committed offsets. One that does not exist is left alone.
    ///
    /// # Errors
    /// If the log cannot be reached or refuses.
    fn delete_topics(&self, topics: &[String]) -> Result<()>;

    /// All topics by name, without the log's own internal ones (`__consumer_offsets` ...).
    ///
    /// # Errors
    /// If the log cannot be reached.
    fn topics(&self) -> Result<Vec<TopicInfo>>;

    /// Changes settings of a topic (Kafka's names, as in [`TopicSpec::config`]).
    ///
    /// # Errors
    /// `HW0302` if the topic does not exist, `HW0304` for an unknown setting or bad value.
    fn alter_topic(&self, topic: &str, config: &BTreeMap<String, String>) -> Result<()>;

    /// The settings of a topic by Kafka's names: the embedded log has those that were set, Kafka all of them.
    ///
    /// # Errors
    /// `HW0302` if the topic does not exist.
    fn topic_settings(&self, topic: &str) -> Result<BTreeMap<String, String>>;

    /// The first available offset of each partition.
    ///
    /// # Errors
    /// `HW0302` if a topic or partition does not exist.
    fn start_offsets(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, Offset>>;

    /// One past the last record of each partition; read committed: the last stable offset, which in Kafka moves a
    /// moment *after* a commit has returned. To read everything committed so far, take the uncommitted end and read
    /// on until the position reaches it.
    ///
    /// # Errors
    /// `HW0302` if a topic or partition does not exist.
    fn end_offsets(
        &self,
        partitions: &[TopicPartition],
        isolation: Isolation,
    ) -> Result<BTreeMap<TopicPartition, Offset>>;

    /// For each partition the offset of the first record with a timestamp at or after the one given; the end offset
    /// if there is none.
    ///
    /// # Errors
    /// `HW0302` if a topic or partition does not exist.
    fn offsets_for_times(&self, times: &[(TopicPartition, Timestamp)]) -> Result<BTreeMap<TopicPartition, Offset>>;

    /// Removes all records before the given offsets.
    ///
    /// # Errors
    /// `HW0302` if a partition does not exist, `HW0305` if an offset is past the end.
    fn delete_records(&self, before: &[(TopicPartition, Offset)]) -> Result<()>;

    /// The offsets a group has committed; a partition without one is absent. Waits (to a deadline) while a
    /// transaction with pending offsets of these partitions is open, never treating it as "none".
    ///
    /// # Errors
    /// `HW0307` if such a transaction stays open past the deadline.
    fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, CommittedOffset>>;

    /// Overwrites a group's committed offsets outside any transaction. For resets: the group must have no members.
    ///
    /// # Errors
    /// If the group is active or the log refuses.
    fn reset_offsets(&self, group: &str, offsets: &[OffsetCommit]) -> Result<()>;

    /// A consumer.
    ///
    /// # Errors
    /// If the settings are not accepted.
    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>>;

    /// A producer. With a transactional id this fences an earlier one of that id and waits until its fate is known.
    ///
    /// # Errors
    /// If the log cannot be reached in time.
    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>>;
}

/// Reads records, either of partitions it assigns to itself or of those its group gives it.
pub trait Consumer: Send {
    /// Reads exactly these partitions from these offsets. Replaces an earlier assignment.
    ///
    /// # Errors
    /// `HW0302` if one does not exist.
    fn assign(&mut self, partitions: &[(TopicPartition, Offset)]) -> Result<()>;

    /// Joins the group for these topics; assignments arrive through `poll`. Partitions with the same number of
    /// topics with equal partition counts go to the same member (range assignment).
    ///
    /// # Errors
    /// `HW0302` if a topic does not exist.
    fn subscribe(&mut self, topics: &[String]) -> Result<()>;

    /// Waits up to `max_wait` for something to happen. Must be called regularly even when all is paused.
    ///
    /// # Errors
    /// Of kind `Unavailable` to be called again, `Fenced` if the group threw this member out for good.
    fn poll(&mut self, max_wait: Duration) -> Result<Polled>;

    /// Ends the hand-over begun by [`Polled::Revoked`].
    ///
    /// # Errors
    /// If the log refuses.
    fn release(&mut self, partitions: &[TopicPartition]) -> Result<()>;

    /// Stops fetching these partitions until `resume`. Records fetched already may still arrive.
    ///
    /// # Errors
    /// If a partition is not assigned.
    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()>;

    /// Fetches these partitions again.
    ///
    /// # Errors
    /// If a partition is not assigned.
    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()>;

    /// Reads on from another offset.
    ///
    /// # Errors
    /// If the partition is not assigned.
    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<()>;

    /// The offset of the next record that `poll` will return. Moves past gaps (transaction markers) when known.
    fn position(&self, partition: &TopicPartition) -> Option<Offset>;

    /// Proof of membership as of now.
    ///
    /// # Errors
    /// If this consumer has no group.
    fn group_metadata(&self) -> Result<GroupMetadata>;

    /// Leaves the group, at most waiting for `deadline`.
    fn close(self: Box<Self>, deadline: Duration);
}

/// Writes records. Without a transactional id `send` and `flush` are all there is.
pub trait Producer: Send {
    /// Begins a transaction.
    ///
    /// # Errors
    /// `Fenced` if a newer producer has this id.
    fn begin(&mut self) -> Result<()>;

    /// Writes a run of records to one partition (the batch's own offsets do not matter). May wait while buffers are
    /// full; does not wait until it is stored.
    ///
    /// # Errors
    /// `HW0302` no such partition, `HW0308` record too large, `HW0309` transaction too large, `Fenced`.
    fn send(&mut self, partition: &TopicPartition, batch: RecordBatch) -> Result<()>;

    /// Puts consumed offsets into the transaction.
    ///
    /// # Errors
    /// `HW0310` (kind `Unavailable`): the membership is outdated; abort, refresh, retry what is still owned.
    fn send_offsets(&mut self, offsets: &[OffsetCommit], group: &GroupMetadata) -> Result<()>;

    /// Commits. An error of kind `Unavailable` with code `HW0311` means the outcome is *unknown*: drop this producer,
    /// open a new one with the same id, read the group's committed offsets and decide. Never abort after it.
    ///
    /// # Errors
    /// `Fenced`, or as above.
    fn commit(&mut self) -> Result<CommitReceipt>;

    /// Abandons the transaction: nothing of it will ever be seen.
    ///
    /// # Errors
    /// `Fenced`, or if the log cannot be reached.
    fn abort(&mut self) -> Result<()>;

    /// Without transactions: waits until everything sent is stored.
    ///
    /// # Errors
    /// The first record that could not be stored.
    fn flush(&mut self) -> Result<CommitReceipt>;
}

/// One record to write, for callers that have single records and not batches.
#[derive(Debug, Clone)]
pub struct ProducerRecord {
    /// Event time in milliseconds.
    pub timestamp: Timestamp,
    /// The key, `None` for null.
    pub key: Option<Vec<u8>>,
    /// The value, `None` for null.
    pub value: Option<Vec<u8>>,
    /// The headers.
    pub headers: Headers,
}
