//! The twin's aggregations and windows; `Folds.java`.
#![expect(clippy::needless_pass_by_value, reason = "the DSL hands values over")]

use headwater::prelude::*;

use super::{
    case::{Fold, Windows},
    functions as fns,
    twin::{Built, Nullable, Twin, grouped},
};

fn reduce_values(a: String, b: String) -> String {
    fns::reduce(Some(&a), Some(&b))
}

fn reduce(a: Nullable, b: Nullable) -> Nullable {
    fns::reduce_or_delete(a.as_deref(), b.as_deref())
}

fn add(_: &Nullable, v: Nullable, a: &mut String) {
    *a = fns::add(a, v.as_deref());
}

fn update(_: &Nullable, v: Nullable, a: &mut Nullable) {
    *a = fns::update(a.as_deref().unwrap_or(""), v.as_deref());
}

fn merge(_: &Nullable, a: String, b: String) -> String {
    fns::merge(&a, &b)
}

/// The windows as the DSL has them, given to `$fold` with `$windowed` standing for the stream in windows.
macro_rules! in_windows {
    ($grouped:expr, $windows:expr, $on_close:expr, $windowed:ident => $fold:expr, $session:ident => $merge:expr) => {
        match $windows {
            Windows::Tumbling { size, grace } => {
                let windows = Tumbling::of(size).grace(grace);
                let $windowed = $grouped.windowed_by(if $on_close { windows.emit_on_close() } else { windows });
                $fold
            }
            Windows::Hopping { size, advance, grace } => {
                let windows = Hopping::of(size).advance_by(advance).grace(grace);
                let $windowed = $grouped.windowed_by(if $on_close { windows.emit_on_close() } else { windows });
                $fold
            }
            Windows::Sliding { size, grace } => {
                let windows = Sliding::of(size).grace(grace);
                let $windowed = $grouped.windowed_by(if $on_close { windows.emit_on_close() } else { windows });
                $fold
            }
            Windows::Unlimited { start } => {
                let $windowed = $grouped.windowed_by(Unlimited::starting_at(start));
                $fold
            }
            Windows::Session { size, grace } => {
                let windows = Session::with_gap(size).grace(grace);
                let $session = $grouped.windowed_by(if $on_close { windows.emit_on_close() } else { windows });
                $merge
            }
            Windows::None => unreachable!("an aggregate without windows is made elsewhere"),
        }
    };
}

impl Twin<'_> {
    pub fn aggregate(
        &self,
        id: usize,
        of: usize,
        fold: Fold,
        key: Option<u8>,
        windows: Windows,
        on_close: bool,
    ) -> Built {
        let store = format!("s{id}");
        if fold == Fold::ReduceValues {
            let grouped = self.group_values(of, &format!("g{id}"), key);
            if windows == Windows::None {
                return Built::Texts(grouped.reduce(self.rows(&store), reduce_values));
            }
            let rows = self.rows(&store);
            return Built::WindowedTexts(in_windows!(grouped, windows, on_close,
                windowed => windowed.reduce(rows, reduce_values), session => session.reduce(rows, reduce_values)));
        }
        let grouped = self.group(of, &format!("g{id}"), key);
        match (windows, fold) {
            (Windows::None, Fold::Count) => Built::Counts(grouped.count(self.counts(&store))),
            (Windows::None, Fold::Reduce) => Built::Reduced(grouped.reduce(self.nullable(&store), reduce)),
            (Windows::None, Fold::Aggregate) => Built::Texts(grouped.aggregate(self.rows(&store), String::new, add)),
            (Windows::None, _) => Built::Texts(grouped.update(self.rows(&store), update)),
            (_, Fold::Count) => Built::WindowedCounts(in_windows!(grouped, windows, on_close,
                windowed => windowed.count(self.counts(&store)), session => session.count(self.counts(&store)))),
            (_, Fold::Reduce) => Built::WindowedReduced(in_windows!(grouped, windows, on_close,
                windowed => windowed.reduce(self.nullable(&store), reduce),
                session => session.reduce(self.nullable(&store), reduce))),
            (_, _) => Built::WindowedTexts(in_windows!(grouped, windows, on_close,
                windowed => windowed.aggregate(self.rows(&store), String::new, add),
                session => session.aggregate(self.rows(&store), String::new, add, merge))),
        }
    }

    /// Cogroups the inputs; the aggregates tell apart by the input's place what came from where.
    pub fn cogroup(&self, id: usize, of: &[usize], key: Option<u8>, windows: Windows) -> Built {
        let marked = |place: usize| {
            move |_: &Nullable, v: Nullable, a: &mut String| {
                *a = fns::add(a, Some(&format!("{place}{}", v.as_deref().unwrap_or("_"))));
            }
        };
        let grouped = |place: usize| self.group(of[place], &format!("g{id}-{place}"), key);
        let mut all = grouped(0).cogroup(marked(0));
        for place in 1..of.len() {
            all = all.cogroup(grouped(place), marked(place));
        }
        let rows = self.rows(&format!("s{id}"));
        if windows == Windows::None {
            return Built::Texts(all.aggregate(rows, String::new));
        }
        Built::WindowedTexts(in_windows!(all, windows, false,
            windowed => windowed.aggregate(rows, String::new), session => session.aggregate(rows, String::new, merge)))
    }

    fn group(&self, of: usize, name: &str, key: Option<u8>) -> KGroupedStream<Nullable, Nullable> {
        let stream = self.stream(of);
        match key {
            None => stream.group_by_key(grouped(name)),
            Some(f) => stream.group_by(move |k, v| fns::key(f, k.as_deref(), v.as_deref()), grouped(name)),
        }
    }

    /// As `group`, without null values.
    fn group_values(&self, of: usize, name: &str, key: Option<u8>) -> KGroupedStream<Nullable, String> {
        let (stream, group) = (self.stream(of).flat_map_values(|v| v), Grouped::with(name, Text, Text));
        match key {
            None => stream.group_by_key(group),
            Some(f) => stream.group_by(move |k, v: &String| fns::key(f, k.as_deref(), Some(v)), group),
        }
    }
}
