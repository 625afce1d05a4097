//! A count per key and tumbling window of a minute.

use headwater::prelude::*;

use crate::{
    disorder::{GRACE_MS, for_each},
    windows::{Counts, WindowedCount},
};

const SIZE_MS: i64 = minutes(1);

/// The measurement.
pub const TUMBLING: WindowedCount = WindowedCount {
    name: "tumbling count: windows of 60 s, grace 30 s, 1,000 keys, 5 % late, commits each 100,000 records",
    goal: 3.0,
    table: |app, on_close| {
        let windows = Tumbling::of(SIZE_MS).grace(GRACE_MS);
        let windows = if on_close { windows.emit_on_close() } else { windows };
        app.stream::<i64, i64>("numbers", Auto).group_by_key("by-key").windowed_by(windows).count("counts")
    },
    by_hand: |batches| {
        let mut counts = Counts::default();
        for_each(batches, |event| {
            let start = event.time - event.time % SIZE_MS;
            *counts.entry((event.key, start, start + SIZE_MS)).or_insert(0) += 1;
        })?;
        Ok(counts)
    },
};
