//! A count per key and hopping window of a minute each five seconds: every record is in twelve windows.

use headwater::prelude::*;

use crate::{
    disorder::{GRACE_MS, for_each},
    windows::{Counts, WindowedCount},
};

const SIZE_MS: i64 = minutes(1);
const ADVANCE_MS: i64 = seconds(5);

/// The measurement.
pub const HOPPING: WindowedCount = WindowedCount {
    name: "hopping count: windows of 60 s each 5 s, grace 30 s, 1,000 keys, 5 % late, commits each 100,000 records",
    goal: 1.0,
    table: |app, on_close| {
        let windows = Hopping::of(SIZE_MS).advance_by(ADVANCE_MS).grace(GRACE_MS);
        let windows = if on_close { windows.emit_on_close() } else { windows };
        app.stream::<i64, i64>("numbers", Auto).group_by_key("by-key").windowed_by(windows).count("counts")
    },
    by_hand: |batches| {
        let mut counts = Counts::default();
        for_each(batches, |event| {
            let last = event.time - event.time % ADVANCE_MS;
            for start in (0..SIZE_MS / ADVANCE_MS).map(|back| last - back * ADVANCE_MS) {
                *counts.entry((event.key, start, start + SIZE_MS)).or_insert(0) += 1;
            }
        })?;
        Ok(counts)
    },
};
