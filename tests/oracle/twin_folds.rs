//! The twin's aggregations and windows; `Folds.java`.

use headwater::prelude::*;

use super::{
    case::{Fold, Windows},
    functions as fns,
    twin::{Built, Nullable, Twin, grouped},
};

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
        let (stream, store, group) = (self.stream(of), format!("s{id}"), format!("g{id}"));
        let select = move |k: &Nullable, v: Option<&str>| fns::key(key.unwrap_or(2), k.as_deref(), v);
        if fold == Fold::ReduceValues {
            let stream = stream.flat_map_values(|v| v);
            let group = Grouped::with(&group, Text, Text);
            let grouped = match key {
                None => stream.group_by_key(group),
                Some(_) => stream.group_by(move |k, v: &String| select(k, Some(v)), group),
            };
            let reduce = |a: String, b: String| fns::reduce(Some(&a), Some(&b));
            return match windows {
                Windows::None => Built::Texts(grouped.reduce(self.rows(&store), reduce)),
                Windows::Tumbling { size, grace } => Built::WindowedTexts(
                    grouped.windowed_by(tumbling(size, grace, on_close)).reduce(self.rows(&store), reduce),
                ),
                _ => panic!("the DSL has no {windows:?}"),
            };
        }
        let grouped = match key {
            None => stream.group_by_key(grouped(&group)),
            Some(_) => stream.group_by(move |k, v| select(k, v.as_deref()), grouped(&group)),
        };
        let add = |_: &Nullable, v: Nullable, a: &mut String| *a = fns::add(a, v.as_deref());
        let update =
            |_: &Nullable, v: Nullable, a: &mut Nullable| *a = fns::update(a.as_deref().unwrap_or(""), v.as_deref());
        let reduce = |a: Nullable, b: Nullable| fns::reduce_or_delete(a.as_deref(), b.as_deref());
        match (windows, fold) {
            (Windows::None, Fold::Count) => Built::Counts(grouped.count(self.counts(&store))),
            (Windows::None, Fold::Reduce) => Built::Reduced(grouped.reduce(self.nullable(&store), reduce)),
            (Windows::None, Fold::Aggregate) => Built::Texts(grouped.aggregate(self.rows(&store), String::new, add)),
            (Windows::None, _) => Built::Texts(grouped.update(self.rows(&store), update)),
            (Windows::Tumbling { size, grace }, fold) => {
                let windowed = grouped.windowed_by(tumbling(size, grace, on_close));
                match fold {
                    Fold::Count => Built::WindowedCounts(windowed.count(self.counts(&store))),
                    Fold::Reduce => Built::WindowedReduced(windowed.reduce(self.nullable(&store), reduce)),
                    Fold::Aggregate => Built::WindowedTexts(windowed.aggregate(self.rows(&store), String::new, add)),
                    _ => panic!("windows have no update"),
                }
            }
            _ => panic!("the DSL has no {windows:?}"),
        }
    }
}

fn tumbling(size: i64, grace: i64, on_close: bool) -> Tumbling {
    let windows = Tumbling::of(size).grace(grace);
    if on_close { windows.emit_on_close() } else { windows }
}
