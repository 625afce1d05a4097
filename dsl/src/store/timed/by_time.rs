//! The order of time over all rows of a store, kept lazily: new places are put in order when a question reaches them, and
//! those of rows that are gone are left out when they are met. Sessions move with every record; most such moves are
//! never asked for.

use std::ops::RangeInclusive;

use headwater_core::Timestamp;

/// A row's time and number, and its own place in memory.
pub(super) type Entry = (Timestamp, i64, u32);

/// Entries that may be stale before they are looked through for it.
const SLACK: usize = 1_024;

/// The entries, of rows that live and of some that are gone.
#[derive(Default)]
pub(super) struct ByTime {
    /// In order from `head` on.
    sorted: Vec<Entry>,
    head: usize,
    /// Not yet in order.
    recent: Vec<Entry>,
    /// The least time in `recent`.
    recent_first: Option<Timestamp>,
}

impl ByTime {
    pub(super) fn add(&mut self, entry: Entry) {
        self.recent.push(entry);
        self.recent_first = Some(self.recent_first.map_or(entry.0, |first| first.min(entry.0)));
    }

    fn ordered(&self) -> &[Entry] {
        self.sorted.get(self.head..).unwrap_or_default()
    }

    /// Puts everything in order.
    fn merge(&mut self) {
        self.recent.sort_unstable();
        self.sorted.drain(..self.head);
        self.head = 0;
        let reaches = self.recent.first().zip(self.sorted.last()).is_some_and(|(first, last)| first < last);
        self.sorted.append(&mut self.recent);
        self.recent_first = None;
        if reaches {
            // Two runs in order: a stable sort only merges them.
            self.sorted.sort();
        }
    }

    /// Up to a time before this one no row of time `from` or later is alive; `None` if none is at all.
    pub(super) fn first(&mut self, from: Timestamp, is_live: impl Fn(&Entry) -> bool) -> Option<Timestamp> {
        if self.recent_first.is_some_and(|first| first < from) {
            self.merge();
        }
        self.drop_stale(&is_live);
        let ordered = self.ordered();
        let at = if from == Timestamp::MIN { 0 } else { ordered.partition_point(|entry| entry.0 < from) };
        ordered.get(at).map(|entry| entry.0).into_iter().chain(self.recent_first).min()
    }

    /// The entries within `times` whose rows are alive, in order; some may come twice.
    pub(super) fn within(&mut self, times: &RangeInclusive<Timestamp>, is_live: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        if self.recent_first.is_some_and(|first| first <= *times.end()) {
            self.merge();
        }
        self.drop_stale(&is_live);
        let ordered = self.ordered();
        let from = ordered.partition_point(|entry| entry.0 < *times.start());
        let within = ordered.iter().skip(from).take_while(|entry| entry.0 <= *times.end());
        within.filter(|entry| is_live(entry)).copied().collect()
    }

    /// Drops the first entries as far as their rows are gone.
    fn drop_stale(&mut self, is_live: impl Fn(&Entry) -> bool) {
        let stale = self.ordered().iter().take_while(|entry| !is_live(entry)).count();
        self.head += stale;
        if self.head > SLACK && self.head > self.sorted.len() / 2 {
            self.sorted.drain(..self.head);
            self.head = 0;
        }
    }

    /// Drops all entries whose rows are gone if those are more than the `live` ones.
    pub(super) fn tidy(&mut self, live: usize, is_live: impl Fn(&Entry) -> bool) {
        if self.len() <= 2 * live + SLACK {
            return;
        }
        self.recent.retain(&is_live);
        self.recent_first = self.recent.iter().map(|entry| entry.0).min();
        self.sorted.drain(..self.head);
        self.head = 0;
        self.sorted.retain(&is_live);
        if self.len() > live + SLACK / 2 {
            // Rows that went and came back are named twice.
            self.merge();
            self.sorted.dedup();
        }
    }

    fn len(&self) -> usize {
        self.ordered().len() + self.recent.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_answers_as_a_sorted_set_of_the_living_would(
            steps in prop::collection::vec((0_u8..6, -20_i64..20, -20_i64..20), 0..200),
        ) {
            let (mut by_time, mut living) = (ByTime::default(), BTreeSet::new());
            for (step, a, b) in steps {
                match step {
                    0..=2 if living.insert((a, b, 0)) => by_time.add((a, b, 0)),
                    3 => living.retain(|entry| entry.0 != a),
                    4 => {
                        let mut within = by_time.within(&(a..=b), |entry| living.contains(entry));
                        within.dedup();
                        let expected: Vec<_> = living.iter().filter(|entry| (a..=b).contains(&entry.0)).copied().collect();
                        prop_assert_eq!(within, expected);
                    }
                    _ => by_time.tidy(living.len(), |entry| living.contains(entry)),
                }
                let first = living.iter().find(|entry| entry.0 >= a).map(|entry| entry.0);
                let bound = by_time.first(a, |entry| living.contains(entry));
                prop_assert!(first.is_none_or(|first| bound.is_some_and(|bound| bound <= first && bound >= a)));
            }
        }
    }

    #[test]
    fn entries_of_rows_that_are_gone_are_bounded_by_those_that_live() {
        let mut by_time = ByTime::default();
        for time in 0..100_000 {
            by_time.add((time, 0, 0));
            by_time.tidy(1, |entry| entry.0 == time);
        }
        assert!(by_time.sorted.len() + by_time.recent.len() <= 2 + SLACK);
    }
}
