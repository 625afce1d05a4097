//! Headwater's side, as a process: the same topology as in `ReplayTwin.java`, and the same words to its parent.

use std::{
    io::{Read, Write},
    sync::Arc,
    thread,
    time::Duration,
};

use headwater::{
    prelude::*,
    runtime::{Mode, Progress, Settings, open_log, run},
};
use serde::{Deserialize, Serialize};

use crate::{Outcome, arguments::TwinPlace, flights, flights::Flight};

const LOOK: Duration = Duration::from_millis(100);
const STORE: &str = "daily-flights";
/// The name of the grouping, hence of the repartition topic on both sides.
pub const GROUPING: &str = "by-origin-and-carrier";

/// A window's result as both sides write it, under the key `origin/carrier`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DailyFlights {
    pub start: Timestamp,
    pub flights: i64,
}

/// Flights by carrier in, flights per origin, carrier and day out, each count once.
pub fn topology(app: &str, input: &str, output: &str) -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new(app);
    app.stream::<String, Flight>(input, Consumed::with(Text, Json))
        .map(|_, flight| (flights::key(&flight.origin, &flight.carrier), flight.tailnum))
        .group_by_key(Grouped::with(GROUPING, Text, Text))
        .windowed_by(Tumbling::of(days(1)).grace(hours(24)).emit_on_close())
        .count(STORE)
        .updates()
        .map(|window, flights| (window.key, DailyFlights { start: window.start, flights }))
        .to(output, Produced::with(Text, Json));
    app.build()
}

/// Works until the parent closes this process's input or, bounded, up to the ends that the input has now.
pub fn work(place: &TwinPlace) -> Outcome<()> {
    let topology = topology(&place.app, &place.input, &place.output)?;
    let settings =
        Settings { threads: place.threads, instance: place.instance.clone(), ..Settings::in_dir(&place.dir) };
    let log = open_log(&settings, Some(&place.brokers))?;
    let progress = Arc::new(Progress::default());
    let (listening, telling) = (progress.clone(), progress.clone());
    thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        listening.stop();
    });
    thread::spawn(move || tell(&telling));
    let mode = if place.bounded { Mode::Bounded } else { Mode::Live };
    let report = run(&topology, &log, &settings, mode, &progress)?;
    // A counter that stayed at zero is not listed.
    let late = report.counters.get(&format!("late:{STORE}")).copied().unwrap_or_default();
    writeln!(std::io::stdout(), "processed {}\ndropped {late}", report.processed)?;
    Ok(())
}

/// Says how far the run is, until the process ends.
fn tell(progress: &Progress) {
    let mut told = 0;
    loop {
        thread::sleep(LOOK);
        let processed = progress.processed();
        if processed != told && writeln!(std::io::stdout(), "processed {processed}").is_err() {
            return;
        }
        told = processed;
    }
}
