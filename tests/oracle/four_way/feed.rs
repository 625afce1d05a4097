//! A case's records and where they go.

use headwater_core::{Headers, partition_for_key};

use crate::oracle::case::{Case, Input, Op, Step};

/// A record and the partition it goes to.
pub struct Placed<'a> {
    pub partition: i32,
    pub record: &'a Input,
}

impl Placed<'_> {
    pub fn headers(&self) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in &self.record.headers {
            headers.push_text(name, value);
        }
        headers
    }
}

/// The records for topics of `width` partitions in the order in which they come; those without a key go to any partition.
pub fn placed(case: &Case, width: i32) -> Vec<Placed<'_>> {
    let place = |(at, record): (i32, _)| Placed { partition: partition(record, at, width), record };
    (0..).zip(records(case)).map(place).collect()
}

fn partition(record: &Input, at: i32, width: i32) -> i32 {
    record.key.as_ref().map_or(at % width, |key| partition_for_key(key.as_bytes(), width))
}

/// The records in their order.
pub fn records(case: &Case) -> impl Iterator<Item = &Input> {
    case.steps.iter().filter_map(|step| match step {
        Step::Record(record) => Some(record),
        Step::Advance { .. } => None,
    })
}

/// Makes of a case one that every way can run:
/// * the wall clock stands still: when it moves is nothing that a log could say again;
/// * a global table's records come first: a run reads them all before anything else.
pub fn settle(case: &mut Case) {
    case.steps.retain(|step| matches!(step, Step::Record(_)));
    let globals: Vec<&str> = case
        .nodes
        .iter()
        .filter_map(|node| match &node.op {
            Op::GlobalTable { topic } => Some(topic.as_str()),
            _ => None,
        })
        .collect();
    let is_global = |step: &Step| matches!(step, Step::Record(record) if globals.contains(&record.topic.as_str()));
    case.steps.sort_by_key(|step| !is_global(step));
}

/// Whether no two records have one time, and each is younger than all before it.
pub fn is_ordered(case: &Case) -> bool {
    let streams: Vec<i64> = streams(case).map(|record| record.ts).collect();
    streams.windows(2).all(|pair| pair[0] < pair[1])
}

/// Puts the records in the order of their times, and gives each a time of its own.
pub fn order(case: &mut Case) {
    case.steps.sort_by_key(Step::time);
    settle(case);
    let mut last = i64::MIN;
    for step in &mut case.steps {
        if let Step::Record(record) = step {
            // A global table's records come before all others, whatever their times.
            if record.topic != "g" {
                record.ts = record.ts.max(last.saturating_add(1));
                last = record.ts;
            }
        }
    }
}

/// The records of all topics but a global table's.
fn streams(case: &Case) -> impl Iterator<Item = &Input> {
    records(case).filter(|record| record.topic != "g")
}
