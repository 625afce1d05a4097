//! What consumers, producers and the log itself share.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use headwater_core::{Clock, Error, ErrorKind, Result, TopicPartition};
use rocksdb::WriteBatch;

use super::{
    append::{self, Commit, Identity},
    catalog::{Catalog, Partition, damaged},
    groups::Groups,
    keys,
    locks::{Signal, lock},
    log::EmbeddedConfig,
    offsets,
    storage::Storage,
    tail::TailBudget,
    turns::Turns,
};
use crate::{CommitReceipt, CommittedOffset, errors};

/// The log without its administration.
pub(super) struct Engine {
    pub storage: Storage,
    pub catalog: Catalog,
    pub groups: Groups,
    pub signal: Signal,
    pub tails: TailBudget,
    pub clock: Arc<dyn Clock>,
    pub config: EmbeddedConfig,
    turns: Turns<Commit, Result<CommitReceipt>>,
    epochs: Mutex<HashMap<Arc<str>, Arc<AtomicU64>>>,
}

impl Engine {
    pub fn new(storage: Storage, config: EmbeddedConfig, clock: Arc<dyn Clock>) -> Result<Self> {
        let catalog = Catalog::load(&storage)?;
        Ok(Self {
            storage,
            catalog,
            groups: Groups::default(),
            signal: Signal::default(),
            tails: TailBudget::default(),
            clock,
            config,
            turns: Turns::new(),
            epochs: Mutex::default(),
        })
    }

    pub fn describe(&self) -> String {
        format!("the embedded log in {}", self.storage.dir().display())
    }

    /// Writes a commit, whole or not at all.
    pub fn commit(&self, commit: Commit) -> Result<CommitReceipt> {
        self.turns.together(commit, |commits| append::apply(self, commits)).unwrap_or_else(|| {
            Err(Error::new(ErrorKind::Internal, "HW0324", "the thread that wrote a commit gave no result"))
        })
    }

    /// Does `work` while no commit is under way, so that it sees each whole or not at all.
    pub fn alone<T>(&self, work: impl FnOnce() -> T) -> T {
        self.turns.alone(work)
    }

    /// # Errors
    /// `HW0302` if there is none.
    pub fn partition(&self, of: &TopicPartition) -> Result<Arc<Partition>> {
        self.catalog.partition(of).ok_or_else(|| match self.catalog.topic(&of.topic) {
            None => errors::no_such_topic(&self.describe(), &of.topic),
            Some(_) => errors::no_such_partition(&self.describe(), of),
        })
    }

    /// The offsets a group has committed for those of `partitions` that exist.
    pub fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, CommittedOffset>> {
        let mut found = BTreeMap::new();
        for name in partitions {
            let Some(partition) = self.catalog.partition(name) else { continue };
            if let Some(committed) = offsets::committed(&self.storage, group, partition.id)? {
                found.insert(name.clone(), committed);
            }
        }
        Ok(found)
    }

    /// Takes the next epoch of a transactional id, which fences whoever holds an earlier one.
    pub fn take_over(&self, id: &str) -> Result<Identity> {
        self.alone(|| {
            let key = keys::producer(id);
            let last = match self.storage.get(&key)? {
                None => 0,
                Some(value) => value
                    .split_first()
                    .and_then(|(_, epoch)| <[u8; 8]>::try_from(epoch).ok())
                    .map(u64::from_le_bytes)
                    .ok_or_else(|| damaged(&self.storage, "a producer's epoch"))?,
            };
            let epoch = last + 1;
            let mut value = vec![1_u8];
            value.extend_from_slice(&epoch.to_le_bytes());
            let mut batch = WriteBatch::default();
            batch.put(key, value);
            self.storage.write(batch, self.config.durable)?;
            let id: Arc<str> = id.into();
            let latest = Arc::clone(lock(&self.epochs).entry(Arc::clone(&id)).or_default());
            latest.store(epoch, Ordering::Release);
            Ok(Identity { id, epoch, latest })
        })
    }
}
