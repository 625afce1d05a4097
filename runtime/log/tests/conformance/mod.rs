//! What every log must do, whichever it is. Each function is one promise; `suite!` makes a test of each.

#![allow(dead_code, reason = "each log uses what it needs")]

pub mod groups;
pub mod offsets;
pub mod records;
pub mod topics;
pub mod transactions;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use headwater_core::{BatchBuilder, Headers, Offset, RecordBatch, Result, TopicPartition};
use headwater_log::{Consumer, ConsumerConfig, Isolation, Log, Polled, Producer, ProducerConfig, TopicSpec};

/// Long enough for a broker on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A log to test, and a name nobody else uses.
pub struct World {
    pub log: Arc<dyn Log>,
    pub name: String,
    pub keep: Option<tempfile::TempDir>,
}

impl World {
    pub fn new(log: Arc<dyn Log>, test: &str, keep: Option<tempfile::TempDir>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("{test}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        Self { log, name, keep }
    }

    /// Creates a topic and gives its partitions.
    pub fn topic(&self, suffix: &str, partitions: i32, config: &[(&str, &str)]) -> Vec<TopicPartition> {
        let name = format!("{}-{suffix}", self.name);
        let config = config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.log.create_topics(&[TopicSpec { name: name.clone(), partitions, config }]).unwrap();
        (0..partitions).map(|p| TopicPartition::new(name.as_str(), p)).collect()
    }

    pub fn producer(&self) -> Box<dyn Producer> {
        self.log.producer(&ProducerConfig::default()).unwrap()
    }

    pub fn transactional(&self, id: &str) -> Box<dyn Producer> {
        let id = format!("{}-{id}", self.name);
        self.log.producer(&ProducerConfig { transactional_id: Some(id), ..ProducerConfig::default() }).unwrap()
    }

    pub fn reader(&self, partitions: &[TopicPartition]) -> Box<dyn Consumer> {
        self.reader_of(partitions, &ConsumerConfig::default())
    }

    pub fn reader_of(&self, partitions: &[TopicPartition], config: &ConsumerConfig) -> Box<dyn Consumer> {
        let mut consumer = self.log.consumer(config).unwrap();
        let from_start: Vec<_> = partitions.iter().map(|p| (p.clone(), 0)).collect();
        consumer.assign(&from_start).unwrap();
        consumer
    }

    /// Writes values with rising timestamps, outside of transactions.
    pub fn write(&self, partition: &TopicPartition, values: &[&str]) {
        let mut producer = self.producer();
        producer.send(partition, batch(values)).unwrap();
        producer.flush().unwrap();
    }

    /// All committed values of a partition.
    pub fn values(&self, partition: &TopicPartition) -> Vec<String> {
        let mut reader = self.reader(std::slice::from_ref(partition));
        read_to_end(&*self.log, &mut *reader, partition).into_iter().map(|record| record.value()).collect()
    }

    /// The end, committed or not: a commit shows to readers a moment after it returned.
    pub fn end(&self, partition: &TopicPartition) -> Offset {
        self.log.end_offsets(std::slice::from_ref(partition), Isolation::ReadUncommitted).unwrap()[partition]
    }
}

/// A record with all it has.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    pub offset: Offset,
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Headers,
}

impl Read {
    pub fn value(&self) -> String {
        String::from_utf8(self.value.clone().unwrap()).unwrap()
    }
}

pub fn batch(values: &[&str]) -> RecordBatch {
    let mut builder = BatchBuilder::new();
    for (index, value) in values.iter().enumerate() {
        builder.push(1_000 + index as i64, Some(b"key"), Some(value.as_bytes()), &Headers::new());
    }
    builder.take().unwrap()
}

pub fn records(batches: &[(TopicPartition, RecordBatch)]) -> BTreeMap<TopicPartition, Vec<Read>> {
    let mut all: BTreeMap<TopicPartition, Vec<Read>> = BTreeMap::new();
    for (partition, batch) in batches {
        let list = all.entry(partition.clone()).or_default();
        for record in batch {
            let record = record.unwrap();
            list.push(Read {
                offset: record.offset,
                timestamp: record.timestamp,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: record.headers,
            });
        }
    }
    all
}

/// Reads until the position has reached the end as it is now; waits for open transactions to end.
pub fn read_to_end(log: &dyn Log, consumer: &mut dyn Consumer, partition: &TopicPartition) -> Vec<Read> {
    let end = log.end_offsets(std::slice::from_ref(partition), Isolation::ReadUncommitted).unwrap()[partition];
    let mut all = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while consumer.position(partition).unwrap() < end {
        assert!(Instant::now() < deadline, "at {:?} of {end}, {} read", consumer.position(partition), all.len());
        if let Polled::Records(batches) = poll(consumer) {
            all.extend(records(&batches).remove(partition).unwrap_or_default());
        }
    }
    all
}

/// One short poll.
pub fn poll(consumer: &mut dyn Consumer) -> Polled {
    consumer.poll(Duration::from_millis(50)).unwrap()
}

/// Polls until `check` gives something.
pub fn poll_until<T>(consumer: &mut dyn Consumer, what: &str, mut check: impl FnMut(Result<Polled>) -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = check(consumer.poll(Duration::from_millis(50))) {
            return found;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
    }
}

/// Makes a test of every promise, on the log that `$open` opens for a test's name.
#[macro_export]
macro_rules! suite {
    ($open:path) => {
        $crate::suite!($open, records:
            everything_of_a_record_comes_back,
            many_records_are_read_back_whole_and_in_order,
            reading_starts_in_the_middle_of_a_batch,
            records_up_to_the_topics_limit_pass_and_larger_ones_are_refused,
            a_waiting_poll_wakes_on_new_records,
            paused_partitions_are_silent_until_resumed,
            seeking_moves_in_both_directions,
            a_position_out_of_range_follows_the_reset_policy,
            a_poll_keeps_to_its_budget_and_serves_every_partition,
        );
        $crate::suite!($open, topics:
            topics_are_created_once_listed_and_deleted,
            settings_are_checked_and_can_be_altered,
            what_does_not_exist_is_named,
            deleted_records_are_gone_and_the_rest_stays,
            a_topic_created_again_is_empty,
        );
        $crate::suite!($open, offsets:
            offsets_for_times_are_exact,
            committed_offsets_carry_metadata_and_are_absent_where_there_are_none,
        );
        $crate::suite!($open, transactions:
            a_commit_makes_all_of_it_visible,
            an_abort_leaves_nothing_to_be_seen,
            an_open_transaction_is_not_seen,
            positions_pass_what_is_not_a_record,
            offsets_commit_and_abort_with_the_transaction,
            a_second_producer_fences_the_first,
            a_transaction_left_open_is_aborted_by_its_timeout,
            calls_out_of_order_are_refused,
        );
        $crate::suite!($open, groups:
            a_lone_member_gets_everything_from_the_committed_offset,
            two_members_share_and_equal_numbers_stay_together,
            work_is_handed_over_with_its_commit,
            a_former_owner_cannot_commit,
            a_dropped_members_partitions_move_on,
            a_second_consumer_of_an_instance_name_takes_over,
            a_returning_instance_gets_its_partitions_back,
        );
    };
    ($open:path, $module:ident: $($promise:ident,)*) => {
        $(
            #[test]
            fn $promise() {
                $crate::conformance::$module::$promise(&$open(stringify!($promise)));
            }
        )*
    };
}
