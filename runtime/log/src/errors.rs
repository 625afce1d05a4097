//! The errors both logs give, worded once.

use headwater_core::{Error, ErrorKind, Offset, TopicPartition};

pub(crate) fn no_such_topic(log: &str, topic: &str) -> Error {
    Error::new(ErrorKind::Config, "HW0302", format!("topic {topic:?} does not exist in {log}"))
        .help("create the topic first, or correct its name")
}

pub(crate) fn no_such_partition(log: &str, partition: &TopicPartition) -> Error {
    Error::new(ErrorKind::Config, "HW0302", format!("partition {partition} does not exist in {log}"))
        .help("partitions are counted from 0; create the topic with more partitions or correct the number")
}

pub(crate) fn other_partition_count(topic: &str, has: i32, wanted: i32) -> Error {
    Error::new(
        ErrorKind::Config,
        "HW0303",
        format!("topic {topic:?} exists with {has} partitions where {wanted} are wanted"),
    )
    .help("use the existing number, or delete the topic and let it be created again")
}

pub(crate) fn bad_setting(topic: &str, setting: &str, what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Config, "HW0304", format!("setting {setting:?} of topic {topic:?} {what}"))
        .help("topic settings have Kafka's names and values; see Kafka's topic configuration page")
}

pub(crate) fn past_the_end(partition: &TopicPartition, offset: Offset) -> Error {
    Error::new(
        ErrorKind::Config,
        "HW0305",
        format!("records of {partition} cannot be deleted before offset {offset}: that is past its end"),
    )
    .help("give an offset between the partition's start and end offset")
}

pub(crate) fn no_offset(group: &str, partition: &TopicPartition, why: &str) -> Error {
    Error::new(ErrorKind::Log, "HW0306", format!("{group:?} has nowhere to start in {partition}: {why}"))
        .help("reset the group's offsets, or let the consumer start at the earliest or latest record")
}

pub(crate) fn record_too_large(partition: &TopicPartition, bytes: Option<usize>, limit: Option<usize>) -> Error {
    let bytes = bytes.map_or_else(|| "a record".to_owned(), |bytes| format!("a record of {bytes} bytes"));
    let limit = limit.map_or_else(String::new, |limit| format!(" of {limit} bytes"));
    Error::new(
        ErrorKind::Log,
        "HW0308",
        format!("{bytes} for {partition} is larger than the topic's max.message.bytes{limit}"),
    )
    .help("write smaller records, or raise max.message.bytes of the topic")
}

pub(crate) fn transaction_too_large(id: &str, limit: usize) -> Error {
    Error::new(
        ErrorKind::Log,
        "HW0309",
        format!("the transaction of {id:?} would grow past max_transaction_bytes = {limit}"),
    )
    .help("commit more often, or raise max_transaction_bytes; abort this transaction")
}

pub(crate) fn outdated_membership(group: &str, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unavailable, "HW0310", format!("offsets of group {group:?} were refused: {why}"))
        .help("abort the transaction, poll, and retry what is still assigned")
}

pub(crate) fn fenced(id: &str, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Fenced, "HW0312", format!("the producer of transactional id {id:?} is fenced: {why}"))
        .help("drop this producer; if its work is still this process's, open a new one and read the committed offsets")
}

pub(crate) fn instance_fenced(group: &str, instance: &str) -> Error {
    Error::new(
        ErrorKind::Fenced,
        "HW0315",
        format!("another consumer of group {group:?} took over the instance name {instance:?}"),
    )
    .help("give every running instance its own name; stop this one")
}

pub(crate) fn member_gone(group: &str, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Fenced, "HW0315", format!("this consumer is no member of group {group:?} any more: {why}"))
        .help("open a new consumer; poll more often than the group's limit")
}

pub(crate) fn group_active(group: &str) -> Error {
    Error::new(ErrorKind::Log, "HW0317", format!("offsets of group {group:?} cannot be reset while it has members"))
        .help("stop every instance of the program first")
}

pub(crate) fn out_of_order(call: &str, why: &str) -> Error {
    Error::new(ErrorKind::Internal, "HW0318", format!("{call} was called out of order: {why}"))
        .help("transactions go begin, send, send_offsets, commit or abort")
}

pub(crate) fn not_assigned(partition: &TopicPartition) -> Error {
    Error::new(ErrorKind::Internal, "HW0318", format!("{partition} is not assigned to this consumer"))
        .help("assign it, or wait until the group gives it to this member")
}

pub(crate) fn metadata_too_long(partition: &TopicPartition, bytes: usize) -> Error {
    Error::new(
        ErrorKind::Config,
        "HW0319",
        format!("the metadata committed with the offset of {partition} has {bytes} bytes, 4096 are allowed"),
    )
    .help("keep large state in a topic and commit a reference to it")
}

/// Offsets carry at most this many bytes of free text, as Kafka's default `offset.metadata.max.bytes`.
pub(crate) const MAX_OFFSET_METADATA: usize = 4096;
