//! The results as a table.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use headwater_core::{Clock, SystemClock, format_timestamp};
use serde_json::json;

use crate::{
    Outcome,
    arguments::{Engine, Plan, Row},
    run::RunResult,
};

/// One run, for whoever watches.
pub fn line(result: &RunResult) -> String {
    let RunResult { engine, row, fill, counted_as_dropped, verdict, taken, behind_when_fed } = result;
    let behind = behind_when_fed.map_or_else(String::new, |flights| format!(", {flights} behind when all was fed"));
    format!(
        "{row}, {engine}, fill {fill}: {} flights missing ({counted_as_dropped} counted as dropped), {} too many, {} \
         windows wrong, answer {}, taken by process {taken:?}{behind}",
        verdict.missing_flights, verdict.surplus_flights, verdict.wrong_windows, verdict.fingerprint
    )
}

/// All runs of a plan.
#[derive(Debug)]
pub struct Table<'a> {
    plan: &'a Plan,
    results: &'a [RunResult],
    machine: String,
}

/// What the machine had to do beside, as far as the system tells.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("{cores} cores with a load of {} before it began", load.split(' ').next().unwrap_or("?"))
}

impl<'a> Table<'a> {
    pub fn new(plan: &'a Plan, results: &'a [RunResult], machine: String) -> Self {
        Self { plan, results, machine }
    }

    fn of(&self, engine: Engine, row: &Row) -> Vec<&'a RunResult> {
        self.results.iter().filter(|run| run.engine == engine.word() && run.row == row.name).collect()
    }

    /// Whether every run of Headwater dropped nothing, had no window wrong, and gave the same answer.
    pub fn headwater_is_faultless(&self) -> bool {
        let runs: Vec<_> = self.results.iter().filter(|run| run.engine == Engine::Headwater.word()).collect();
        let right = |run: &&RunResult| dropped(run) == 0 && run.verdict.wrong_windows == 0;
        runs.iter().all(right) && same(&runs)
    }

    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "| | Kafka Streams: flights dropped | windows wrong | same answer | Headwater: flights dropped | windows \
             wrong | same answer |\n| --- | ---: | ---: | :---: | ---: | ---: | :---: |\n",
        );
        for row in &self.plan.rows {
            let _ = write!(text, "| {row} |");
            for engine in [Engine::Java, Engine::Headwater] {
                let runs = self.of(engine, row);
                if runs.is_empty() {
                    text.push_str(" - | - | - |");
                    continue;
                }
                let drops = range(runs.iter().map(|run| dropped(run)));
                let wrong = range(runs.iter().map(|run| run.verdict.wrong_windows as u64));
                let _ = write!(text, " {drops} | {wrong} | {} |", same_answer(&runs));
            }
            text.push('\n');
        }
        text + &self.behind()
    }

    /// Live rows say something of live work only as far as a program keeps up.
    fn behind(&self) -> String {
        let of = |engine: Engine| {
            let runs = self.results.iter().filter(move |run| run.engine == engine.word());
            let behind: Vec<u64> = runs.filter_map(|run| run.behind_when_fed).collect();
            (!behind.is_empty()).then(|| range(behind.into_iter()))
        };
        let said = |name: &str, engine| of(engine).map(|range| format!("{name} had {range} flights still to take"));
        let both = [said("Kafka Streams", Engine::Java), said("Headwater", Engine::Headwater)];
        let both: Vec<_> = both.into_iter().flatten().collect();
        if both.is_empty() { String::new() } else { format!("\nWhen a live feed ended, {}.\n", both.join(" and ")) }
    }

    /// Writes `bench/results/replay-parity.md` and the raw figures beside it.
    pub fn write(&self) -> Outcome<[PathBuf; 2]> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/results");
        let [page, raw] = ["md", "json"].map(|ending| folder.join("replay-parity").with_extension(ending));
        let at = format_timestamp(SystemClock.now_ms());
        let Plan { fills, rate, .. } = self.plan;
        let text = format!(
            "# Replays that give the same answer\n\nWritten by `./dev replay-parity` at {at}, on {}. {fills} fresh \
             fills\nfor every cell; where they differ, the least and the greatest. Live rows are fed {rate} flights a \
             second.\nWhat is run and how it is judged: [`tests/parity/`](../../tests/parity/README.md).\n\n{}",
            self.machine,
            self.markdown()
        );
        fs::write(&page, text)?;
        let runs = json!({ "at": at, "machine": self.machine, "fills": fills, "rate": rate, "runs": self.results });
        fs::write(&raw, serde_json::to_string_pretty(&runs)? + "\n")?;
        Ok([page, raw])
    }
}

/// Flights that did not reach the answer, by whichever account is the greater.
fn dropped(run: &RunResult) -> u64 {
    run.verdict.missing_flights.unsigned_abs().max(run.counted_as_dropped)
}

fn same_answer(runs: &[&RunResult]) -> &'static str {
    match runs {
        [_] => "-",
        runs if same(runs) => "yes",
        _ => "no",
    }
}

fn same(runs: &[&RunResult]) -> bool {
    runs.windows(2).all(|pair| matches!(pair, [a, b] if a.verdict.fingerprint == b.verdict.fingerprint))
}

/// `0`, or `95,000 to 148,000`.
fn range(numbers: impl Iterator<Item = u64> + Clone) -> String {
    let (least, greatest) = (numbers.clone().min().unwrap_or_default(), numbers.max().unwrap_or_default());
    if least == greatest { grouped(least) } else { format!("{} to {}", grouped(least), grouped(greatest)) }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
