//! Writing to Kafka.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use headwater_core::{Error, RecordBatch, RecordRef, Result, TopicPartition};
use rdkafka::{
    error::KafkaError,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
    types::RDKafkaErrorCode as Code,
};

use super::{admin::Admin, config::Clients, context::Deliveries, errors as kafka_errors, offsets};
use crate::{CommitReceipt, GroupMetadata, OffsetCommit, Producer, ProducerConfig, api::GroupMetadataInner, errors};

/// How long the client sleeps between looking for delivery reports: its own waiting takes 100 ms steps.
const STEP: Duration = Duration::from_micros(200);
/// How long one transactional request may take before it is called again.
const ATTEMPT: Duration = Duration::from_secs(3);

/// A producer of Kafka.
pub(super) struct KafkaProducer {
    producer: BaseProducer<Deliveries>,
    brokers: String,
    /// For messages: the transactional id, or that there is none.
    id: String,
    transactional: bool,
    timeout: Duration,
    open: bool,
    admin: Arc<Admin>,
    /// The partition counts of the topics written to so far.
    topics: BTreeMap<Arc<str>, i32>,
}

impl KafkaProducer {
    pub fn open(clients: &Clients, admin: Arc<Admin>, config: &ProducerConfig) -> Result<Self> {
        let producer: BaseProducer<Deliveries> = clients
            .producer(config)
            .create_with_context(Deliveries::default())
            .map_err(|error| offsets::config(&error))?;
        let this = Self {
            producer,
            brokers: clients.brokers().to_owned(),
            id: config.transactional_id.clone().unwrap_or_else(|| "none".to_owned()),
            transactional: config.transactional_id.is_some(),
            timeout: config.transaction_timeout,
            open: false,
            admin,
            topics: BTreeMap::new(),
        };
        if this.transactional {
            // An earlier producer's transaction is decided in here.
            let timeout = this.timeout.max(Duration::from_secs(30));
            this.retry("init_transactions", timeout, |wait| this.producer.init_transactions(wait))?;
        }
        Ok(this)
    }

    /// Calls again while librdkafka says that it may.
    fn retry(
        &self,
        call: &str,
        timeout: Duration,
        attempt: impl Fn(Duration) -> rdkafka::error::KafkaResult<()>,
    ) -> Result<()> {
        let deadline = Instant::now() + timeout;
        loop {
            match attempt(ATTEMPT) {
                Ok(()) => return Ok(()),
                Err(error) if is_retriable(&error) && Instant::now() < deadline => {}
                Err(error) => return Err(kafka_errors::transaction(call, &self.id, &self.brokers, &error)),
            }
        }
    }

    fn check_open(&self, call: &str) -> Result<()> {
        if !self.transactional {
            return Err(errors::out_of_order(call, "this producer has no transactional id"));
        }
        self.check_alive()?;
        if self.open { Ok(()) } else { Err(errors::out_of_order(call, "no transaction is open")) }
    }

    fn check_alive(&self) -> Result<()> {
        match self.producer.client().fatal_error() {
            None => Ok(()),
            Some(_) => Err(errors::fenced(&self.id, kafka_errors::FENCED)),
        }
    }

    /// The client itself would look for a missing topic for 30 seconds.
    fn check_partition(&mut self, partition: &TopicPartition) -> Result<()> {
        let exists = |count: &i32| (0..*count).contains(&partition.partition);
        if !self.topics.get(&partition.topic).is_some_and(exists) {
            let counts = self.admin.partition_counts(&[partition.topic.to_string()])?;
            let kafka = kafka_errors::kafka(&self.brokers);
            match counts.get(&*partition.topic) {
                None => return Err(errors::no_such_topic(&kafka, &partition.topic)),
                Some(count) if !exists(count) => return Err(errors::no_such_partition(&kafka, partition)),
                Some(count) => self.topics.insert(Arc::clone(&partition.topic), *count),
            };
        }
        Ok(())
    }

    /// The first record that could not be stored, as an error.
    fn check_deliveries(&self) -> Result<()> {
        let Some((partition, code)) = self.producer.context().failed() else { return Ok(()) };
        self.check_alive()?;
        Err(kafka_errors::production(&self.id, &partition, &self.brokers, code))
    }

    /// Waits until every record has been acknowledged or given up. False if the deadline passed.
    fn drain(&self, deadline: Instant) -> bool {
        loop {
            self.producer.poll(Duration::ZERO);
            if self.producer.in_flight_count() == 0 {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(STEP);
        }
    }

    fn receipt(&self) -> CommitReceipt {
        CommitReceipt { next_offsets: self.producer.context().take().next_offsets.into_iter().collect() }
    }

    fn not_drained(&self) -> Error {
        kafka_errors::request_code(
            "writing",
            &self.brokers,
            Some(Code::MessageTimedOut),
            format!("{} records were not acknowledged in time", self.producer.in_flight_count()),
        )
    }

    fn send_record(&self, partition: &TopicPartition, record: &RecordRef<'_>, deadline: Instant) -> Result<()> {
        let mut message = BaseRecord::<[u8], [u8]>::to(&partition.topic).partition(partition.partition);
        message.key = record.key;
        message.payload = record.value;
        // librdkafka takes 0 for "now", which would change on every replay; one millisecond off does not.
        message.timestamp = Some(if record.timestamp == 0 { 1 } else { record.timestamp });
        if !record.headers.is_empty() {
            let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
            for header in &record.headers {
                headers = headers.insert(Header { key: &header.name, value: header.value.as_deref() });
            }
            message.headers = Some(headers);
        }
        loop {
            let Err((error, again)) = self.producer.send(message) else { return Ok(()) };
            match error.rdkafka_error_code() {
                Some(Code::QueueFull) if Instant::now() < deadline => {
                    self.producer.poll(Duration::ZERO);
                    std::thread::sleep(STEP);
                    message = again;
                }
                Some(Code::State) => return Err(errors::out_of_order("send", "no transaction is open")),
                code => {
                    self.check_alive()?;
                    let code = code.unwrap_or(Code::Unknown);
                    return Err(kafka_errors::production(&self.id, partition, &self.brokers, code));
                }
            }
        }
    }

    /// Asks for the commit until it is answered.
    fn end(&self, deadline: Instant) -> Result<()> {
        loop {
            match self.producer.commit_transaction(ATTEMPT) {
                Ok(()) => return Ok(()),
                Err(error) if is_retriable(&error) => {
                    if Instant::now() >= deadline {
                        return Err(kafka_errors::unknown_outcome(&self.id, &self.brokers, error));
                    }
                }
                Err(KafkaError::Transaction(error)) if error.is_fatal() || error.txn_requires_abort() => {
                    let error = KafkaError::Transaction(error);
                    return Err(kafka_errors::transaction("commit", &self.id, &self.brokers, &error));
                }
                Err(error) => return Err(kafka_errors::unknown_outcome(&self.id, &self.brokers, error)),
            }
        }
    }
}

fn is_retriable(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(error) => error.is_retriable() && !error.is_fatal() && !error.txn_requires_abort(),
        _ => false,
    }
}

impl Producer for KafkaProducer {
    fn begin(&mut self) -> Result<()> {
        if !self.transactional {
            return Err(errors::out_of_order("begin", "this producer has no transactional id"));
        }
        self.check_alive()?;
        if self.open {
            return Err(errors::out_of_order("begin", "a transaction is open already"));
        }
        self.producer
            .begin_transaction()
            .map_err(|error| kafka_errors::transaction("begin", &self.id, &self.brokers, &error))?;
        self.producer.context().take();
        self.open = true;
        Ok(())
    }

    fn send(&mut self, partition: &TopicPartition, batch: RecordBatch) -> Result<()> {
        if self.transactional {
            self.check_open("send")?;
        }
        self.check_partition(partition)?;
        let deadline = Instant::now() + self.timeout;
        for record in &batch {
            self.send_record(partition, &record?, deadline)?;
        }
        self.producer.poll(Duration::ZERO);
        if self.transactional { self.check_deliveries() } else { Ok(()) }
    }

    fn send_offsets(&mut self, offsets: &[OffsetCommit], group: &GroupMetadata) -> Result<()> {
        self.check_open("send_offsets")?;
        let GroupMetadataInner::Kafka { group, metadata, owned } = &group.0 else {
            return Err(errors::out_of_order("send_offsets", "the group metadata is another log's"));
        };
        check_owned(group, owned, offsets)?;
        let list = offsets::commit_list(offsets)?;
        self.retry("send_offsets", self.timeout, |wait| {
            self.producer.send_offsets_to_transaction(&list, &metadata.0, wait)
        })
    }

    fn commit(&mut self) -> Result<CommitReceipt> {
        self.check_open("commit")?;
        let deadline = Instant::now() + self.timeout;
        if !self.drain(deadline) {
            return Err(self.not_drained());
        }
        self.check_deliveries()?;
        self.end(deadline)?;
        self.open = false;
        Ok(self.receipt())
    }

    fn abort(&mut self) -> Result<()> {
        if !self.transactional {
            return Err(errors::out_of_order("abort", "this producer has no transactional id"));
        }
        self.check_alive()?;
        if !self.open {
            return Ok(());
        }
        // Aborting waits until reports of what was sent have been taken away, which only a poll of ours does.
        self.drain(Instant::now() + ATTEMPT);
        let aborted = self.retry("abort", self.timeout, |_| {
            self.producer.poll(Duration::ZERO);
            self.producer.abort_transaction(Duration::from_millis(200))
        });
        self.drain(Instant::now() + ATTEMPT);
        self.producer.context().take();
        aborted?;
        self.open = false;
        Ok(())
    }

    fn flush(&mut self) -> Result<CommitReceipt> {
        // A record that cannot be stored is given up after message.timeout.ms, which is 120 s.
        if !self.drain(Instant::now() + Duration::from_secs(130)) {
            return Err(self.not_drained());
        }
        let failed = self.check_deliveries();
        let receipt = self.receipt();
        failed.map(|()| receipt)
    }
}

/// The broker accepts offsets of any partition from a current member, so a former owner could overwrite the next
/// one's: what is not owned is refused here.
fn check_owned(group: &str, owned: &BTreeSet<TopicPartition>, offsets: &[OffsetCommit]) -> Result<()> {
    match offsets.iter().find(|commit| !owned.contains(&commit.partition)) {
        None => Ok(()),
        Some(commit) => {
            let why = format!("{} is not assigned to this member any more", commit.partition);
            Err(errors::outdated_membership(group, why))
        }
    }
}
