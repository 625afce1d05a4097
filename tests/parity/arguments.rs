//! What is to be measured.

use std::{fmt, path::PathBuf};

pub const HELP: &str = "Usage: ./dev replay-parity [--quick] [--fills N] [--rate N] [--only ENGINE] [ROW ...]

Runs the same daily counts of the same flights on Kafka Streams 4.3.1 and on Headwater, on one Apache Kafka of its own,
with a fresh fill of the input for every run. Prints a Markdown table of what each dropped, how many windows were wrong,
and whether the fills gave one answer. A whole run (no option, no ROW; about 15 minutes) writes it to
bench/results/replay-parity.md, with the raw figures beside it as JSON.

  ROW            backlog-1-thread, backlog-2-threads, backlog-2-processes, live-1-thread, live-2-threads,
                 live-2-processes, replay-1-thread, replay-2-threads (Headwater's bounded runs),
                 backlog-1-partition; all of them if none is given
  --quick        two fills of backlog-1-thread and live-1-thread; about two minutes
  --fills N      fills per row and engine. Default: 3
  --rate N       flights fed per second in the live rows. Default: 30000
  --only ENGINE  java or headwater

Exit codes: 0 Headwater dropped nothing, had no window wrong, and gave one answer; 1 it did not; 2 not measured.";

const FILLS: u32 = 3;
const RATE: u32 = 30_000;

/// Whose streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    Java,
    Headwater,
}

impl Engine {
    /// As a word in names and in the raw results.
    pub fn word(self) -> &'static str {
        match self {
            Self::Java => "java",
            Self::Headwater => "headwater",
        }
    }
}

/// How the flights reach the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feeding {
    /// All of them are there before it starts.
    Backlog,
    /// At a steady rate while it runs.
    Live,
    /// All of them are there, and it runs up to their end and exits: what Headwater calls a bounded run.
    Replay,
}

/// One way to run the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub name: &'static str,
    pub feeding: Feeding,
    pub threads: u32,
    pub processes: u32,
    pub partitions: i32,
}

impl Row {
    /// Kafka Streams has no bounded runs.
    pub fn is_for(&self, engine: Engine) -> bool {
        engine == Engine::Headwater || self.feeding != Feeding::Replay
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.feeding {
            Feeding::Backlog => "backlog",
            Feeding::Live => "live",
            Feeding::Replay => "bounded replay",
        })?;
        match (self.processes, self.threads) {
            (1, 1) => f.write_str(", 1 thread")?,
            (1, threads) => write!(f, ", {threads} threads")?,
            (processes, _) => write!(f, ", {processes} processes")?,
        }
        if self.partitions == 1 { f.write_str(", 1 partition") } else { Ok(()) }
    }
}

const fn row(name: &'static str, feeding: Feeding, threads: u32, processes: u32, partitions: i32) -> Row {
    Row { name, feeding, threads, processes, partitions }
}

const ROWS: [Row; 9] = [
    row("backlog-1-thread", Feeding::Backlog, 1, 1, 4),
    row("backlog-2-threads", Feeding::Backlog, 2, 1, 4),
    row("backlog-2-processes", Feeding::Backlog, 1, 2, 4),
    row("live-1-thread", Feeding::Live, 1, 1, 4),
    row("live-2-threads", Feeding::Live, 2, 1, 4),
    row("live-2-processes", Feeding::Live, 1, 2, 4),
    row("replay-1-thread", Feeding::Replay, 1, 1, 4),
    row("replay-2-threads", Feeding::Replay, 2, 1, 4),
    row("backlog-1-partition", Feeding::Backlog, 1, 1, 1),
];
const QUICK_ROWS: [&str; 2] = ["backlog-1-thread", "live-1-thread"];

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Plan {
    pub rows: Vec<Row>,
    pub engines: Vec<Engine>,
    pub fills: u32,
    /// Flights per second of the live rows.
    pub rate: u32,
}

impl Plan {
    /// Everything, as it is to be published.
    fn whole() -> Self {
        Self { rows: ROWS.into(), engines: vec![Engine::Java, Engine::Headwater], fills: FILLS, rate: RATE }
    }

    pub fn is_whole(&self) -> bool {
        let whole = Self::whole();
        self.rows == whole.rows && self.engines == whole.engines && (self.fills, self.rate) == (whole.fills, whole.rate)
    }
}

/// Where Headwater's twin works.
#[derive(Debug, Clone)]
pub struct TwinPlace {
    pub brokers: String,
    pub app: String,
    pub input: String,
    pub output: String,
    pub threads: usize,
    pub dir: PathBuf,
    pub instance: String,
    pub bounded: bool,
}

/// What this process is to do.
#[derive(Debug)]
pub enum Command {
    Help,
    Compare(Plan),
    /// Work as one process of Headwater's side.
    HeadwaterTwin(TwinPlace),
}

/// The word that makes this program one process of Headwater's side.
pub const TWIN: &str = "twin";

pub fn parse(arguments: &[String]) -> Result<Command, String> {
    if let Some((TWIN, place)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return twin_place(place).map(Command::HeadwaterTwin).ok_or_else(|| "twin: wrong arguments".to_owned());
    }
    let mut plan = Plan::whole();
    let mut rows = Vec::new();
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let mut number = |option: &str| {
            let number = words.next().and_then(|text| text.parse().ok()).filter(|number: &u32| *number > 0);
            number.ok_or_else(|| format!("{option} needs a number"))
        };
        match word {
            "-h" | "--help" => return Ok(Command::Help),
            "--quick" => {
                rows.extend(ROWS.into_iter().filter(|row| QUICK_ROWS.contains(&row.name)));
                plan.fills = 2;
            }
            "--fills" => plan.fills = number(word)?,
            "--rate" => plan.rate = number(word)?,
            "--only" => {
                let named = words.next().unwrap_or_default();
                plan.engines.retain(|engine| engine.word() == named);
                if plan.engines.is_empty() {
                    return Err("--only needs java or headwater".to_owned());
                }
            }
            name => match ROWS.iter().find(|row| row.name == name) {
                Some(row) => rows.push(row.clone()),
                None => return Err(format!("{name:?} is no row and no option")),
            },
        }
    }
    if !rows.is_empty() {
        plan.rows = rows;
    }
    Ok(Command::Compare(plan))
}

fn twin_place(words: &[String]) -> Option<TwinPlace> {
    let [brokers, app, input, output, threads, dir, instance, mode] = words else { return None };
    Some(TwinPlace {
        brokers: brokers.clone(),
        app: app.clone(),
        input: input.clone(),
        output: output.clone(),
        threads: threads.parse().ok()?,
        dir: dir.into(),
        instance: instance.clone(),
        bounded: mode == "bounded",
    })
}
