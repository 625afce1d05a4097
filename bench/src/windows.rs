//! What the measurements of windowed counts have in common: a topology, a rival that counts by hand, and their results,
//! which must be equal.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use headwater::{dsl::KTable, prelude::*};
use headwater_core::RecordBatch;

use crate::{
    Effort, Outcome,
    disorder::{batches, event},
    drive::drive,
    measure::{Pairs, Spread, interleave, on_thread},
    outcome::{Figure, Goal},
    pipeline::Pipeline,
    pipeline_env::State,
};

/// Records of one run.
const RECORDS: usize = 1_000_000;
/// Records per commit: as with commits each 100 ms at a million records a second.
const PER_COMMIT: usize = 100_000;
/// Records of a run whose instructions are counted.
const COUNTED: usize = 200_000;

/// Counts by key and the first and last time of a window.
pub type Counts = HashMap<(i64, i64, i64), i64, FixedState>;

/// A windowed count, measured.
pub struct WindowedCount {
    pub name: &'static str,
    pub goal: f64,
    /// The table, with results on update or on close.
    pub table: fn(&StreamsBuilder, bool) -> KTable<Windowed<i64>, i64>,
    /// Counts by hand.
    pub by_hand: fn(&[RecordBatch]) -> Outcome<Counts>,
}

/// The topology, and the results that come out of it.
struct App {
    topology: Topology,
    results: Arc<Mutex<Counts>>,
}

impl WindowedCount {
    fn app(&self, on_close: bool) -> Outcome<App> {
        let results = Arc::new(Mutex::new(Counts::default()));
        let into = results.clone();
        let app = StreamsBuilder::new("windows");
        (self.table)(&app, on_close).to_stream().for_each(move |window, count| {
            let mut results = into.lock().unwrap_or_else(PoisonError::into_inner);
            let place = (window.key, window.start, window.end);
            match count {
                Some(count) => results.insert(place, count),
                None => results.remove(&place),
            };
        });
        Ok(App { topology: app.build()?, results })
    }

    /// Measures it.
    ///
    /// # Errors
    /// If a result is wrong, which makes the figure void.
    pub fn measure(&self, effort: Effort) -> Outcome<Vec<Figure>> {
        let records = RECORDS / effort.shrink;
        let input = batches(0..records, event)?;
        let expected = (self.by_hand)(&input)?;
        let [updates, closed] = [false, true].map(|on_close| -> Outcome<Pairs> {
            let app = self.app(on_close)?;
            interleave(effort.pairs, || app.run(&input, &expected), || bare(self, &input, &expected))
        });
        let (updates, closed) = (updates?, closed?);
        let figure = Figure::new(
            self.name,
            Spread::millions_per_second(&updates.ours, records),
            "M records/s per core",
            Some(Goal::AtLeast(self.goal)),
        )
        .part("CPU against counting by hand in a hash map", updates.cost(), "x")
        .part("all of it", Spread::ns_per_record(&updates.ours, records), "ns/record")
        .part("with results on close instead of on update", Spread::ns_per_record(&closed.ours, records), "ns/record")
        .part("by hand", Spread::ns_per_record(&updates.rival, records), "ns/record");
        Ok(vec![figure])
    }

    /// One run, for counting instructions; returns its number of records.
    ///
    /// # Errors
    /// If a result is wrong.
    pub fn once(&self) -> Outcome<usize> {
        let input = batches(0..COUNTED, event)?;
        self.app(false)?.run(&input, &(self.by_hand)(&input)?)?;
        Ok(COUNTED)
    }
}

impl App {
    fn run(&self, input: &[RecordBatch], expected: &Counts) -> Outcome<Duration> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let mut pipeline = Pipeline::new(&self.topology, State::InMemory)?;
        let time = drive(&mut pipeline, &[("numbers", input)], PER_COMMIT)?;
        compare(&self.results.lock().unwrap_or_else(PoisonError::into_inner), expected)?;
        Ok(time)
    }
}

fn bare(count: &WindowedCount, input: &[RecordBatch], expected: &Counts) -> Outcome<Duration> {
    let mut counts = Counts::default();
    let time = on_thread(|| {
        counts = (count.by_hand)(input)?;
        Ok(())
    })?;
    compare(&counts, expected)?;
    Ok(time)
}

fn compare(counts: &Counts, expected: &Counts) -> Outcome<()> {
    if counts == expected {
        return Ok(());
    }
    let wrong = expected.iter().find(|(window, count)| counts.get(*window) != Some(count));
    let sizes = format!("{} windows instead of {}", counts.len(), expected.len());
    Err(match wrong {
        Some((window, count)) => format!("{sizes}; {window:?} has {:?}, not {count}", counts.get(window)),
        None => sizes,
    }
    .into())
}
