//! What one way of running a case made of it, and how two of them differ.

use std::collections::BTreeMap;

use super::promises::{How, Promise};

/// A record as it was written: key, value, time, headers.
pub type Written = (Option<String>, Option<String>, i64, Vec<(String, Option<String>)>);

/// A store's entries in bytes.
pub type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// What there is in the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The code of the error that stopped it, or its text if it has none.
    pub error: Option<String>,
    /// By node whose results are written out, the records of one partition in their order.
    pub out: BTreeMap<usize, Vec<Written>>,
    /// By store, all tasks' entries in order.
    pub stores: BTreeMap<String, Rows>,
    /// What was counted, by name, if anything was.
    pub counters: BTreeMap<String, i64>,
}

impl Outcome {
    /// It was stopped by an error.
    pub fn failed(error: &str) -> Self {
        let code = error.find("[HW").and_then(|at| error.get(at + 1..at + 7)).unwrap_or(error);
        Self { error: Some(code.to_owned()), ..Self::default() }
    }

    /// The first thing that is not the same, as far as `promise` says that it must be.
    pub fn difference(&self, other: &Self, promise: &Promise) -> Option<String> {
        if self.error.is_some() || other.error.is_some() {
            let text = format!("error: {:?}, {:?}", self.error, other.error);
            return (self.error != other.error).then_some(text);
        }
        for (node, ours) in &self.out {
            let (ours, theirs) = (shown(ours, promise.out(*node)), other.out.get(node));
            let theirs = theirs.map(|theirs| shown(theirs, promise.out(*node))).unwrap_or_default();
            if let Some(text) = first_apart(&ours, &theirs) {
                return Some(format!("out-{node}: {text}"));
            }
        }
        for (store, ours) in &self.stores {
            let how = promise.store(store);
            let (ours, theirs) = (rows(ours, how), other.stores.get(store).map(|rows_of| rows(rows_of, how)));
            if let Some(text) = first_apart(&ours, &theirs.unwrap_or_default()) {
                return Some(format!("store {store}: {text}"));
            }
        }
        let (ours, theirs) = (promise.counters(&self.counters), promise.counters(&other.counters));
        (ours != theirs).then(|| format!("counters: {ours:?}, {theirs:?}"))
    }
}

/// The records in the form in which they are compared.
fn shown(records: &[Written], how: How) -> Vec<String> {
    let mut shown: Vec<String> = match how {
        How::Unsaid => Vec::new(),
        How::Same => records.iter().map(|record| format!("{record:?}")).collect(),
        How::SameButHeaders => {
            records.iter().map(|(key, value, time, _)| format!("{key:?} {value:?} {time}")).collect()
        }
        How::SameInTheEnd => {
            let last: BTreeMap<_, _> = records.iter().map(|(key, value, ..)| (key, value)).collect();
            let there = last.into_iter().filter(|(_, value)| value.is_some());
            there.map(|(key, value)| format!("{key:?} {value:?}")).collect()
        }
    };
    shown.sort();
    shown
}

/// Format byte and time, which stand before a row's value.
const ROW_HEAD: usize = 9;

fn rows(rows: &Rows, how: How) -> Vec<String> {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let mut shown: Vec<String> = match how {
        How::Unsaid => Vec::new(),
        How::Same | How::SameButHeaders => {
            rows.iter().map(|(key, row)| format!("{} = {}", text(key), text(row))).collect()
        }
        How::SameInTheEnd => rows
            .iter()
            .map(|(key, row)| format!("{} = {}", text(key), text(row.get(ROW_HEAD..).unwrap_or_default())))
            .collect(),
    };
    shown.sort();
    shown
}

/// What only one of two sorted lists has, from the first such thing on.
fn first_apart(ours: &[String], theirs: &[String]) -> Option<String> {
    let (mut only_ours, mut only_theirs) = (Vec::new(), Vec::new());
    let (mut left, mut right) = (ours.iter().peekable(), theirs.iter().peekable());
    loop {
        match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some(our), Some(their)) if our == their => {
                left.next();
                right.next();
            }
            (Some(our), their) if their.is_none_or(|their| our < their) => only_ours.extend(left.next()),
            _ => only_theirs.extend(right.next()),
        }
    }
    let same = only_ours.is_empty() && only_theirs.is_empty();
    let (count, first) = (only_ours.len() + only_theirs.len(), 3);
    only_ours.truncate(first);
    only_theirs.truncate(first);
    (!same).then(|| format!("{count} apart: only the first {only_ours:?}, only the second {only_theirs:?}"))
}
