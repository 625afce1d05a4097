//! Live == bounded == replayed == driver: random topologies give the same stores, to the byte, and the same records
//! whatever they run on.
//!
//! A case of the oracle's generator runs on topics of 1 and of 4 partitions: on the test driver, whose tasks take turns by
//! chance, one of them slow, with and without crashes; on the embedded log with 1 and with 2 threads, as the first version
//! and as a replay; and where a live run promises it (`promises.rs`), record by record on the driver, and on the log while
//! records are appended.

mod feed;
mod on_driver;
mod on_log;
mod outcome;
mod promises;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use self::{
    on_driver::{Drive, on_driver},
    on_log::{OnLog, Place, Way},
    outcome::Outcome,
    promises::Promise,
};
use super::{
    case::Case,
    differential::{first_seed, number},
    generate, intended,
    random::Random,
    shrink,
    steps::steps,
};

const WIDTHS: [i32; 2] = [1, 4];
/// Cases on one log: it forgets what they leave slower than it is made anew.
const PER_LOG: u64 = 20;
/// How many differing cases are made small, and with how many smaller ones tried.
const SHRUNK_AT_MOST: usize = 6;
const TRIES: usize = 150;

/// Two ways that do not agree.
#[derive(Debug, Clone)]
struct Apart {
    ways: String,
    text: String,
}

/// What a case was good for.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    outputs: usize,
    rows: usize,
    /// At how many widths a live run had to be the same, whether the widths had, and whether it was refused.
    live: usize,
    across: usize,
    refused: usize,
}

/// The case of a seed: half of them have late records, half have all records in the order of their times.
fn case(seed: u64) -> Case {
    let mut random = Random::new(seed);
    let mut case = generate::topology(&mut random, |case| intended::allowed(case) && promises::allowed(case));
    case.steps = steps(&mut random, &generate::topics(&case), false, true);
    promises::remember_nothing_outside_of_stores(&mut case);
    feed::settle(&mut case);
    if random.percent(50) {
        feed::order(&mut case);
    }
    case
}

/// Runs the case in all ways; without a place, in those that need no log.
fn judge(place: Option<&Place>, case: &Case, seed: u64) -> Result<Seen, Apart> {
    let judged = catch_unwind(AssertUnwindSafe(|| {
        let mut seen = Seen::default();
        let driven = WIDTHS.iter().map(|width| driven(case, *width, seed)).collect::<Result<Vec<_>, _>>()?;
        if let (Some(promise), [narrow, wide]) = (promises::across_widths(case), driven.as_slice()) {
            seen.across += 1;
            same(&format!("{} partitions", WIDTHS[0]), narrow, &format!("{} partitions", WIDTHS[1]), wide, &promise)?;
        }
        for (width, driven) in WIDTHS.into_iter().zip(&driven) {
            seen.outputs += driven.out.values().map(Vec::len).sum::<usize>();
            seen.rows += driven.stores.values().map(Vec::len).sum::<usize>();
            if let Some(place) = place {
                logged(place, case, width, seed, driven, &mut seen)?;
            }
        }
        Ok(seen)
    }));
    judged.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".to_owned());
        Err(Apart { ways: "panic".to_owned(), text })
    })
}

/// Runs the case on the driver with topics of `width` partitions in all ways; returns what it gives.
fn driven(case: &Case, width: i32, seed: u64) -> Result<Outcome, Apart> {
    let promise = promises::of_bounded_runs(case);
    let by_chance = |seed, crashes| on_driver(case, width, Drive::ByChance { seed, crashes });
    let first = by_chance(seed, false);
    let one = format!("driver by chance, {width} partitions");
    for (chance, crashes) in [(1, false), (2, true)] {
        same(&one, &first, &format!("crashes {crashes}"), &by_chance(seed + chance, crashes), &promise)?;
    }
    if let Some(promise) = promises::of_driven_runs(case, width) {
        same(&one, &first, "record by record", &on_driver(case, width, Drive::Live), &promise)?;
    }
    Ok(first)
}

/// Runs the case on the log with topics of `width` partitions in all ways, each of which must give what the driver gave.
fn logged(place: &Place, case: &Case, width: i32, seed: u64, driven: &Outcome, seen: &mut Seen) -> Result<(), Apart> {
    let Some(log) = OnLog::new(place, case, width) else {
        seen.refused += 1;
        return Ok(());
    };
    let threads = 1 + (seed % 2) as usize;
    let live = promises::of_live_runs(case, width);
    let way = match seed % 4 {
        _ if live.is_some() => Way::Live,
        0 | 1 => Way::Interrupted,
        _ => Way::Bounded,
    };
    seen.live += usize::from(way == Way::Live);
    let bounded = promises::of_bounded_runs(case);
    let one = format!("driver, {width} partitions");
    let first = log.run(1, threads, way, seed);
    same(&one, driven, &format!("log {way:?}, {threads} threads"), &first, live.as_ref().unwrap_or(&bounded))?;
    let others = 3 - threads;
    same(
        &one,
        driven,
        &format!("log replayed, {others} threads"),
        &log.run(2, others, Way::Bounded, seed + 1),
        &bounded,
    )
}

fn same(one: &str, first: &Outcome, other: &str, second: &Outcome, promise: &Promise) -> Result<(), Apart> {
    match first.difference(second, promise) {
        None => Ok(()),
        Some(text) => Err(Apart { ways: format!("{one} / {other}"), text }),
    }
}

/// What a run saw.
#[derive(Default)]
struct Tally {
    cases: usize,
    records: usize,
    seen: Seen,
    operators: BTreeMap<String, usize>,
    apart: Vec<(u64, Case, Apart)>,
}

impl Tally {
    fn note(&mut self, seed: u64, case: Case, judged: Result<Seen, Apart>) {
        self.cases += 1;
        self.records += case.steps.len();
        for node in &case.nodes {
            *self.operators.entry(node.op.name()).or_default() += 1;
        }
        match judged {
            Ok(seen) => {
                self.seen.outputs += seen.outputs;
                self.seen.rows += seen.rows;
                self.seen.live += seen.live;
                self.seen.across += seen.across;
                self.seen.refused += seen.refused;
            }
            Err(apart) => {
                eprintln!("seed {seed}: {}: {}", apart.ways, apart.text);
                self.apart.push((seed, case, apart));
            }
        }
    }

    fn report(&self) -> String {
        let Seen { outputs, rows, live, across, refused } = self.seen;
        let operators: Vec<String> = self.operators.iter().map(|(name, count)| format!("{count:>6}  {name}")).collect();
        format!(
            "{} topologies, {} records, {outputs} output records and {rows} rows compared in every way; \
             {live} times live, {across} times across widths, {} refused, {} differ\n{}\n",
            self.cases,
            self.records,
            refused / WIDTHS.len(),
            self.apart.len(),
            operators.join("\n")
        )
    }
}

/// Judges these seeds, several at once: a run waits more than it works.
fn run(seeds: std::ops::Range<u64>, stop_after: usize) -> Tally {
    let tally = Mutex::new(Tally::default());
    let next = AtomicU64::new(seeds.start);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) * 2 {
            scope.spawn(|| {
                let mut place = Place::open();
                for count in 1.. {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || tally.lock().unwrap().apart.len() >= stop_after {
                        break;
                    }
                    if count % PER_LOG == 0 {
                        place = Place::open();
                    }
                    let case = case(seed);
                    let judged = judge(Some(&place), &case, seed);
                    tally.lock().unwrap().note(seed, case, judged);
                }
            });
        }
    });
    tally.into_inner().unwrap()
}

/// The smallest case for each pair of ways and set of operators.
fn smallest(tally: &Tally) -> String {
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    for (seed, case, first) in tally.apart.iter().take(SHRUNK_AT_MOST) {
        let place = first.ways.contains("log").then(Place::open);
        let mut apart = first.clone();
        let small = shrink::smallest(case, TRIES, &mut |candidate| {
            if !promises::allowed(candidate) {
                return false;
            }
            match judge(place.as_ref(), candidate, *seed) {
                Err(found) if found.ways == first.ways => {
                    apart = found;
                    true
                }
                _ => false,
            }
        });
        let operators: Vec<String> = small.nodes.iter().map(|node| node.op.name()).collect();
        let json = serde_json::to_string(&small).unwrap();
        let text = format!("seed {seed}: {}\n{}\n{json}\n", apart.ways, apart.text);
        shown.entry(format!("{} {}", apart.ways, operators.join(", "))).or_insert(text);
    }
    shown.into_values().collect::<Vec<_>>().join("\n")
}

fn assert_same(tally: &Tally) {
    let seeds: Vec<_> = tally.apart.iter().map(|(seed, _, apart)| (*seed, &apart.ways)).collect();
    assert!(seeds.is_empty(), "{}\n{seeds:?}\n{}", tally.report(), smallest(tally));
}

#[test]
fn live_bounded_replayed_and_driven_runs_of_random_topologies_give_the_same() {
    let first = first_seed();
    println!("seeds from {first}; the same again with HEADWATER_SEED={first}");
    let tally = run(first..first + number("HEADWATER_FOUR_WAY_SEEDS").unwrap_or(60), usize::MAX);
    println!("{}", tally.report());
    assert_same(&tally);
}

#[test]
#[ignore = "long: ./dev four-way runs it"]
fn a_thousand_random_topologies_give_the_same_in_every_way() {
    let first = first_seed();
    let seeds = number("HEADWATER_SEEDS").unwrap_or(1_000);
    println!("{seeds} seeds from {first}");
    let tally = run(first..first + seeds, number("HEADWATER_STOP_AFTER").unwrap_or(20) as usize);
    println!("{}", tally.report());
    assert_same(&tally);
}
