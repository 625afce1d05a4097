//! A record as text.

use base64::{Engine, engine::general_purpose::STANDARD};
use headwater_core::{Header, RecordRef, TopicPartition, format_timestamp};
use serde::Serialize;
use serde_json::{Value, value::RawValue};

/// A record as one JSON object.
#[derive(Serialize)]
struct JsonRecord<'a> {
    partition: i32,
    offset: i64,
    timestamp: i64,
    key: Value,
    value: Embedded<'a>,
    headers: Vec<(&'a str, Value)>,
}

/// JSON goes in as it is, so that numbers keep all their digits.
#[derive(Serialize)]
#[serde(untagged)]
enum Embedded<'a> {
    Raw(&'a RawValue),
    Made(Value),
}

/// `{"partition":0,"offset":7,"timestamp":0,"key":"UA","value":{"n":1},"headers":[["h","v"]]}`, without a line break.
pub(super) fn json_line(partition: &TopicPartition, record: &RecordRef<'_>) -> serde_json::Result<String> {
    serde_json::to_string(&JsonRecord {
        partition: partition.partition,
        offset: record.offset,
        timestamp: record.timestamp,
        key: text_or_base64(record.key),
        value: embedded(record.value),
        headers: record.headers.iter().map(header).collect(),
    })
}

/// `flights-0@7 2013-01-01T10:00:00Z UA {"n":1} h=v`.
pub(super) fn plain_line(partition: &TopicPartition, record: &RecordRef<'_>) -> String {
    let mut line = format!("{partition}@{} {}", record.offset, format_timestamp(record.timestamp));
    for bytes in [record.key, record.value] {
        line += " ";
        line += &plain(bytes);
    }
    for header in &record.headers {
        line += &format!(" {}={}", header.name, plain(header.value.as_deref()));
    }
    line
}

fn plain(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".to_owned() };
    match std::str::from_utf8(bytes) {
        // Control characters would act on the terminal; a line break would part the record.
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        Ok(text) => text.escape_default().to_string(),
        Err(_) => format!("base64:{}", STANDARD.encode(bytes)),
    }
}

fn header(header: &Header) -> (&str, Value) {
    (header.name.as_str(), text_or_base64(header.value.as_deref()))
}

fn text_or_base64(bytes: Option<&[u8]>) -> Value {
    let Some(bytes) = bytes else { return Value::Null };
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::String(text.to_owned()),
        Err(_) => serde_json::json!({ "base64": STANDARD.encode(bytes) }),
    }
}

fn embedded(bytes: Option<&[u8]>) -> Embedded<'_> {
    let json = bytes.and_then(|bytes| serde_json::from_slice::<&RawValue>(bytes).ok());
    match json {
        Some(json) if !json.get().contains(['\n', '\r']) => Embedded::Raw(json),
        Some(json) => Embedded::Made(serde_json::from_str(json.get()).unwrap_or(Value::Null)),
        None => Embedded::Made(text_or_base64(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use headwater_core::Headers;

    use super::*;

    fn line(key: Option<&[u8]>, value: Option<&[u8]>, headers: Headers) -> String {
        let record = RecordRef { offset: 7, timestamp: 1_500, key, value, headers };
        json_line(&TopicPartition::new("t", 2), &record).unwrap()
    }

    fn value(bytes: &[u8]) -> String {
        let line = line(None, Some(bytes), Headers::new());
        line.split_once("\"value\":").unwrap().1.strip_suffix(",\"headers\":[]}").unwrap().to_owned()
    }

    #[test]
    fn a_record_is_one_object_with_everything_in_it() {
        let mut headers = Headers::new();
        headers.push_text("h", "1");
        headers.push("h", None);
        assert_eq!(
            line(Some(b"1"), Some(b"{\"a\": 1.50}"), headers),
            r#"{"partition":2,"offset":7,"timestamp":1500,"key":"1","value":{"a": 1.50},"headers":[["h","1"],["h",null]]}"#
        );
        assert!(line(None, None, Headers::new()).contains(r#""key":null,"value":null"#));
    }

    #[test]
    fn values_that_are_not_json_are_text_or_base64() {
        assert_eq!(value(b"plain text"), r#""plain text""#);
        assert_eq!(value(b"12 and more"), r#""12 and more""#);
        assert_eq!(value(&[0xff, 0]), r#"{"base64":"/wA="}"#);
        assert_eq!(value(b"12345678901234567890123"), "12345678901234567890123");
    }

    #[test]
    fn a_record_never_takes_two_lines() {
        assert_eq!(value(b"{\n \"a\": [1,\r\n2]}"), r#"{"a":[1,2]}"#);
        let record = RecordRef { offset: 7, timestamp: 0, key: Some(b"a\nb"), value: None, headers: Headers::new() };
        assert_eq!(plain_line(&TopicPartition::new("t", 2), &record), "t-2@7 1970-01-01T00:00:00Z a\\nb null");
    }
}
