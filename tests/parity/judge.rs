//! An answer against the plain count.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use serde::Serialize;

use crate::flights::{Counts, Window, is_closing};

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Flights that the answer's windows lack.
    pub missing_flights: i64,
    /// Flights that it has too many.
    pub surplus_flights: i64,
    /// Windows with another count than the right one, without any, with more than one, or that should not be.
    pub wrong_windows: usize,
    /// Equal answers have equal fingerprints.
    pub fingerprint: String,
}

/// Judges results, of which a window should have one.
pub fn judge(truth: &Counts, results: Vec<(Window, i64)>) -> Verdict {
    let mut answer: BTreeMap<Window, Vec<i64>> = BTreeMap::new();
    for (window, flights) in results.into_iter().filter(|(window, _)| !is_closing(window)) {
        answer.entry(window).or_default().push(flights);
    }
    answer.values_mut().for_each(|counts| counts.sort_unstable());
    let mut hasher = DefaultHasher::new();
    answer.hash(&mut hasher);
    let mut verdict = Verdict {
        missing_flights: 0,
        surplus_flights: 0,
        wrong_windows: answer.keys().filter(|window| !truth.contains_key(*window)).count(),
        fingerprint: format!("{:016x}", hasher.finish()),
    };
    for (window, right) in truth {
        let counts = answer.get(window).map(Vec::as_slice).unwrap_or_default();
        verdict.wrong_windows += usize::from(counts != [*right]);
        verdict.missing_flights += (right - counts.iter().sum::<i64>()).max(0);
    }
    let right_total: i64 = truth.values().sum();
    let total: i64 = answer.values().flatten().sum();
    verdict.surplus_flights = total - right_total + verdict.missing_flights;
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(counts: &[(&str, i64)]) -> Vec<(Window, i64)> {
        counts.iter().map(|(key, flights)| (((*key).to_owned(), 0), *flights)).collect()
    }

    #[test]
    fn every_kind_of_fault_is_noticed() {
        let truth: Counts = results(&[("a", 3), ("b", 5)]).into_iter().collect();
        let judged = |counts: &[(&str, i64)]| {
            let verdict = judge(&truth, results(counts));
            (verdict.missing_flights, verdict.surplus_flights, verdict.wrong_windows)
        };
        assert_eq!(judged(&[("b", 5), ("a", 3), ("END/0-1", 1)]), (0, 0, 0));
        assert_eq!(judged(&[("a", 3)]), (5, 0, 1));
        assert_eq!(judged(&[("a", 2), ("b", 5)]), (1, 0, 1));
        assert_eq!(judged(&[("a", 3), ("b", 5), ("b", 5)]), (0, 5, 1));
        assert_eq!(judged(&[("a", 3), ("b", 5), ("c", 1)]), (0, 1, 1));
        assert_eq!(judged(&[("a", 2), ("b", 6)]), (1, 1, 2));
    }

    #[test]
    fn answers_are_equal_whatever_their_order() {
        let print = |counts: &[(&str, i64)]| judge(&Counts::new(), results(counts)).fingerprint;
        assert_eq!(print(&[("a", 1), ("b", 2)]), print(&[("b", 2), ("a", 1)]));
        assert_ne!(print(&[("a", 1), ("b", 2)]), print(&[("a", 2), ("b", 1)]));
        assert_ne!(print(&[("a", 1)]), print(&[("a", 1), ("a", 1)]));
    }
}
