//! What the demo prints at its end.

use std::{cmp::Reverse, collections::BTreeMap, fmt::Write};

use headwater::{prelude::UserResult, sinks::Table};

/// The sums of one carrier's day over all origins.
#[derive(Default)]
struct CarrierDay {
    flights: i64,
    cancelled: i64,
    delayed_15: i64,
    sum_dep_delay: i64,
}

/// The `shown` carrier-days with the most minutes of departure delay, from the table of daily delays.
pub fn worst_days(table: &Table, shown: usize) -> UserResult<String> {
    let mut days: BTreeMap<(&str, &str), CarrierDay> = BTreeMap::new();
    for row in &table.rows {
        let cell = |name: &str| {
            let place = table.columns.iter().position(|column| column == name);
            place.and_then(|place| row.get(place)?.as_deref()).ok_or_else(|| format!("{}: no {name}", table.name))
        };
        let start = cell("window_start")?;
        let sum = days.entry((start.get(..10).unwrap_or(start), cell("carrier")?)).or_default();
        sum.flights += cell("flights")?.parse::<i64>()?;
        sum.cancelled += cell("cancelled")?.parse::<i64>()?;
        sum.delayed_15 += cell("delayed_15")?.parse::<i64>()?;
        sum.sum_dep_delay += cell("sum_dep_delay")?.parse::<i64>()?;
    }
    let mut worst: Vec<_> = days.into_iter().collect();
    worst.sort_by_key(|(_, sum)| Reverse(sum.sum_dep_delay));
    let mut text = format!("the {shown} worst carrier-days, by minutes of departure delay\n");
    for ((day, carrier), sum) in worst.iter().take(shown) {
        let CarrierDay { flights, cancelled, delayed_15, sum_dep_delay } = sum;
        writeln!(
            text,
            "  {day} {carrier}: {sum_dep_delay} min over {flights} flights, {delayed_15} of them late by more than 15 min, \
             {cancelled} cancelled"
        )?;
    }
    Ok(text)
}
