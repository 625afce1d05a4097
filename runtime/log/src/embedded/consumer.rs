//! Reading: partitions assigned by hand or by the group, and where each is at.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use headwater_core::{Offset, RecordBatch, Result, TopicPartition};

use super::{catalog::Partition, engine::Engine, groups::Step, read};
use crate::{Consumer, ConsumerConfig, GroupMetadata, OffsetReset, Polled, api::GroupMetadataInner, errors};

/// A consumer of the embedded log.
pub(super) struct EmbeddedConsumer {
    engine: Arc<Engine>,
    config: ConsumerConfig,
    member: Option<u64>,
    reading: BTreeMap<TopicPartition, Reading>,
    /// Where the last poll's budget ran out, so that the next one begins after it.
    last_served: Option<TopicPartition>,
}

struct Reading {
    partition: Arc<Partition>,
    position: Offset,
    paused: bool,
    leaving: bool,
}

impl EmbeddedConsumer {
    pub fn new(engine: Arc<Engine>, config: ConsumerConfig) -> Self {
        Self { engine, config, member: None, reading: BTreeMap::new(), last_served: None }
    }

    fn group(&self) -> Result<&str> {
        let group = self.config.group.as_deref();
        group.ok_or_else(|| errors::out_of_order("a group call", "this consumer has no group"))
    }

    /// What the group has to say, if anything.
    fn hear(&mut self) -> Result<Option<Polled>> {
        let Some(member) = self.member else { return Ok(None) };
        let group = self.group()?;
        match self.engine.groups.step(group, member) {
            None => {
                self.reading.clear();
                Err(self.thrown_out())
            }
            Some(Step::Nothing) => Ok(None),
            Some(Step::Revoked(partitions)) => {
                for name in &partitions {
                    if let Some(reading) = self.reading.get_mut(name) {
                        reading.leaving = true;
                    }
                }
                Ok(Some(Polled::Revoked(partitions)))
            }
            Some(Step::Assigned(partitions)) => {
                self.start(&partitions)?;
                Ok(Some(Polled::Assigned(partitions)))
            }
        }
    }

    fn thrown_out(&self) -> headwater_core::Error {
        let group = self.config.group.as_deref().unwrap_or_default();
        match &self.config.instance {
            Some(instance) => errors::instance_fenced(group, instance),
            None => errors::member_gone(group, "it left"),
        }
    }

    /// Looks up where newly assigned partitions start. No commit is under way meanwhile, so one that a former owner
    /// got through is seen.
    fn start(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let group = self.group()?;
        let engine = Arc::clone(&self.engine);
        let committed = engine.alone(|| engine.committed(group, partitions))?;
        for name in partitions {
            let partition = engine.partition(name)?;
            let position = match committed.get(name) {
                Some(committed) => committed.offset,
                None => self.reset(&partition, "its group has committed no offset")?,
            };
            self.reading.insert(name.clone(), Reading { partition, position, paused: false, leaving: false });
        }
        Ok(())
    }

    fn reset(&self, partition: &Partition, why: &str) -> Result<Offset> {
        match self.config.reset {
            OffsetReset::Earliest => Ok(partition.start()),
            OffsetReset::Latest => Ok(partition.end()),
            OffsetReset::Fail => {
                let who = self.config.group.as_deref().unwrap_or("a consumer without a group");
                Err(errors::no_offset(who, &partition.name, why))
            }
        }
    }

    /// Every partition that has something to read, in turn, each with its share of the budget.
    fn fetch(&mut self) -> Result<Vec<(TopicPartition, RecordBatch)>> {
        let ready = self.ready()?;
        let share = self.config.max_poll_bytes / ready.len().max(1);
        let mut fetched = Vec::new();
        let mut bytes = 0;
        for name in ready {
            if bytes > 0 && bytes >= self.config.max_poll_bytes {
                break;
            }
            let Some(reading) = self.reading.get_mut(&name) else { continue };
            let (batches, next) = read::read(&self.engine.storage, &reading.partition, reading.position, share)?;
            reading.position = next;
            bytes += batches.iter().map(|batch| batch.as_bytes().len()).sum::<usize>();
            fetched.extend(batches.into_iter().map(|batch| (name.clone(), batch)));
            self.last_served = Some(name);
        }
        Ok(fetched)
    }

    /// The partitions with something to read, those after the last one served first. Positions that are gone are
    /// moved as the settings say.
    fn ready(&mut self) -> Result<Vec<TopicPartition>> {
        let mut ready = Vec::new();
        let mut before = Vec::new();
        let mut gone = Vec::new();
        for (name, reading) in &self.reading {
            let partition = &reading.partition;
            if partition.deleted() && !reading.leaving {
                return Err(errors::no_such_topic(&self.engine.describe(), &name.topic));
            }
            if reading.paused || reading.leaving {
                continue;
            }
            let (start, end) = (partition.start(), partition.end());
            if reading.position < start || reading.position > end {
                let why = format!("offset {} lies outside of {start}..{end}", reading.position);
                gone.push((name.clone(), self.reset(partition, &why)?));
            } else if reading.position == end {
                continue;
            }
            let after = self.last_served.as_ref().is_none_or(|last| name > last);
            if after { &mut ready } else { &mut before }.push(name.clone());
        }
        for (name, position) in gone {
            tracing::warn!(partition = %name, position, "the position was out of range and has been reset");
            if let Some(reading) = self.reading.get_mut(&name) {
                reading.position = position;
            }
        }
        ready.append(&mut before);
        Ok(ready)
    }

    fn assigned(&mut self, name: &TopicPartition) -> Result<&mut Reading> {
        self.reading.get_mut(name).ok_or_else(|| errors::not_assigned(name))
    }
}

impl Consumer for EmbeddedConsumer {
    fn assign(&mut self, partitions: &[(TopicPartition, Offset)]) -> Result<()> {
        let mut reading = BTreeMap::new();
        for (name, position) in partitions {
            let partition = self.engine.partition(name)?;
            reading.insert(name.clone(), Reading { partition, position: *position, paused: false, leaving: false });
        }
        self.reading = reading;
        Ok(())
    }

    fn subscribe(&mut self, topics: &[String]) -> Result<()> {
        let group = self.group()?.to_owned();
        let engine = Arc::clone(&self.engine);
        if let Some(missing) = topics.iter().find(|topic| engine.catalog.topic(topic).is_none()) {
            return Err(errors::no_such_topic(&engine.describe(), missing));
        }
        if let Some(member) = self.member.take() {
            engine.groups.leave(&engine.catalog, &group, member);
        }
        self.reading.clear();
        self.member = Some(engine.groups.join(&engine.catalog, &group, self.config.instance.as_deref(), topics));
        engine.signal.raise();
        Ok(())
    }

    fn poll(&mut self, max_wait: Duration) -> Result<Polled> {
        let deadline = Instant::now() + max_wait;
        loop {
            let seen = self.engine.signal.seen();
            if let Some(told) = self.hear()? {
                return Ok(told);
            }
            let records = self.fetch()?;
            if !records.is_empty() {
                return Ok(Polled::Records(records));
            }
            if !self.engine.signal.wait(seen, deadline) {
                return Ok(Polled::Nothing);
            }
        }
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let Some(member) = self.member else { return Ok(()) };
        for partition in partitions {
            self.reading.remove(partition);
        }
        self.engine.groups.release(self.group()?, member, partitions);
        self.engine.signal.raise();
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        partitions.iter().try_for_each(|partition| {
            self.assigned(partition)?.paused = true;
            Ok(())
        })
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        partitions.iter().try_for_each(|partition| {
            self.assigned(partition)?.paused = false;
            Ok(())
        })
    }

    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<()> {
        self.assigned(partition)?.position = offset;
        Ok(())
    }

    fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        self.reading.get(partition).map(|reading| reading.position)
    }

    fn group_metadata(&self) -> Result<GroupMetadata> {
        let group = self.group()?;
        let inner = |member| GroupMetadataInner::Embedded {
            group: group.to_owned(),
            member,
            // A member that was thrown out gets a generation that no group has, and so is refused.
            generation: self.engine.groups.generation(group, member).unwrap_or(0),
        };
        let member = self.member.ok_or_else(|| errors::out_of_order("group_metadata", "subscribe comes first"))?;
        Ok(GroupMetadata(inner(member)))
    }

    fn close(self: Box<Self>, _deadline: Duration) {
        // Leaving happens on drop, and takes no time.
    }
}

impl Drop for EmbeddedConsumer {
    fn drop(&mut self) {
        if let (Some(group), Some(member)) = (self.config.group.as_deref(), self.member) {
            self.engine.groups.leave(&self.engine.catalog, group, member);
            self.engine.signal.raise();
        }
    }
}
