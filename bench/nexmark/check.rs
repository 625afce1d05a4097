//! A query's result beside what it has to be.

use std::{cmp::Ordering, fmt::Debug};

use headwater::prelude::*;
use headwater_core::RecordBatch;

use super::by_hand::Rows;
use crate::Outcome;

/// Says how the records of a result differ from the right ones, if they do.
pub type Check = Box<dyn Fn(&[RecordBatch]) -> Outcome<()>>;

/// What the records of a result are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// One after the other, in this order.
    Log,
    /// Each once, in any order.
    Set,
    /// Rows of a table: the last one of each key counts.
    Table,
}

/// Compares a result with `expected`. Keys are read as `Auto`.
pub fn check<K: headwater::dsl::Key + PartialOrd + Debug, V: headwater::dsl::Value + PartialOrd + Debug>(
    shape: Shape,
    values: impl Into<Consumed<K, V>>,
    mut expected: Rows<K, V>,
) -> Check {
    let (keys, values) = values.into().serdes();
    if shape != Shape::Log {
        expected.sort_by(order);
    }
    Box::new(move |result| {
        let mut rows = Rows::new();
        for record in result.iter().flatten() {
            let record = record?;
            rows.push((keys.decode(record.key)?, values.decode(record.value)?));
        }
        if shape == Shape::Table {
            rows = last_of_each(rows);
        }
        if shape != Shape::Log {
            rows.sort_by(order);
        }
        if rows.is_empty() {
            return Err("there is no result at all".into());
        }
        same(&rows, &expected)
    })
}

fn order<T: PartialOrd>(one: &T, other: &T) -> Ordering {
    one.partial_cmp(other).unwrap_or(Ordering::Equal)
}

fn last_of_each<K: headwater::dsl::Key, V>(rows: Rows<K, V>) -> Rows<K, V> {
    rows.into_iter().collect::<std::collections::HashMap<_, _>>().into_iter().collect()
}

fn same<T: PartialEq + Debug>(found: &[T], expected: &[T]) -> Outcome<()> {
    let differs = found.iter().zip(expected).position(|(found, expected)| found != expected);
    match differs {
        None if found.len() == expected.len() => Ok(()),
        None => Err(format!("{} rows instead of {}", found.len(), expected.len()).into()),
        Some(at) => {
            let (found, expected) = (found.get(at), expected.get(at));
            Err(format!("row {at} is {found:?} instead of {expected:?}").into())
        }
    }
}
