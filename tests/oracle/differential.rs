//! Random cases through both, and the stored ones that once differed.

use std::{collections::BTreeMap, fmt::Write, fs, path::PathBuf};

use super::{
    case::{Answer, Case, Step},
    compare::{Difference, difference},
    drive::ours,
    generate, intended, java, shrink,
};

/// Cases under way at once: Java works on them while we do.
const BATCH: usize = 50;
/// How many differing cases are made small.
const SHRUNK_AT_MOST: usize = 20;
/// How many smaller cases are tried for each.
const TRIES: usize = 3_000;

pub fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{variable}={text}: {error}")))
}

/// Where today's seeds begin: other ones every day, the same all day, or those that `HEADWATER_SEED` names.
pub fn first_seed() -> u64 {
    use headwater_core::{Clock, SystemClock};
    number("HEADWATER_SEED").unwrap_or_else(|| (SystemClock.now_ms() / 86_400_000) as u64 * 1_000_000)
}

/// What a run saw.
#[derive(Default)]
struct Tally {
    cases: usize,
    records: usize,
    outputs: usize,
    refused: usize,
    operators: BTreeMap<String, usize>,
    differences: Vec<(u64, Case, Difference)>,
}

impl Tally {
    fn note(&mut self, seed: u64, case: Case, java: &Answer, ours: &Answer) {
        self.cases += 1;
        self.records += case.steps.len();
        self.outputs += java.out.len();
        self.refused += usize::from(java.error.is_some() && ours.error.is_some());
        for node in &case.nodes {
            *self.operators.entry(node.op.name()).or_default() += 1;
        }
        if let Some(how) = difference(&case, java, ours) {
            self.differences.push((seed, case, how));
        }
    }

    fn report(&self) -> String {
        let mut text = format!(
            "{} cases, {} steps, {} output records, {} refused by both, {} differ\n",
            self.cases,
            self.records,
            self.outputs,
            self.refused,
            self.differences.len()
        );
        for (operator, count) in &self.operators {
            writeln!(text, "{count:>8}  {operator}").unwrap();
        }
        text
    }
}

fn run(seeds: std::ops::Range<u64>, stop_after: usize) -> Tally {
    let mut tally = Tally::default();
    let mut seeds = seeds.peekable();
    while seeds.peek().is_some() && tally.differences.len() < stop_after {
        let batch: Vec<u64> = seeds.by_ref().take(BATCH).collect();
        let cases: Vec<Case> = batch.iter().map(|seed| generate::case(*seed)).collect();
        if let Ok(file) = std::env::var("HEADWATER_TRACE") {
            let lines: Vec<String> = cases.iter().map(|case| serde_json::to_string(case).unwrap()).collect();
            fs::write(file, lines.join("\n")).unwrap();
        }
        let (theirs, ours) = java::answers(&cases, || cases.iter().map(ours).collect::<Vec<_>>());
        for (((seed, case), java), ours) in batch.into_iter().zip(cases).zip(&theirs).zip(&ours) {
            tally.note(seed, case, java, ours);
        }
    }
    tally
}

/// Both sides of a case, in the form in which regressions are stored.
fn both_sides(seed: u64, small: &Case, how: &Difference) -> String {
    let (java, ours) = (java::answer(small), ours(small));
    let show = |answer: &Answer| serde_json::to_string(answer).unwrap();
    format!(
        "seed {seed}: {}\n{}\n  Java:      {}\n  Headwater: {}\n",
        how.text,
        serde_json::to_string(small).unwrap(),
        show(&java),
        show(&ours)
    )
}

/// The smallest case that differs in the same way, and how.
fn shrunk(case: &Case, first: &Difference) -> (Case, Difference) {
    let mut how = first.clone();
    let small = shrink::smallest(case, TRIES, &mut |candidate| {
        if !is_compared(candidate) {
            return false;
        }
        let (mut java, ours) = java::answers(std::slice::from_ref(candidate), || ours(candidate));
        let found = difference(candidate, &java.remove(0), &ours);
        let Some(found) = found.filter(|found| found.sort == first.sort && code(found) == code(first)) else {
            return false;
        };
        how = found;
        true
    });
    (small, how)
}

/// Whether it shows no intended difference.
fn is_compared(case: &Case) -> bool {
    let records = case.steps.iter().filter(|step| step.advance() == 0);
    intended::can_be_compared(case)
        && intended::d16_deletion_at_its_rows_time(case).is_none()
        && (!intended::needs_order(case) || records.is_sorted_by_key(Step::time))
}

/// The error's code, where one side fails.
fn code(how: &Difference) -> Option<&str> {
    let at = how.text.find("[HW")?;
    how.text.get(at..at + 8)
}

/// The smallest of each sort of difference; those that need the same operators are of one sort.
fn smallest(tally: &Tally) -> String {
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    for (seed, case, how) in tally.differences.iter().take(SHRUNK_AT_MOST) {
        let (small, how) = shrunk(case, how);
        let operators: Vec<String> = small.nodes.iter().map(|node| node.op.name()).collect();
        let sort = format!("{:?} {}", how.sort, operators.join(", "));
        shown.entry(sort).or_insert_with(|| both_sides(*seed, &small, &how));
    }
    let shown: Vec<String> = shown.into_iter().map(|(sort, text)| format!("== {sort}\n{text}")).collect();
    shown.join("\n") + "Mend it and store the case as tests/oracle/regressions/NAME.json, or see docs/differences.md.\n"
}

fn assert_same(tally: &Tally) {
    assert!(tally.differences.is_empty(), "{}\n{}", tally.report(), smallest(tally));
    assert!(tally.refused * 100 <= tally.cases, "the generator makes cases that nobody takes:\n{}", tally.report());
}

#[test]
fn fresh_random_topologies_give_what_java_gives() {
    let first = first_seed();
    println!("seeds from {first}; the same again with HEADWATER_SEED={first}");
    let tally = run(first..first + number("HEADWATER_SEEDS").unwrap_or(500), usize::MAX);
    println!("{}", tally.report());
    assert_same(&tally);
}

#[test]
#[ignore = "long: ./dev differential runs it"]
fn the_long_run_gives_what_java_gives() {
    let first = first_seed();
    let seeds = number("HEADWATER_SEEDS").unwrap_or(10_000);
    println!("{seeds} seeds from {first}");
    let tally = run(first..first + seeds, number("HEADWATER_STOP_AFTER").unwrap_or(20) as usize);
    println!("{}", tally.report());
    assert_same(&tally);
}

#[test]
fn what_once_differed_is_the_same() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/regressions"));
    let mut differences = String::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let text = fs::read_to_string(entry.path()).unwrap();
        let case: Case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{:?}: {error}", entry.path()));
        let (java, ours) = (java::answer(&case), ours(&case));
        if let Some(how) = difference(&case, &java, &ours) {
            writeln!(differences, "{:?}: {}", entry.path(), how.text).unwrap();
        }
        assert!(java.error.is_none(), "{:?} is no longer a case: {:?}", entry.path(), java.error);
    }
    assert!(differences.is_empty(), "{differences}");
}
