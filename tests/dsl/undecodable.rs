//! Records that cannot be decoded.

use headwater::prelude::*;

fn driver(consumed: Consumed<String, i64>) -> TopologyTestDriver {
    let app = StreamsBuilder::new("demo");
    app.stream("in", consumed).to("out", Json);
    TopologyTestDriver::new(app.build().unwrap()).unwrap().with_partitions(3).unwrap()
}

fn pipe(driver: &mut TopologyTestDriver, key: &str, value: Option<&str>) -> headwater::Result<()> {
    let mut input = driver.input::<String, Option<Vec<u8>>>("in", (Text, Raw)).to_partition(2);
    input.pipe(driver, key.to_owned(), value.map(|text| text.as_bytes().to_vec()), 42)
}

#[test]
fn they_stop_the_program_and_are_named() {
    let mut driver = driver(Consumed::json());
    pipe(&mut driver, "k", Some("1")).unwrap();
    let error = pipe(&mut driver, "k", Some("{not json")).unwrap_err();
    assert_eq!(error.code(), "HW0203");
    let text = error.to_string();
    for part in ["the value cannot be decoded", "task 0_2", "node in", "in-2@1", "help:"] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
}

#[test]
fn nothing_is_skipped_the_record_fails_again() {
    let mut driver = driver(Consumed::json());
    pipe(&mut driver, "k", Some("{")).unwrap_err();
    let error = pipe(&mut driver, "k", Some("2")).unwrap_err();
    assert!(error.to_string().contains("in-2@0"), "{error}");
    assert!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap().is_empty());
}

#[test]
fn a_null_where_the_type_has_none_is_said_to_be_one() {
    let mut driver = driver(Consumed::json());
    let error = pipe(&mut driver, "k", None).unwrap_err();
    assert_eq!(error.code(), "HW0202");
    assert!(error.to_string().contains("in-2@0"), "{error}");
}

#[test]
fn on_request_they_become_dead_letters_raw_and_with_the_reason() {
    let mut driver = driver(Consumed::json().dead_letter("rejected"));
    for value in ["1", "{", "3"] {
        pipe(&mut driver, "k", Some(value)).unwrap();
    }
    assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [1, 3]);
    let letters = driver.output::<String, Vec<u8>>("rejected", (Text, Raw)).read(&mut driver).unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].key.as_str(), letters[0].value.as_slice(), letters[0].timestamp),
        ("k", b"{".as_slice(), 42)
    );
    let header =
        |name: &str| letters[0].headers.last(&format!("__streams.errors.{name}")).unwrap().value.clone().unwrap();
    assert_eq!([header("topic"), header("partition"), header("offset")], ["in", "2", "1"]);
    assert_eq!(header("exception"), "HW0203");
    assert!(!header("message").is_empty());
    assert_eq!(driver.counters()["undecodable:in"], 1);
}

#[test]
fn a_dead_letter_can_be_undecodable_to_the_time_extractor_too() {
    let mut driver = driver(Consumed::json().timestamp(|_, n: &i64| *n).dead_letter("rejected"));
    for value in ["1", "{", "3"] {
        pipe(&mut driver, "k", Some(value)).unwrap();
    }
    let records = driver.output::<String, i64>("out", Json).read(&mut driver).unwrap();
    assert_eq!(records.iter().map(|record| record.timestamp).collect::<Vec<_>>(), [1, 3]);
}
