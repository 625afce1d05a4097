//! A task thread: one group member, one transactional producer, the tasks of the partitions it was given.

mod assign;
mod commit;
mod purge;
mod work;

use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use headwater_core::{Error, ErrorKind, Offset, Result, TaskId, TopicPartition, murmur2};
use headwater_dsl::ThreadWriters;
use headwater_log::{Consumer, ConsumerConfig, Polled, Producer, ProducerConfig};

use crate::{outbox::Outbox, shared::Shared, task::StreamTask};

/// Bytes per poll.
const POLL_BYTES: usize = 4 << 20;
/// How long a thread with nothing to do waits for records.
const IDLE_WAIT: Duration = Duration::from_millis(20);

/// One task thread.
pub(crate) struct StreamThread {
    number: usize,
    shared: Arc<Shared>,
    consumer: Box<dyn Consumer>,
    producer: Box<dyn Producer>,
    outbox: Outbox,
    writers: ThreadWriters,
    tasks: BTreeMap<TaskId, StreamTask>,
    /// The partitions the group has given to this thread.
    owned: Vec<TopicPartition>,
    last_commit: Instant,
    last_purge: Instant,
    /// Whether no task could take a record when last asked, though one has some: it waits for what others send.
    stalled: bool,
    /// Failed commits in a row.
    recoveries: u32,
    /// Records at which a step failed since the last commit, with the failure.
    failed: BTreeMap<(TopicPartition, Offset), Rc<Error>>,
}

impl StreamThread {
    /// Joins the group, with the consumer that an earlier thread has handed on, if one has.
    pub(crate) fn start(number: usize, shared: Arc<Shared>, handed_on: Option<Box<dyn Consumer>>) -> Result<Self> {
        let topics = shared.subscribed_topics();
        let mut consumer = match handed_on {
            Some(consumer) => consumer,
            None => shared.log.consumer(&ConsumerConfig {
                group: Some(shared.app().to_owned()),
                instance: Some(group_instance(&member_name(&shared, number), &topics)),
                max_poll_bytes: POLL_BYTES,
                ..ConsumerConfig::default()
            })?,
        };
        let producer = open_producer(&shared, number)?;
        consumer.subscribe(&topics)?;
        Ok(Self {
            number,
            shared,
            consumer,
            producer,
            outbox: Outbox::default(),
            writers: ThreadWriters::default(),
            tasks: BTreeMap::new(),
            owned: Vec::new(),
            last_commit: Instant::now(),
            last_purge: Instant::now(),
            stalled: false,
            recoveries: 0,
            failed: BTreeMap::new(),
        })
    }

    /// Works until the run stops or, if it is bounded, is complete; or until another thread is to read new topics, which
    /// gets the consumer.
    pub(crate) fn run(mut self) -> Result<Option<Box<dyn Consumer>>> {
        loop {
            if self.shared.is_ending() {
                self.commit_or_recover()?;
                break;
            }
            let wait = if self.has_work() { Duration::ZERO } else { IDLE_WAIT };
            match self.consumer.poll(wait) {
                Ok(polled) => self.take(polled)?,
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    tracing::warn!(%error, "the log is not available; going on when it is");
                    std::thread::sleep(IDLE_WAIT);
                }
                Err(error) => return Err(error),
            }
            self.work()?;
            if self.commit_is_due() {
                self.commit_or_recover()?;
                self.purge_if_due();
            }
            if self.shared.bounds.is_some() && self.shared.all_complete() {
                break;
            }
        }
        Ok(self.close())
    }

    fn take(&mut self, polled: Polled) -> Result<()> {
        match polled {
            Polled::Nothing => Ok(()),
            Polled::Records(batches) => {
                for (partition, batch) in batches {
                    for task in self.tasks.values_mut() {
                        if let Some(place) = task.partitions.iter().position(|at| *at == partition) {
                            task.append(place, batch)?;
                            break;
                        }
                    }
                }
                self.pause_full_queues()
            }
            Polled::Assigned(partitions) => self.assigned(&partitions),
            Polled::Revoked(partitions) => self.revoked(&partitions),
            Polled::Lost(partitions) => {
                self.lost(&partitions);
                Ok(())
            }
        }
    }

    fn close(self) -> Option<Box<dyn Consumer>> {
        for task in self.tasks.values() {
            if let Some(store) = &task.store
                && let Err(error) = store.flush()
            {
                tracing::warn!(%error, task = %task.id, "the state could not be flushed; the next start restores more");
            }
        }
        drop(self.tasks);
        drop(self.producer);
        if self.shared.is_outdated() {
            return Some(self.consumer);
        }
        self.consumer.close(Duration::from_secs(5));
        None
    }
}

/// A thread's name in its transactional id: the same after a restart.
fn member_name(shared: &Shared, number: usize) -> String {
    format!("{}-{}-{number}", shared.app(), shared.settings.instance)
}

/// The name as a group member. Kafka gives a member that comes back under its name what it had before, whatever it now
/// subscribes to; with other topics it must be another member.
fn group_instance(member: &str, topics: &[String]) -> String {
    format!("{member}-{:08x}", murmur2(topics.join("\0").as_bytes()))
}

fn open_producer(shared: &Shared, number: usize) -> Result<Box<dyn Producer>> {
    shared
        .log
        .producer(&ProducerConfig { transactional_id: Some(member_name(shared, number)), ..ProducerConfig::default() })
}

fn gave_up(error: Error, recoveries: u32) -> Error {
    if recoveries == 0 {
        return error;
    }
    let kind = error.kind();
    Error::new(kind, "HW0605", format!("gave up after {recoveries} commits in a row had failed"))
        .caused_by(error)
        .help("what was committed is safe; see the cause, then start again")
}
