//! A count per key and session.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use headwater::prelude::*;

use crate::{
    disorder::{GRACE_MS, for_each},
    windows::{Counts, WindowedCount},
};

const GAP_MS: i64 = seconds(2);

/// The measurement: a session has about seven records.
pub const SESSION: WindowedCount = WindowedCount {
    name: "session count: gap 2 s, grace 30 s, 1,000 keys, 5 % late, commits each 100,000 records",
    goal: 1.0,
    table: |app, on_close| {
        let sessions = Session::with_gap(GAP_MS).grace(GRACE_MS);
        let sessions = if on_close { sessions.emit_on_close() } else { sessions };
        app.stream::<i64, i64>("numbers", Auto).group_by_key("by-key").windowed_by(sessions).count("counts")
    },
    by_hand: |batches| {
        // The open sessions of each key, in order: first and last time, and the count.
        let mut open: HashMap<i64, Vec<(i64, i64, i64)>, FixedState> = HashMap::default();
        let (mut counts, mut now) = (Counts::default(), i64::MIN);
        for_each(batches, |event| {
            now = now.max(event.time);
            let sessions = open.entry(event.key).or_default();
            let closed = sessions.partition_point(|(_, end, _)| *end < now - GAP_MS - GRACE_MS);
            counts.extend(sessions.drain(..closed).map(|(start, end, count)| ((event.key, start, end), count)));
            let from = sessions.partition_point(|(_, end, _)| *end < event.time - GAP_MS);
            let near = sessions.iter().skip(from).take_while(|(start, _, _)| *start <= event.time + GAP_MS);
            let (mut merged, mut until) = ((event.time, event.time, 1), from);
            for (start, end, count) in near {
                merged = (merged.0.min(*start), merged.1.max(*end), merged.2 + count);
                until += 1;
            }
            sessions.splice(from..until, [merged]);
        })?;
        for (key, sessions) in open {
            counts.extend(sessions.into_iter().map(|(start, end, count)| ((key, start, end), count)));
        }
        Ok(counts)
    },
};
