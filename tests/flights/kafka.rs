//! On Apache Kafka.

use headwater::log::testkit::KafkaServer;

use super::program::{Flights, Moments};

#[test]
fn killed_at_random_moments_on_kafka_it_ends_with_the_same_tables() {
    let kafka = KafkaServer::start().unwrap();
    let mut moments = Moments::new();
    let dir = tempfile::tempdir().unwrap();
    let flights = Flights { dir: dir.path().to_owned(), brokers: Some(kafka.brokers().to_owned()) };
    let mut kills = 0;
    for round in 0..14 {
        let moment = if round < 2 { moments.within(100, 1_500) } else { moments.within(1_000, 3_500) };
        let threads = if round % 2 == 0 { "1" } else { "2" };
        kills += u32::from(flights.kill_demo_after(moment, &["--rate", "25000", "--threads", threads]));
        if round == 7 {
            let _ = std::fs::remove_dir_all(dir.path().join("state"));
        }
    }
    assert!(kills >= 10, "only {kills} kills met the demo at work");
    flights.succeed(&["demo", "--threads", "2"]);
    flights.verify("");
    flights.succeed(&["replay", "--version", "2"]);
    flights.succeed(&["compare", "1", "2"]);
}
