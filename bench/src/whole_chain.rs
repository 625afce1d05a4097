//! The chain of [`driver_chain`](crate::driver_chain) in the whole runtime: an embedded log, a task thread, commits each
//! second, RocksDB state, a changelog.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::{
    Effort, Outcome,
    driver_chain::{batches, chain, count_by_hand, expected},
    fed_log::{FedLog, drain},
    measure::{Spread, in_process, interleave},
    outcome::Figure,
};

/// Measures the chain in the whole runtime.
///
/// # Errors
/// If a run fails, or the counts are wrong, which makes the figure void.
pub fn measure(effort: Effort) -> Outcome<Vec<Figure>> {
    let records = 5_000_000 / effort.shrink;
    let topology = chain()?;
    let mut ours = FedLog::new()?;
    let batches = batches(records)?;
    ours.feed("numbers", std::slice::from_ref(&batches))?;
    drop(batches);
    let log = ours.log.clone();
    let times = interleave(
        effort.pairs,
        || in_process(|| ours.run(&topology, records).map(drop)),
        || {
            let mut counts = HashMap::with_hasher(FixedState::with_seed(0));
            let time = in_process(|| drain(&*log, "numbers", records, |batch| count_by_hand(batch, &mut counts)))?;
            if counts.values().sum::<i64>() == expected(records) { Ok(time) } else { Err("wrong counts".into()) }
        },
    )?;
    let figure = Figure::new(
        "the same chain in the whole runtime: embedded log, task thread, commits, RocksDB, changelog",
        Spread::millions_per_second(&times.ours, records),
        "M records/s per core",
        None,
    )
    .part("CPU against a consumer of the log with a hash map", times.cost(), "x")
    .part("all of it", Spread::ns_per_record(&times.ours, records), "ns/record");
    Ok(vec![figure])
}
