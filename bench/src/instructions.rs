//! Instructions per record, counted by callgrind: a guard against growing slower that a busy machine does not disturb.

use std::{collections::BTreeMap, fs, process::Command};

use tempfile::TempDir;

use crate::{Outcome, driver_chain, hopping::HOPPING, session::SESSION, stream_join, tumbling::TUMBLING};

/// One run of a workload; returns its number of records.
type Once = fn() -> Outcome<usize>;
const WORKLOADS: [(&str, Once); 5] = [
    ("chain", driver_chain::once),
    ("tumbling", || TUMBLING.once()),
    ("hopping", || HOPPING.once()),
    ("session", || SESSION.once()),
    ("join", stream_join::once),
];

/// The argument with which this program runs one workload, under callgrind.
const ONCE: &str = "--once";
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/results/instructions.json");
/// By how much a count may rise: compilers and libraries make it move a little.
const MARGIN: f64 = 0.02;

/// Does what the arguments ask if that has to do with instructions.
pub fn asked(arguments: &[String]) -> Option<Outcome<()>> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [ONCE, name] => {
            let workload = WORKLOADS.iter().find(|(known, _)| known == name);
            Some(workload.map_or_else(|| Err(format!("no workload {name}").into()), |(_, once)| once().map(drop)))
        }
        ["--instructions"] => Some(compare()),
        ["--instructions", "--keep"] => Some(keep()),
        _ => None,
    }
}

fn compare() -> Outcome<()> {
    let kept: BTreeMap<String, f64> = serde_json::from_str(&fs::read_to_string(KEPT)?)?;
    let mut risen = Vec::new();
    for (name, now) in counts()? {
        let before = kept.get(&name).copied();
        let change = before.map(|before| now / before - 1.0);
        let shown = change.map_or("new".to_owned(), |change| format!("{:+.1} %", 100.0 * change));
        println!("{name:<10} {now:>8.0} instructions/record   {shown}");
        if change.is_some_and(|change| change > MARGIN) {
            risen.push(name);
        }
    }
    if risen.is_empty() {
        return Ok(());
    }
    Err(format!("more instructions than in {KEPT}: {}; where that is meant, --keep", risen.join(", ")).into())
}

fn keep() -> Outcome<()> {
    let counts = counts()?;
    let rounded: BTreeMap<_, _> = counts.into_iter().map(|(name, count)| (name, count.round())).collect();
    fs::write(KEPT, serde_json::to_string_pretty(&rounded)? + "\n")?;
    println!("written to {KEPT}: {rounded:?}");
    Ok(())
}

/// Instructions per record of each workload.
fn counts() -> Outcome<Vec<(String, f64)>> {
    WORKLOADS.iter().map(|(name, once)| Ok(((*name).to_owned(), count(name)? / once()? as f64))).collect()
}

/// Instructions of one run, without what prepares and checks it.
fn count(name: &str) -> Outcome<f64> {
    let dir = TempDir::with_prefix("headwater-bench-")?;
    // Not every valgrind can read the debug information of today's compilers and linkers.
    let program = dir.path().join("headwater-bench");
    let mut strip = Command::new("strip");
    let stripped = strip.arg("--strip-debug").arg("-o").arg(&program).arg(std::env::current_exe()?).status();
    if !stripped.map_err(|error| format!("strip, of binutils: {error}"))?.success() {
        return Err("strip failed".into());
    }
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=headwater_bench::measure::counted*")
        .arg(&program)
        .args([ONCE, name])
        .output()
        .map_err(|error| format!("valgrind, by whose callgrind instructions are counted: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    let counted = collected.filter(|counted: &f64| output.status.success() && *counted > 0.0);
    counted.ok_or_else(|| format!("callgrind counted nothing of {name}:\n{text}").into())
}
