//! Bytes and names that Java programs read and write: ours against Java's own classes.

use headwater_core::{murmur2, partition_for_key};
use serde_json::json;

use super::{java, random::Random};

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
