//! What happens to a flight.

use headwater::prelude::*;

use crate::model::{Airline, DailyDelays, Delays, Departure, Flight, FlightRow, NamedFlight};

/// Flights and airlines in; two tables, a topic of daily results and a topic of rejected flights out.
pub fn topology() -> Result<Topology, TopologyErrors> {
    let app = StreamsBuilder::new("flight-delays");
    let airlines = app.global_table::<String, Airline>("airlines", Json, "airline-names");
    let flights = app.stream::<String, Flight>("flights", Json);

    // A flight is tested against every rule; of the broken ones the gravest route is taken.
    let accepted = flights.validate("flight-rules", rules());

    // One row per flight, with the airline's name and the place in the log that the flight came from.
    let table = IcebergSink::<String, NamedFlight>::put_rows("air.flights", FlightRow::columns(), |record, rows| {
        rows.put(&FlightRow::of(record))
    });
    accepted
        .left_join_global(&airlines, |carrier, _| carrier.clone(), |flight, airline| (flight, airline.map(|a| a.name)))
        .sink("flights-table", table.partition_by(day("time_hour")));

    // One row per origin, carrier and day. It appears once, when no flight of that day can come any more.
    let daily = accepted
        .map(|_, flight| ((flight.origin.clone(), flight.carrier.clone()), Departure::of(&flight)))
        .group_by_key("by-origin-and-carrier")
        .windowed_by(Tumbling::of(days(1)).grace(hours(24)).emit_on_close())
        .aggregate("daily-delays", Delays::default, |_, departure, delays| delays.add(&departure))
        .updates()
        .map(|window, delays| (window.key.1.clone(), DailyDelays::of(window, delays)));
    daily.to("daily-delays", Json);
    daily.sink("delays-table", IcebergSink::values("air.daily_delays", DailyDelays::columns()));

    app.build() // every mistake at once, each with the step's name, the reason and a help line
}

fn rules() -> Rules<Flight> {
    Rules::new()
        .rule(not_null("tailnum-known", |f: &Flight| f.tailnum.as_ref().map(drop)).dead_letter("flights.rejected"))
        .rule(range("distance-sane", |f: &Flight| Some(f.distance), least_miles()..).dead_letter("flights.rejected"))
        .rule(one_of("origin-known", |f: &Flight| Some(f.origin.as_str()), &["EWR", "JFK", "LGA"]).fail())
        .rule(not_null("arrival-known", |f: &Flight| f.arr_delay).tag())
}

/// 80 miles, unless the environment says otherwise: change it, then `replay --version 2` and `compare 1 2`.
fn least_miles() -> i32 {
    std::env::var("FLIGHTS_MIN_DISTANCE_MILES").ok().and_then(|miles| miles.parse().ok()).unwrap_or(80)
}
