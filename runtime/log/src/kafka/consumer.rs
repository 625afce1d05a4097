//! Reading from Kafka on the thread that polls.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use headwater_core::{Error, ErrorKind, Offset, Result, TopicPartition};
use rdkafka::{
    consumer::{BaseConsumer, Consumer as _, RebalanceProtocol},
    error::KafkaError,
    topic_partition_list::{Offset as KafkaOffset, TopicPartitionList},
    types::RDKafkaErrorCode as Code,
};

use super::{
    admin::Admin,
    batches::{Runs, list},
    config::Clients,
    context::{ConsumerEvents, Rebalanced, lock},
    errors as kafka_errors,
    offsets::{self, Wanted},
};
use crate::{
    Consumer, ConsumerConfig, GroupMetadata, OffsetReset, Polled,
    api::{GroupMetadataInner, KafkaMetadata},
    errors,
};

/// How often a member without partitions joins anew by itself.
const MAX_REJOINS: u32 = 3;

/// A consumer of Kafka.
pub(super) struct KafkaConsumer {
    consumer: BaseConsumer<ConsumerEvents>,
    clients: Clients,
    admin: Arc<Admin>,
    config: ConsumerConfig,
    positions: BTreeMap<TopicPartition, Offset>,
    /// What may be committed: the keys of `positions`, ready to be handed out.
    owned: Arc<BTreeSet<TopicPartition>>,
    /// Partitions the group gives, until it is known where they start.
    arriving: Option<Arriving>,
    /// Partitions the group takes, as far as they have not been released.
    leaving: BTreeSet<TopicPartition>,
    /// Paused partitions. librdkafka would keep them paused in a later assignment.
    paused: BTreeSet<TopicPartition>,
    /// What it subscribed to.
    topics: Vec<String>,
    /// How often it joined anew since it last owned something.
    rejoined: u32,
}

struct Arriving {
    partitions: Vec<TopicPartition>,
    warned: bool,
}

impl KafkaConsumer {
    pub fn open(clients: Clients, admin: Arc<Admin>, config: ConsumerConfig) -> Result<Self> {
        let consumer = create(&clients, &config)?;
        Ok(Self {
            consumer,
            clients,
            admin,
            config,
            positions: BTreeMap::new(),
            owned: Arc::default(),
            arriving: None,
            leaving: BTreeSet::new(),
            paused: BTreeSet::new(),
            topics: Vec::new(),
            rejoined: 0,
        })
    }

    fn failed(&self, what: &str, error: &KafkaError) -> Error {
        kafka_errors::request(what, self.clients.brokers(), error)
    }

    fn cooperative(&self) -> bool {
        matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Cooperative)
    }

    fn own(&mut self) {
        self.owned = Arc::new(self.positions.keys().cloned().collect());
    }

    /// Answers what the group said, one thing at a time.
    fn hear(&mut self, wait: Duration) -> Result<Option<Polled>> {
        if self.arriving.is_some() {
            return self.settle(wait);
        }
        // Until the hand-over is done, librdkafka says nothing new, but a lost session may.
        let Some(rebalanced) = lock(&self.consumer.context().rebalances).pop_front() else { return Ok(None) };
        match rebalanced {
            Rebalanced::Assign(partitions) => {
                self.arriving = Some(Arriving { partitions, warned: false });
                self.settle(wait)
            }
            Rebalanced::Revoke { partitions, lost: true } => {
                self.let_go(&partitions)?;
                Ok(Some(Polled::Lost(partitions)))
            }
            Rebalanced::Revoke { partitions, lost: false } if partitions.is_empty() => {
                self.let_go(&partitions)?;
                Ok(None)
            }
            Rebalanced::Revoke { partitions, lost: false } => {
                // What is fetched from now on belongs to the next owner's time.
                self.consumer.pause(&list(&partitions)).map_err(|e| self.failed("pausing", &e))?;
                self.paused.extend(partitions.iter().cloned());
                self.leaving = partitions.iter().cloned().collect();
                Ok(Some(Polled::Revoked(partitions)))
            }
        }
    }

    /// Finds where the arriving partitions start, and begins to read them.
    fn settle(&mut self, wait: Duration) -> Result<Option<Polled>> {
        let Some(arriving) = &mut self.arriving else { return Ok(None) };
        let wait = wait.clamp(Duration::from_millis(50), Duration::from_secs(1));
        let Some(committed) = offsets::try_committed(&self.consumer, &arriving.partitions, wait)? else {
            if !arriving.warned {
                arriving.warned = true;
                let group = self.config.group.as_deref().unwrap_or_default();
                tracing::warn!(group, "waiting for an open transaction that holds offsets of this group");
            }
            return Ok(None);
        };
        let partitions = arriving.partitions.clone();
        let missing: Vec<_> = partitions.iter().filter(|p| !committed.contains_key(*p)).cloned().collect();
        let mut starts = self.reset(&missing)?;
        starts.extend(committed.into_iter().map(|(partition, committed)| (partition, committed.offset)));
        let starting = positioned(&starts)?;
        let assigned = if self.cooperative() {
            self.consumer.incremental_assign(&starting)
        } else {
            self.positions.clear();
            self.consumer.assign(&starting)
        };
        assigned.map_err(|error| self.failed("taking over partitions", &error))?;
        self.arriving = None;
        self.rejoined = 0;
        self.positions.extend(starts);
        self.own();
        Ok(Some(Polled::Assigned(partitions)))
    }

    /// Where partitions start that have no committed offset.
    fn reset(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, Offset>> {
        let Some(first) = partitions.first() else { return Ok(BTreeMap::new()) };
        let wanted = match self.config.reset {
            OffsetReset::Earliest => Wanted::Start,
            OffsetReset::Latest => Wanted::End,
            OffsetReset::Fail => {
                let group = self.config.group.as_deref().unwrap_or_default();
                return Err(errors::no_offset(group, first, "its group has committed no offset"));
            }
        };
        let wanted: Vec<_> = partitions.iter().map(|partition| (partition.clone(), wanted)).collect();
        offsets::list_offsets(&self.consumer, &self.clients, &wanted)
    }

    /// Before an assignment ends.
    fn forget_pauses(&mut self) -> Result<()> {
        let paused = std::mem::take(&mut self.paused);
        self.consumer.resume(&list(&paused)).map_err(|error| self.failed("resuming", &error))
    }

    /// Tells librdkafka that these partitions are no longer read.
    fn let_go(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.forget_pauses()?;
        let unassigned = if self.cooperative() {
            for partition in partitions {
                self.positions.remove(partition);
            }
            self.consumer.incremental_unassign(&list(partitions))
        } else {
            self.positions.clear();
            self.consumer.unassign()
        };
        self.leaving.clear();
        self.own();
        unassigned.map_err(|error| self.failed("giving partitions back", &error))
    }

    /// Collects messages until there are none at hand or the budget is used up.
    fn fetch(&mut self, wait: Duration) -> Result<Vec<(TopicPartition, headwater_core::RecordBatch)>> {
        let mut runs = Runs::default();
        let mut wait = wait;
        while runs.bytes() < self.config.max_poll_bytes {
            match self.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => runs.push(&message),
                // Records at hand are given out first; an error that matters comes again.
                Some(Err(error)) if runs.is_empty() => self.judge(&error)?,
                Some(Err(error)) => {
                    self.judge(&error)?;
                    break;
                }
            }
            wait = Duration::ZERO;
        }
        let records = runs.finish();
        for (partition, batch) in &records {
            if let Some(position) = self.positions.get_mut(partition) {
                *position = batch.next_offset();
            }
        }
        Ok(records)
    }

    /// Moves positions past what librdkafka has read and not given out: transaction markers.
    fn pass_markers(&mut self) {
        let Ok(list) = self.consumer.position() else { return };
        for element in list.elements() {
            if let KafkaOffset::Offset(offset) = element.offset() {
                let partition = TopicPartition::new(element.topic(), element.partition());
                if let Some(position) = self.positions.get_mut(&partition) {
                    *position = offset.max(*position);
                }
            }
        }
    }

    /// Which errors of a poll are worth one.
    fn judge(&self, error: &KafkaError) -> Result<()> {
        let group = self.config.group.as_deref().unwrap_or_default();
        let Some(code) = error.rdkafka_error_code() else { return Err(self.failed("reading", error)) };
        match code {
            Code::FencedInstanceId => {
                Err(errors::instance_fenced(group, self.config.instance.as_deref().unwrap_or_default()))
            }
            Code::AutoOffsetReset => {
                let partition = self.positions.keys().next().cloned().unwrap_or_else(|| TopicPartition::new("?", 0));
                Err(errors::no_offset(group, &partition, "the offset is out of range"))
            }
            Code::UnknownTopic | Code::UnknownTopicOrPartition => {
                // The client does not say which of them.
                let read: BTreeSet<&str> = self.positions.keys().map(|partition| &*partition.topic).collect();
                let topics: Vec<&str> = read.into_iter().chain(self.topics.iter().map(String::as_str)).collect();
                Err(errors::no_such_topic(&kafka_errors::kafka(self.clients.brokers()), &topics.join(" or ")))
            }
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => {
                Err(errors::member_gone(group, format!("{error}")))
            }
            code if kafka_errors::is_transient(code) => {
                tracing::info!(%error, "the consumer goes on trying");
                Ok(())
            }
            _ => Err(self.failed("reading", error)),
        }
    }

    /// Whether a member that was thrown out may join anew by itself. After an outage the broker may take a member for
    /// its own rival, as it knows it under two ids. A member that owns something has a real rival and must stop.
    fn may_rejoin(&self, error: &Error) -> bool {
        error.kind() == ErrorKind::Fenced
            && self.positions.is_empty()
            && !self.topics.is_empty()
            && self.rejoined < MAX_REJOINS
    }

    fn rejoin(&mut self) -> Result<()> {
        self.rejoined += 1;
        tracing::warn!(group = self.config.group, instance = self.config.instance, "joining the group anew");
        let fresh = create(&self.clients, &self.config)?;
        let old = std::mem::replace(&mut self.consumer, fresh);
        old.context().closing.store(true, Ordering::Release);
        drop(old);
        self.arriving = None;
        self.leaving.clear();
        self.paused.clear();
        self.join()
    }

    fn join(&self) -> Result<()> {
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        self.consumer.subscribe(&topics).map_err(|error| self.failed("joining the group", &error))
    }

    fn check_assigned(&self, partitions: &[TopicPartition]) -> Result<()> {
        match partitions.iter().find(|partition| !self.positions.contains_key(*partition)) {
            None => Ok(()),
            Some(partition) => Err(errors::not_assigned(partition)),
        }
    }
}

fn create(clients: &Clients, config: &ConsumerConfig) -> Result<BaseConsumer<ConsumerEvents>> {
    clients.consumer(config).create_with_context(ConsumerEvents::default()).map_err(|error| offsets::config(&error))
}

/// A list with an offset for each partition.
fn positioned(starts: &BTreeMap<TopicPartition, Offset>) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in starts {
        list.add_partition_offset(&partition.topic, partition.partition, KafkaOffset::Offset(*offset)).map_err(
            |error| errors::no_offset("a consumer", partition, &format!("offset {offset} cannot be ({error})")),
        )?;
    }
    Ok(list)
}

impl Consumer for KafkaConsumer {
    fn assign(&mut self, partitions: &[(TopicPartition, Offset)]) -> Result<()> {
        self.admin.check_partitions(partitions.iter().map(|(partition, _)| partition))?;
        self.forget_pauses()?;
        let starts = partitions.iter().cloned().collect();
        self.consumer.assign(&positioned(&starts)?).map_err(|error| self.failed("assigning partitions", &error))?;
        self.positions = starts;
        self.own();
        Ok(())
    }

    fn subscribe(&mut self, topics: &[String]) -> Result<()> {
        if self.config.group.is_none() {
            return Err(errors::out_of_order("subscribe", "this consumer has no group"));
        }
        let known = self.admin.partition_counts(topics)?;
        if let Some(missing) = topics.iter().find(|topic| !known.contains_key(*topic)) {
            return Err(errors::no_such_topic(&kafka_errors::kafka(self.clients.brokers()), missing));
        }
        self.topics = topics.to_vec();
        self.join()
    }

    fn poll(&mut self, max_wait: Duration) -> Result<Polled> {
        let deadline = Instant::now() + max_wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Some(told) = self.hear(left)? {
                return Ok(told);
            }
            let records = match self.fetch(if self.arriving.is_some() { Duration::ZERO } else { left }) {
                Err(error) if self.may_rejoin(&error) => {
                    self.rejoin()?;
                    continue;
                }
                fetched => fetched?,
            };
            if !records.is_empty() {
                return Ok(Polled::Records(records));
            }
            self.pass_markers();
            let heard = !lock(&self.consumer.context().rebalances).is_empty();
            if !heard && Instant::now() >= deadline {
                return Ok(Polled::Nothing);
            }
        }
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let all: Vec<_> = self.leaving.iter().cloned().collect();
        for partition in partitions {
            self.leaving.remove(partition);
            self.positions.remove(partition);
        }
        self.own();
        // librdkafka hands over all of them at once.
        if self.leaving.is_empty() && !all.is_empty() { self.let_go(&all) } else { Ok(()) }
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.check_assigned(partitions)?;
        self.paused.extend(partitions.iter().cloned());
        self.consumer.pause(&list(partitions)).map_err(|error| self.failed("pausing", &error))
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.check_assigned(partitions)?;
        self.paused.retain(|paused| !partitions.contains(paused));
        self.consumer.resume(&list(partitions)).map_err(|error| self.failed("resuming", &error))
    }

    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<()> {
        self.check_assigned(std::slice::from_ref(partition))?;
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let wait = Duration::from_millis(500);
            match self.consumer.seek(&partition.topic, partition.partition, KafkaOffset::Offset(offset), wait) {
                Ok(()) => break,
                // Right after an assignment librdkafka is not ready for it yet.
                Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => return Err(self.failed(&format!("seeking in {partition}"), &error)),
            }
        }
        self.positions.insert(partition.clone(), offset);
        Ok(())
    }

    fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        self.positions.get(partition).copied()
    }

    fn group_metadata(&self) -> Result<GroupMetadata> {
        let group = self.config.group.clone();
        let metadata = group.clone().and_then(|_| self.consumer.group_metadata());
        let (Some(group), Some(metadata)) = (group, metadata) else {
            return Err(errors::out_of_order("group_metadata", "this consumer has no group"));
        };
        let owned = Arc::clone(&self.owned);
        Ok(GroupMetadata(GroupMetadataInner::Kafka { group, metadata: Arc::new(KafkaMetadata(metadata)), owned }))
    }

    fn close(self: Box<Self>, deadline: Duration) {
        // The client waits for its broker while closing; a deadline needs another thread.
        let (done, closed) = std::sync::mpsc::channel();
        let closing = std::thread::Builder::new().name("headwater-close".to_owned()).spawn(move || {
            drop(self);
            let _ = done.send(());
        });
        if closing.is_ok() && closed.recv_timeout(deadline).is_err() {
            tracing::warn!("a consumer could not leave its group in time; the group notices after its session timeout");
        }
    }
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        // From here on the client answers rebalances itself; those that wait for an answer get it now.
        self.consumer.context().closing.store(true, Ordering::Release);
        let waiting = !self.leaving.is_empty() || self.arriving.is_some();
        if waiting && let Err(error) = self.consumer.unassign() {
            tracing::debug!(%error, "nothing to give back");
        }
    }
}
