//! What bad input gets: a named error that says what to do, and nothing written.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use super::program::{Flights, text};

#[test]
fn no_broker_at_the_address_is_named_within_ten_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let flights = Flights { dir: dir.path().join("d"), brokers: Some("127.0.0.1:9".to_owned()) };
    let started = Instant::now();
    let output = flights.verb(&["demo"]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("127.0.0.1:9") && error.contains("HW0301"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn a_second_demo_on_the_same_directory_says_who_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let flights = Flights::in_dir(dir.path());
    let mut first =
        flights.command(&["demo", "--rate", "100"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !dir.path().join("log/owner").exists() {
        assert!(Instant::now() < deadline, "the first demo did not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    let second = flights.verb(&["demo"]);
    first.kill().unwrap();
    let first_id = first.id();
    first.wait().unwrap();
    let error = text(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{error}");
    assert!(error.contains(&first_id.to_string()), "{error}");
}

#[test]
fn a_topic_that_does_not_exist_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let flights = Flights::in_dir(dir.path());
    let output = flights.verb(&["run", "--bounded"]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("help:"), "{error}");
    assert!(!dir.path().join("lake/catalog.db").exists(), "a lake was made: {error}");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a-file");
    std::fs::write(&file, "in the way").unwrap();
    for place in [file.join("lake"), file] {
        let flights = Flights { dir: place.clone(), brokers: None };
        let output = flights.verb(&["demo"]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("a-file") && error.contains("HW0") && error.contains("help:"), "{error}");
    }
}

/// A limit on the size of files stands for a full disk: writes past it fail.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_takes_no_more_is_a_named_error_and_a_later_start_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let flights = Flights::in_dir(dir.path());
    let mut failures = 0;
    for kib in [200, 3_000, 15_000, 40_000] {
        let output = flights.verb_with_file_limit(kib, &["demo"]);
        if output.status.success() {
            continue;
        }
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "limit {kib} KiB: {error}");
        assert!(error.contains("HW0") && error.contains("help:"), "limit {kib} KiB: {error}");
        failures += 1;
    }
    assert!(failures >= 2, "only {failures} runs met the limit");
    flights.succeed(&["demo"]);
    flights.verify("");
}
