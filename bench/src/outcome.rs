//! Figures as text and as JSON.

use std::{fs, path::PathBuf};

use headwater_core::{Clock, SystemClock, format_timestamp};
use serde::Serialize;

use crate::{Outcome, measure::Spread};

/// What a figure should be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn is_met(self, median: f64) -> bool {
        match self {
            Self::AtLeast(goal) => median >= goal,
            Self::AtMost(goal) => median <= goal,
        }
    }
}

/// One figure with its parts.
#[derive(Debug, Serialize)]
pub struct Figure {
    name: &'static str,
    unit: &'static str,
    value: Spread,
    goal: Option<Goal>,
    parts: Vec<Part>,
    /// What a profile says about a goal that is missed.
    profile: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Part {
    name: &'static str,
    unit: &'static str,
    value: Spread,
}

impl Figure {
    /// A figure without parts.
    pub fn new(name: &'static str, value: Spread, unit: &'static str, goal: Option<Goal>) -> Self {
        Self { name, unit, value, goal, parts: Vec::new(), profile: None }
    }

    /// Adds a part that explains the figure.
    pub fn part(mut self, name: &'static str, value: Spread, unit: &'static str) -> Self {
        self.parts.push(Part { name, unit, value });
        self
    }

    /// Says where the time goes if the goal is missed.
    pub fn profile(mut self, what: &'static str) -> Self {
        let missed = self.goal.is_some_and(|goal| !goal.is_met(self.value.median));
        self.profile = missed.then_some(what);
        self
    }
}

/// Prints a figure.
pub fn print(figure: &Figure) {
    let goal = figure.goal.map_or(String::new(), |goal| {
        let wanted = match goal {
            Goal::AtLeast(goal) => format!(">= {goal}"),
            Goal::AtMost(goal) => format!("<= {goal}"),
        };
        format!("   goal {wanted}: {}", if goal.is_met(figure.value.median) { "met" } else { "MISSED" })
    });
    println!("\n{}\n  {} {}{goal}", figure.name, shown(figure.value), figure.unit);
    for part in &figure.parts {
        println!("    {:<58} {} {}", part.name, shown(part.value), part.unit);
    }
    if let Some(profile) = figure.profile {
        println!("    {profile}");
    }
}

fn shown(value: Spread) -> String {
    let digits = if value.median >= 100.0 { 0 } else { 2 };
    format!("{:.digits$} ({:.digits$} .. {:.digits$})", value.median, value.least, value.greatest)
}

/// The processor and how busy the machine is.
///
/// # Errors
/// Where there is no Linux `/proc`.
pub fn machine() -> Outcome<String> {
    let cpus = std::thread::available_parallelism()?;
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("a processor").trim();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    let model = model.trim_start_matches(':').trim();
    Ok(format!("{model}, {cpus} cores, load {}, {}", load.join(" "), format_timestamp(SystemClock.now_ms())))
}

#[derive(Serialize)]
struct Results<'a> {
    machine: &'a str,
    pairs: usize,
    figures: &'a [Figure],
}

/// Writes everything to `bench/results/latest.json`.
///
/// # Errors
/// If the file cannot be written.
pub fn write_results(machine: &str, pairs: usize, figures: &[Figure]) -> Outcome<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/results/latest.json"));
    let text = serde_json::to_string_pretty(&Results { machine, pairs, figures })?;
    fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/results"))?;
    fs::write(&path, text + "\n")?;
    Ok(path)
}
