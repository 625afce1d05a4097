//! The main job's processing phase against a loop that decodes the same JSON and sums it up in a hash map.

use std::{collections::HashMap, hint::black_box, time::Duration};

use headwater::prelude::*;
use headwater_core::RecordBatch;

use crate::{
    Effort, Outcome,
    fed_log::FedLog,
    feed,
    measure::{Spread, in_process, interleave},
    model::{Airline, DailyDelays, Delays, Departure, Flight},
    outcome::{Figure, Goal},
    topology::topology,
};

/// As wide as the demo's topic.
const PARTITIONS: i32 = 4;
/// Times the bare loop goes over the data, which takes it well under a second once.
const LOOPS: u32 = 2;

/// What `perf record -g` showed of the task thread. The bare loop writes nothing.
const PROFILE: &str = "profile of the task thread: 36 % writes and closes Parquet files (one per day and transaction, \
                       some 900 rows each), 31 % decodes JSON, 15 % builds Arrow rows, 10 % commits";

/// Measures the main job.
///
/// # Errors
/// If the windows are not those of the bare loop, which makes the figures void.
pub fn measure(effort: Effort) -> Outcome<Vec<Figure>> {
    let flights = feed::flights(PARTITIONS, 336_776 / effort.shrink)?;
    let records = flights.iter().flatten().map(RecordBatch::len).sum();
    let mut log = FedLog::new()?;
    log.feed("flights", &flights)?;
    log.feed("airlines", &feed::airlines()?)?;
    let windows = bare(&flights)?;
    let rival = || Ok(in_process(|| (0..LOOPS).try_for_each(|_| bare(&flights).map(drop)))? / LOOPS);
    let (full, lean) = (topology()?, without_sinks()?);
    let all = interleave(effort.pairs, || run(&mut log, &full, records, windows), rival)?;
    let less = interleave(effort.pairs, || run(&mut log, &lean, records, windows), rival)?;
    let sinks = Spread::of(all.ours.iter().zip(&less.ours).map(|(all, less)| (all - less) / all));
    let figure = Figure::new(
        "the demo's processing phase: a year of flights, one task thread",
        all.cost(),
        "x the CPU of a bare loop: JSON, rules, hash map",
        Some(Goal::AtMost(3.0)),
    )
    .part("without the two Iceberg sinks", less.cost(), "x the bare loop")
    .part("the sinks' share of the CPU", sinks, "of the whole")
    .part("all of it", Spread::ns_per_record(&all.ours, records), "ns/record")
    .part("without the sinks", Spread::ns_per_record(&less.ours, records), "ns/record")
    .part("the bare loop", Spread::ns_per_record(&all.rival, records), "ns/record")
    .profile(PROFILE);
    Ok(vec![figure])
}

fn run(log: &mut FedLog, topology: &Topology, records: usize, windows: usize) -> Outcome<Duration> {
    let mut version = 0;
    let time = in_process(|| {
        version = log.run(topology, records)?;
        Ok(())
    })?;
    let outputs = topology.versioned(version);
    let outputs = outputs.plan().output_topics();
    let daily = outputs.iter().find(|topic| topic.starts_with("daily-delays")).ok_or("no topic of daily delays")?;
    match log.count(daily)? {
        count if count == windows as i64 => Ok(time),
        count => Err(format!("{count} windows, not {windows}").into()),
    }
}

/// Everything but the two tables.
fn without_sinks() -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new("flights-without-sinks");
    let airlines = app.global_table::<String, Airline>("airlines", Json, "airline-names");
    let accepted = app.stream::<String, Flight>("flights", Json).validate("flight-rules", rules());
    accepted
        .left_join_global(&airlines, |carrier, _| carrier.clone(), |flight, airline| (flight, airline.map(|a| a.name)))
        .for_each(|_, named| {
            black_box(named);
        });
    accepted
        .map(|_, flight| ((flight.origin.clone(), flight.carrier.clone()), Departure::of(&flight)))
        .group_by_key("by-origin-and-carrier")
        .windowed_by(Tumbling::of(days(1)).grace(hours(24)).emit_on_close())
        .aggregate("daily-delays", Delays::default, |_, departure, delays| delays.add(&departure))
        .updates()
        .map(|window, delays| (window.key.1.clone(), DailyDelays::of(window, delays)))
        .to("daily-delays-without-sinks", Json);
    app.build()
}

/// The rules of the main job.
fn rules() -> Rules<Flight> {
    Rules::new()
        .rule(not_null("tailnum-known", |f: &Flight| f.tailnum.as_ref().map(drop)).dead_letter("flights.rejected"))
        .rule(range("distance-sane", |f: &Flight| Some(f.distance), 80..).dead_letter("flights.rejected"))
        .rule(one_of("origin-known", |f: &Flight| Some(f.origin.as_str()), &["EWR", "JFK", "LGA"]).fail())
        .rule(not_null("arrival-known", |f: &Flight| f.arr_delay).tag())
}

/// The bare loop; returns how many windows there are.
fn bare(flights: &[Vec<RecordBatch>]) -> Outcome<usize> {
    let mut sums: HashMap<(String, String, i64), Delays> = HashMap::new();
    for record in flights.iter().flatten().flatten() {
        let flight: Flight = serde_json::from_slice(record?.value.unwrap_or_default())?;
        if flight.tailnum.is_none() || flight.distance < 80 {
            continue;
        }
        let departure = Departure::of(&flight);
        let day = flight.time_hour.div_euclid(days(1));
        sums.entry((flight.origin, flight.carrier, day)).or_default().add(&departure);
    }
    Ok(sums.len())
}
