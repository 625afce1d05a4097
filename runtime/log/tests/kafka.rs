//! Apache Kafka, through our client, keeps every promise of the suite, and some are its own.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod conformance;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use conformance::World;
use headwater_core::ErrorKind;
use headwater_log::{KafkaConfig, KafkaLog, testkit::KafkaServer};

fn open(test: &str) -> World {
    let server = KafkaServer::shared();
    let log: Arc<KafkaLog> = KafkaLog::connect(server.brokers(), KafkaConfig::default()).unwrap();
    World::new(log, test, None)
}

suite!(crate::open);

#[test]
fn no_broker_at_the_address_is_an_error_within_ten_seconds_that_names_it() {
    let started = Instant::now();
    // Port 9 (discard) is never a broker.
    let error = KafkaLog::connect("127.0.0.1:9", KafkaConfig::default()).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!((error.code(), error.kind()), ("HW0301", ErrorKind::Unavailable));
    assert!(error.to_string().contains("127.0.0.1:9"), "{error}");
}
