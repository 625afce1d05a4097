//! The first difference between two answers.

use std::collections::BTreeMap;

use super::case::{Answer, Case, Op, Output, Step, Windows};

/// How two answers differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What differs: an error of one side, the records of a topic, a store, or the count of dropped records.
    pub sort: Sort,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    JavaFails,
    WeFail,
    Records,
    Stores,
    Dropped,
}

/// The first difference, if there is one. If both sides refuse the case, they agree.
pub fn difference(case: &Case, java: &Answer, ours: &Answer) -> Option<Difference> {
    let found = |sort, text| Some(Difference { sort, text });
    match (&java.error, &ours.error) {
        (Some(_), Some(_)) => return None,
        (Some(error), None) => return found(Sort::JavaFails, format!("only Java fails: {error}")),
        (None, Some(error)) => return found(Sort::WeFail, format!("only Headwater fails: {error}")),
        (None, None) => {}
    }
    if let Some(text) = records(java, ours) {
        return found(Sort::Records, text);
    }
    if let Some(text) = stores(case, java, ours) {
        return found(Sort::Stores, text);
    }
    let text = format!("dropped: Java {}, Headwater {}", java.dropped, ours.dropped);
    if java.dropped == ours.dropped { None } else { found(Sort::Dropped, text) }
}

fn by_topic(answer: &Answer) -> BTreeMap<&str, Vec<&Output>> {
    let mut topics: BTreeMap<&str, Vec<&Output>> = BTreeMap::new();
    for record in &answer.out {
        topics.entry(&record.topic).or_default().push(record);
    }
    topics
}

/// Each topic's records in order. The order between topics is nobody's promise.
fn records(java: &Answer, ours: &Answer) -> Option<String> {
    let (java, ours) = (by_topic(java), by_topic(ours));
    // The topic that differs first in time is the one nearest to the cause.
    let topics = java.keys().chain(ours.keys());
    let first = topics.filter_map(|topic| {
        let none = Vec::new();
        let (java, ours) = (java.get(topic).unwrap_or(&none), ours.get(topic).unwrap_or(&none));
        let place = (0..java.len().max(ours.len())).find(|at| java.get(*at) != ours.get(*at))?;
        let when = java.get(place).into_iter().chain(ours.get(place)).map(|record| record.at).min()?;
        let text = format!("{topic}, record {place}: Java {:?}, Headwater {:?}", java.get(place), ours.get(place));
        Some((when, text))
    });
    first.min().map(|(_, text)| text)
}

/// Row by row. In windowed stores Java keeps closed windows (they are told to be kept long), Headwater does not.
fn stores(case: &Case, java: &Answer, ours: &Answer) -> Option<String> {
    for (store, our_rows) in &ours.stores {
        let Some(java_rows) = java.stores.get(store) else { return Some(format!("{store}: Java has none")) };
        let id: usize = store[1..].parse().ok()?;
        let grace = match case.nodes[id].op {
            Op::Aggregate { windows, .. } | Op::Cogroup { windows, .. } => grace(windows),
            _ => None,
        };
        let mut java_rows = java_rows.clone();
        if let Some(grace) = grace {
            // The greatest time that may have reached the windows: a record's, a result's or a timer's.
            let wall: i64 = case.steps.iter().map(Step::advance).sum();
            let times = case.steps.iter().map(Step::time).chain(java.out.iter().map(|record| record.ts));
            let time = times.max().unwrap_or(0).max(wall);
            let closed = |key: &str| window_end(key).is_some_and(|end| end + grace <= time);
            java_rows.retain(|row| our_rows.iter().any(|our| our.0 == row.0) || !closed(&row.0));
        }
        let mut our_rows = our_rows.clone();
        java_rows.sort();
        our_rows.sort();
        if grace.is_some() {
            java_rows.iter_mut().chain(&mut our_rows).for_each(|row| row.2 = None);
        }
        if java_rows != our_rows {
            return Some(format!("store {store}: Java {java_rows:?}, Headwater {our_rows:?}"));
        }
    }
    None
}

/// How long after its end a window's row may still be there.
fn grace(windows: Windows) -> Option<i64> {
    match windows {
        Windows::None => None,
        Windows::Tumbling { grace, .. } | Windows::Hopping { grace, .. } | Windows::Sliding { grace, .. } => {
            Some(grace)
        }
        Windows::Session { grace, size } => Some(grace + size),
        Windows::Unlimited { .. } => Some(0),
    }
}

fn window_end(key: &str) -> Option<i64> {
    key.rsplit('/').next()?.parse().ok()
}
