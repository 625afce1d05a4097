//! Writing: a transaction is a list in memory until it becomes one write.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use headwater_core::{BatchBuilder, Error, ErrorKind, RecordBatch, RecordRef, Result, TopicPartition};

use super::{
    append::{Commit, GroupCommit, Identity},
    catalog::Partition,
    engine::Engine,
    locks,
};
use crate::{CommitReceipt, GroupMetadata, OffsetCommit, Producer, ProducerConfig, api::GroupMetadataInner, errors};

/// Larger batches are cut, so that a reader's memory is bounded by its own budget and this.
const MAX_BATCH_BYTES: usize = 4 << 20;

/// A producer of the embedded log.
pub(super) struct EmbeddedProducer {
    engine: Arc<Engine>,
    identity: Option<Identity>,
    timeout: Duration,
    max_bytes: usize,
    open: Option<Transaction>,
    /// Set once this producer's transaction ran into its timeout.
    expired: bool,
    known: HashMap<TopicPartition, Arc<Partition>>,
    /// What was written without a transaction since the last flush.
    unflushed: CommitReceipt,
}

struct Transaction {
    since: Instant,
    bytes: usize,
    batches: Vec<(Arc<Partition>, RecordBatch)>,
    offsets: Vec<GroupCommit>,
    /// Why it can only be aborted.
    doomed: Option<(ErrorKind, &'static str, String)>,
}

impl Transaction {
    fn doom(&mut self, error: &Error) {
        self.doomed = Some((error.kind(), error.code(), error.to_string()));
    }
}

impl EmbeddedProducer {
    pub fn open(engine: Arc<Engine>, config: &ProducerConfig) -> Result<Self> {
        let identity = config.transactional_id.as_deref().map(|id| engine.take_over(id)).transpose()?;
        Ok(Self {
            engine,
            identity,
            timeout: config.transaction_timeout,
            max_bytes: config.max_transaction_bytes,
            open: None,
            expired: false,
            known: HashMap::new(),
            unflushed: CommitReceipt::default(),
        })
    }

    fn identity(&self, call: &str) -> Result<&Identity> {
        self.identity.as_ref().ok_or_else(|| errors::out_of_order(call, "this producer has no transactional id"))
    }

    /// The open transaction, if this producer may still go on with it.
    fn transaction(&mut self, call: &str) -> Result<&mut Transaction> {
        let identity = self.identity(call)?;
        identity.check()?;
        let id = Arc::clone(&identity.id);
        self.expired |= self.open.as_ref().is_some_and(|open| open.since.elapsed() > self.timeout);
        if self.expired {
            self.open = None;
            let why = format!("its transaction stayed open longer than {:?} and was aborted", self.timeout);
            return Err(errors::fenced(&id, why));
        }
        self.open.as_mut().ok_or_else(|| errors::out_of_order(call, "no transaction is open"))
    }

    fn partition(&mut self, name: &TopicPartition) -> Result<Arc<Partition>> {
        if let Some(partition) = self.known.get(name).filter(|partition| !partition.deleted()) {
            return Ok(Arc::clone(partition));
        }
        let partition = self.engine.partition(name)?;
        self.known.insert(name.clone(), Arc::clone(&partition));
        Ok(partition)
    }
}

impl Producer for EmbeddedProducer {
    fn begin(&mut self) -> Result<()> {
        let identity = self.identity("begin")?;
        identity.check()?;
        if self.expired {
            return Err(errors::fenced(&identity.id, "an earlier transaction was aborted by its timeout"));
        }
        if self.open.is_some() {
            return Err(errors::out_of_order("begin", "a transaction is open already"));
        }
        self.open = Some(Transaction {
            since: Instant::now(),
            bytes: 0,
            batches: Vec::new(),
            offsets: Vec::new(),
            doomed: None,
        });
        Ok(())
    }

    fn send(&mut self, name: &TopicPartition, batch: RecordBatch) -> Result<()> {
        let partition = self.partition(name)?;
        let batches = fitting(&partition, batch)?;
        let Some(id) = self.identity.as_ref().map(|identity| Arc::clone(&identity.id)) else {
            let batches = batches.into_iter().map(|batch| (Arc::clone(&partition), batch)).collect();
            let commit = Commit { batches, offsets: Vec::new(), producer: None, sync: false };
            let receipt = self.engine.commit(commit)?;
            self.unflushed.next_offsets.extend(receipt.next_offsets);
            return Ok(());
        };
        let limit = self.max_bytes;
        let open = self.transaction("send")?;
        let bytes: usize = batches.iter().map(|batch| batch.as_bytes().len()).sum();
        if open.bytes + bytes > limit {
            return Err(errors::transaction_too_large(&id, limit));
        }
        open.bytes += bytes;
        open.batches.extend(batches.into_iter().map(|batch| (Arc::clone(&partition), batch)));
        Ok(())
    }

    fn send_offsets(&mut self, offsets: &[OffsetCommit], group: &GroupMetadata) -> Result<()> {
        let engine = Arc::clone(&self.engine);
        let open = self.transaction("send_offsets")?;
        let commit = group_commit(&engine, offsets, group);
        match commit.and_then(|(commit, generation)| still_current(&engine, commit, generation)) {
            Ok(commit) => open.offsets.push(commit),
            Err(error) => {
                open.doom(&error);
                return Err(error);
            }
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<CommitReceipt> {
        let sync = self.engine.config.durable;
        let producer = self.identity.clone();
        let open = self.transaction("commit")?;
        if let Some((kind, code, why)) = &open.doomed {
            let message = format!("the transaction can only be aborted, an earlier call failed: {why}");
            return Err(Error::new(*kind, code, message));
        }
        let batches = std::mem::take(&mut open.batches);
        let offsets = std::mem::take(&mut open.offsets);
        match self.engine.commit(Commit { batches, offsets, producer, sync }) {
            Ok(receipt) => {
                self.open = None;
                Ok(receipt)
            }
            Err(error) => {
                if let Some(open) = &mut self.open {
                    open.doom(&error);
                }
                Err(error)
            }
        }
    }

    fn abort(&mut self) -> Result<()> {
        if self.open.is_none() && !self.expired {
            return self.identity("abort")?.check();
        }
        self.transaction("abort")?;
        self.open = None;
        Ok(())
    }

    fn flush(&mut self) -> Result<CommitReceipt> {
        if self.engine.config.durable && !self.unflushed.next_offsets.is_empty() {
            self.engine.storage.sync()?;
        }
        Ok(std::mem::take(&mut self.unflushed))
    }
}

fn group_commit(engine: &Engine, offsets: &[OffsetCommit], metadata: &GroupMetadata) -> Result<(GroupCommit, u64)> {
    let GroupMetadataInner::Embedded { group, member, generation } = &metadata.0 else {
        return Err(errors::out_of_order("send_offsets", "the group metadata is another log's"));
    };
    let with_ids = |offset: &OffsetCommit| {
        if offset.metadata.len() > errors::MAX_OFFSET_METADATA {
            return Err(errors::metadata_too_long(&offset.partition, offset.metadata.len()));
        }
        Ok((engine.partition(&offset.partition)?.id, offset.clone()))
    };
    let offsets = offsets.iter().map(with_ids).collect::<Result<_>>()?;
    Ok((GroupCommit { group: group.clone(), member: *member, offsets }, *generation))
}

/// The commit, if the membership it was made with is the group's latest. Ownership is checked once more when it is
/// written.
fn still_current(engine: &Engine, commit: GroupCommit, generation: u64) -> Result<GroupCommit> {
    engine.groups.check_owned(&commit)?;
    match engine.groups.generation(&commit.group, commit.member) {
        Some(now) if now == generation => Ok(commit),
        now => {
            let why = format!("generation {generation} is outdated, the group has {now:?}");
            Err(errors::outdated_membership(&commit.group, why))
        }
    }
}

/// The batch as it can be stored: offsets without gaps, records within the topic's limit, cut if it is large.
fn fitting(partition: &Partition, batch: RecordBatch) -> Result<Vec<RecordBatch>> {
    let limit = locks::read(&partition.topic.settings).max_message_bytes;
    let bytes = batch.as_bytes().len();
    // The embedded log counts offsets by records; a batch with gaps comes from a log that has other entries.
    let dense = batch.next_offset() - batch.base_offset() == batch.len() as i64;
    if dense && bytes <= limit.min(MAX_BATCH_BYTES) {
        return Ok(vec![batch]);
    }
    let mut batches = Vec::new();
    let mut builder = BatchBuilder::new();
    for record in &batch {
        let record = record?;
        let size = size(&record);
        if size > limit {
            return Err(too_large(partition, size, limit));
        }
        if builder.byte_len() + size > MAX_BATCH_BYTES {
            batches.extend(builder.take());
        }
        builder.push(record.timestamp, record.key, record.value, &record.headers);
    }
    if batches.is_empty() && dense {
        return Ok(vec![batch]);
    }
    batches.extend(builder.take());
    Ok(batches)
}

fn size(record: &RecordRef<'_>) -> usize {
    let headers: usize =
        record.headers.iter().map(|h| h.name.len() + h.value.as_ref().map_or(0, bytes::Bytes::len)).sum();
    record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len) + headers
}

fn too_large(partition: &Partition, bytes: usize, limit: usize) -> Error {
    errors::record_too_large(&partition.name, Some(bytes), Some(limit))
}
