//! A case on the test driver.

use std::panic::{AssertUnwindSafe, catch_unwind};

use headwater::{Result, prelude::*};

use super::{
    feed::{Placed, placed},
    outcome::{Outcome, Written},
};
use crate::oracle::{
    by_chance,
    case::Case,
    twin::{Nullable, topology},
};

/// How the driver runs it.
#[derive(Debug, Clone, Copy)]
pub enum Drive {
    /// Each record goes through all tasks when it is piped, as live.
    Live,
    /// All records are there; the tasks take turns by chance, one of them is slow, and with `crashes` some are set back.
    ByChance { seed: u64, crashes: bool },
}

/// What the driver makes of the case with topics of `width` partitions. A panic is an error like others.
pub fn on_driver(case: &Case, width: i32, drive: Drive) -> Outcome {
    let run = catch_unwind(AssertUnwindSafe(|| run(case, width, drive)));
    match run {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Outcome::failed(&error),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            Outcome::failed(text.unwrap_or("a panic"))
        }
    }
}

fn run(case: &Case, width: i32, drive: Drive) -> std::result::Result<Outcome, String> {
    let topology = topology(case).map_err(|errors| errors.to_string())?;
    let stores: Vec<String> = topology.plan().stores.keys().cloned().collect();
    let mut outcome = Outcome::default();
    let work = || -> Result<()> {
        let mut driver = TopologyTestDriver::new(topology)?.with_partitions(width)?;
        if let Drive::ByChance { .. } = drive {
            driver = driver.bounded()?.stepping();
        }
        for placed in placed(case, width) {
            pipe(&mut driver, &placed)?;
        }
        match drive {
            Drive::Live => driver.end_of_input()?,
            Drive::ByChance { seed, crashes } => by_chance::run(&mut driver, seed, crashes),
        }
        for node in case.shown() {
            outcome.out.insert(node, written(&mut driver, &format!("out-{node}"))?);
        }
        for store in &stores {
            let mut rows = driver.store_bytes(store)?;
            rows.sort();
            outcome.stores.insert(store.clone(), rows);
        }
        outcome.counters = driver.counters().into_iter().filter(|(_, count)| *count > 0).collect();
        Ok(())
    };
    work().map_err(|error| error.to_string())?;
    Ok(outcome)
}

fn pipe(driver: &mut TopologyTestDriver, placed: &Placed<'_>) -> Result<()> {
    let record = placed.record;
    let input = driver.input::<Nullable, Nullable>(&record.topic, (Text, Text));
    let mut input = input.to_partition(placed.partition);
    input.pipe_with_headers(driver, record.key.clone(), record.value.clone(), record.ts, placed.headers())
}

fn written(driver: &mut TopologyTestDriver, topic: &str) -> Result<Vec<Written>> {
    let records = driver.output::<Nullable, Nullable>(topic, (Text, Text)).read(driver)?;
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    Ok(records
        .into_iter()
        .map(|record| {
            let headers = record.headers.iter().map(|header| (header.name.clone(), header.value.as_deref().map(text)));
            (record.key, record.value, record.timestamp, headers.collect())
        })
        .collect())
}
