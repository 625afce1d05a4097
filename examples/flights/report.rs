//! What the demo prints at its end.

use std::{cmp::Reverse, collections::BTreeMap, fmt::Write};

use headwater::{prelude::UserResult, sinks::Table};

/// The columns that are summed over a carrier's origins.
const SUMS: [&str; 4] = ["sum_dep_delay", "flights", "delayed_15", "cancelled"];

/// The `shown` carrier-days with the most minutes of departure delay, from the table of daily delays.
pub fn worst_days(table: &Table, shown: usize) -> UserResult<String> {
    let mut days: BTreeMap<(&str, &str), [i64; 4]> = BTreeMap::new();
    for row in &table.rows {
        let cell = |name: &str| {
            let place = table.columns.iter().position(|column| column == name);
            place.and_then(|place| row.get(place)?.as_deref()).ok_or_else(|| format!("{}: no {name}", table.name))
        };
        let start = cell("window_start")?;
        let sums = days.entry((start.get(..10).unwrap_or(start), cell("carrier")?)).or_default();
        for (sum, name) in sums.iter_mut().zip(SUMS) {
            *sum += cell(name)?.parse::<i64>()?;
        }
    }
    let mut worst: Vec<_> = days.into_iter().collect();
    worst.sort_by_key(|(_, [delay, ..])| Reverse(*delay));
    let mut text = format!("the {shown} worst carrier-days, by minutes of departure delay\n");
    for ((day, carrier), [delay, flights, late, cancelled]) in worst.iter().take(shown) {
        write!(text, "  {day} {carrier} {delay:>6} min: {flights} flights, ")?;
        writeln!(text, "{late} of them more than 15 min late, {cancelled} cancelled")?;
    }
    Ok(text)
}
