//! What a program's closures do, by number; `Functions.java` does the same. All text is ASCII.

pub type Text = Option<String>;

const LONGEST: usize = 40;

fn or_mark(text: Option<&str>) -> &str {
    text.unwrap_or("_")
}

/// FNV-1a.
pub fn hash(text: Option<&str>) -> u32 {
    or_mark(text).bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Keeps aggregates short: what is too long becomes its hash and its end.
pub fn cap(text: String) -> String {
    if text.len() <= LONGEST { text } else { format!("#{:08x}~{}", hash(Some(&text)), &text[text.len() - 8..]) }
}

pub fn test(f: u8, key: Option<&str>, value: Option<&str>) -> bool {
    let both = || hash(Some(&format!("{}={}", or_mark(key), or_mark(value))));
    match f {
        0 => value.is_some(),
        1 => both().is_multiple_of(2),
        2 => !both().is_multiple_of(3),
        3 => key.is_some(),
        _ => true,
    }
}

pub fn key(f: u8, key: Option<&str>, value: Option<&str>) -> Text {
    match (f, value) {
        (0, _) => letter(value),
        (1, _) => Some("x".to_owned()),
        (2, _) | (_, None) => key.map(str::to_owned),
        (_, Some(_)) => Some(format!("k{}", hash(value) % 3)),
    }
}

/// The first letter from a to d in a value.
pub fn letter(value: Option<&str>) -> Text {
    value?.chars().find(|c| ('a'..='d').contains(c)).map(String::from)
}

pub fn value(f: u8, value: Text) -> Text {
    match f {
        0 => Some(value.map_or_else(|| "nil".to_owned(), |value| cap(value + "'"))),
        1 => value,
        _ => value.filter(|value| !hash(Some(value)).is_multiple_of(4)),
    }
}

/// As `value` for table rows, which are never null.
pub fn row(f: u8, value: String) -> String {
    if f == 0 { cap(value + "'") } else { value }
}

pub fn flat(f: u8, value: Text) -> Vec<Text> {
    if f == 0 {
        return value.map_or_else(Vec::new, |v| vec![Some(cap(format!("{v}1"))), Some(cap(format!("{v}2")))]);
    }
    let value = value.as_deref();
    let one = || cap(format!("{}!", or_mark(value)));
    (0..hash(value) % 3).map(|i| (i != 1).then(one)).collect()
}

pub fn add(aggregate: &str, value: Option<&str>) -> String {
    cap(format!("{aggregate}+{}", or_mark(value)))
}

pub fn reduce(aggregate: Option<&str>, value: Option<&str>) -> String {
    cap(format!("{}&{}", or_mark(aggregate), or_mark(value)))
}

/// A reducer that sometimes deletes the row.
pub fn reduce_or_delete(aggregate: Option<&str>, value: Option<&str>) -> Text {
    (!hash(value).is_multiple_of(7)).then(|| reduce(aggregate, value))
}

pub fn subtract(aggregate: &str, value: &str) -> String {
    cap(format!("{aggregate}-{value}"))
}

pub fn unreduce(aggregate: &str, value: &str) -> String {
    cap(format!("{aggregate}/{value}"))
}

pub fn merge(a: &str, b: &str) -> String {
    cap(format!("{{{a}{b}}}"))
}

/// An aggregator that sometimes deletes the row.
pub fn update(aggregate: &str, value: Option<&str>) -> Text {
    (!hash(value).is_multiple_of(4)).then(|| add(aggregate, value))
}

pub fn join(left: Option<&str>, right: Option<&str>) -> String {
    cap(format!("[{}|{}]", or_mark(left), or_mark(right)))
}
