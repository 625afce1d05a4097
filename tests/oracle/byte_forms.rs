//! Bytes and names that Java programs read and write: ours against Java's own classes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use headwater::{
    log::{EmbeddedConfig, EmbeddedLog, Log, TopicSpec},
    prelude::*,
    runtime::{Mode, Settings, run},
};
use headwater_core::{SystemClock, murmur2, partition_for_key};
use serde_json::json;

use super::{
    case::{Answer, Case},
    drive::ours,
    java,
    random::Random,
    twin::topology,
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn random_keys() -> Vec<Vec<u8>> {
    let mut random = Random::new(1);
    let mut keys = vec![Vec::new()];
    keys.extend((0..10_000).map(|_| (0..random.below(40)).map(|_| random.below(256) as u8).collect()));
    keys
}

#[test]
fn keys_hash_as_in_java() {
    let keys = random_keys();
    let hexes: Vec<String> = keys.iter().map(|key| hex(key)).collect();
    let theirs = java::forms(&json!({ "of": "murmur2", "keys": hexes }));
    assert_eq!(theirs.len(), 10_001);
    for (key, theirs) in keys.iter().zip(theirs) {
        assert_eq!(i64::from(murmur2(key) as i32), theirs.as_i64().unwrap(), "{key:?}");
    }
}

#[test]
fn keys_go_to_the_partition_that_java_chooses() {
    let keys = random_keys();
    let hexes: Vec<String> = keys.iter().map(|key| hex(key)).collect();
    for partitions in [1, 2, 7, 100] {
        let theirs = java::forms(&json!({ "of": "partition", "partitions": partitions, "keys": hexes }));
        for (key, theirs) in keys.iter().zip(theirs) {
            assert_eq!(i64::from(partition_for_key(key, partitions)), theirs.as_i64().unwrap(), "{key:?}");
        }
    }
    // A null key has no partition of its own in Java either: the producer chooses.
    assert!(java::forms(&json!({ "of": "partition", "partitions": 7, "keys": [null] }))[0].is_null());
}

#[test]
fn windowed_keys_have_javas_bytes() {
    let windows =
        [("k", 0, 10), ("", 1, 20), ("a longer key", 1_700_000_000_000, 1_700_000_060_000), ("z", 5, i64::MAX)];
    let request = |session: bool| {
        let shown =
            windows.map(|(key, start, end)| json!({ "session": session, "key": key, "start": start, "end": end }));
        java::forms(&json!({ "of": "windowed", "windows": shown }))
    };
    for ((key, start, end), (time, session)) in windows.into_iter().zip(request(false).into_iter().zip(request(true))) {
        let window = Windowed { key: key.to_owned(), start, end };
        assert_eq!(bytes_of(&TimeWindowedSerde::new(Text, end - start), &window), time);
        assert_eq!(bytes_of(&SessionWindowedSerde::new(Text), &window), session);
    }
}

/// The key's bytes in hex, after they have been read back as the same key.
fn bytes_of(serde: &impl Serde<Windowed<String>>, window: &Windowed<String>) -> String {
    let mut bytes = Vec::new();
    serde.encode(window, &mut bytes).unwrap();
    assert_eq!(serde.decode(Some(&bytes)).unwrap(), *window);
    hex(&bytes)
}

/// A case with internal topics of every sort.
fn with_internal_topics() -> Case {
    let record = |topic: &str| json!({ "topic": topic, "key": "a", "value": "b1", "ts": 5 });
    let case = json!({
        "nodes": [
            { "op": "stream", "topic": "a" },
            { "op": "table", "topic": "t" },
            { "op": "aggregate", "of": [0], "fold": "count", "key": 0, "windows": { "kind": "none" }, "on_close": false },
            { "op": "select_key", "of": [0], "f": 0 },
            { "op": "repartition", "of": [3] },
            { "op": "to_table", "of": [3] },
            { "op": "aggregate", "of": [4], "fold": "reduce", "key": null, "on_close": false,
              "windows": { "kind": "tumbling", "size": 10, "grace": 0 } },
            { "op": "join_table", "of": [3, 1], "kind": "left", "grace": null },
        ],
        "steps": [record("a"), record("t")],
    });
    serde_json::from_value(case).unwrap()
}

#[test]
fn internal_topics_are_called_as_in_java() {
    let topics = |answer: Answer| {
        assert_eq!(answer.error, None);
        BTreeSet::from_iter(answer.internal_topics)
    };
    let case = with_internal_topics();
    assert_eq!(topics(ours(&case)), topics(java::answer(&case)));
}

#[test]
fn internal_topics_are_set_as_in_java_but_for_what_is_meant() {
    let case = with_internal_topics();
    let dir = tempfile::tempdir().unwrap();
    let config = EmbeddedConfig { durable: false, ..EmbeddedConfig::default() };
    let log: Arc<dyn Log> = EmbeddedLog::open(&dir.path().join("log"), config, Arc::new(SystemClock)).unwrap();
    let spec = |name: &str| TopicSpec { name: name.into(), partitions: 1, config: BTreeMap::new() };
    log.create_topics(&[spec("a"), spec("t")]).unwrap();
    let settings = Settings { create_output_topics: true, ..Settings::in_dir(dir.path()) };
    run(&topology(&case).unwrap(), &log, &settings, Mode::Bounded, &Arc::default()).unwrap();

    let theirs: Vec<(String, BTreeMap<String, String>)> = java::forms(&json!({ "of": "topic_settings", "case": case }))
        .into_iter()
        .map(|form| serde_json::from_value(form).unwrap())
        .collect();
    assert_eq!(theirs.len(), 8);
    for (topic, mut theirs) in theirs {
        let mut ours = log.topic_settings(&topic).unwrap();
        // A broker's default refuses times that lie an hour ahead; the program could not go on.
        assert_eq!(ours.remove("message.timestamp.after.max.ms"), Some(i64::MAX.to_string()), "{topic}");
        // How large a segment is that records are deleted by: the broker's choice.
        theirs.remove("segment.bytes");
        if theirs.get("cleanup.policy").is_some_and(|policy| policy == "compact,delete") {
            // Java leaves the rows of closed windows to the broker; Headwater deletes them, so a restore does not bring
            // them back.
            theirs.insert("cleanup.policy".to_owned(), "compact".to_owned());
            theirs.remove("retention.ms");
        }
        assert_eq!(ours, theirs, "{topic}");
    }
}
