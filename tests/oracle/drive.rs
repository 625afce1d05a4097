//! Runs a case on Headwater's test driver.

use std::panic::{AssertUnwindSafe, catch_unwind};

use headwater::{Result, dsl::Data, prelude::*};

use super::{
    case::{Answer, Case, Fold, Input, Op, Output, Step, Windows},
    twin::{Nullable, Shown, topology, window},
};

/// What Headwater makes of the case. Never panics: a panic is an answer too.
pub fn ours(case: &Case) -> Answer {
    let run = catch_unwind(AssertUnwindSafe(|| run(case)));
    let failed = |error: String| Answer { error: Some(error), ..Answer::default() };
    match run {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => failed(error),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            failed(format!("panicked: {}", text.unwrap_or("?")))
        }
    }
}

fn run(case: &Case) -> std::result::Result<Answer, String> {
    let topology = topology(case).map_err(|errors| errors.to_string())?;
    let changelogs = topology.plan().stores.values().map(|store| store.changelog.clone());
    let repartitions = topology.plan().repartition_topics().into_iter().map(str::to_owned);
    let internal_topics = repartitions.chain(changelogs).collect();
    let written: Vec<String> = topology.plan().output_topics().into_iter().map(str::to_owned).collect();
    let mut driver = TopologyTestDriver::new(topology).map_err(|error| error.to_string())?;
    let mut answer = Answer { internal_topics, ..Answer::default() };
    let mut work = || -> Result<()> {
        for (at, step) in case.steps.iter().enumerate() {
            match step {
                Step::Advance { advance } => driver.advance_wall_clock(*advance)?,
                Step::Record(record) => pipe(&mut driver, record)?,
            }
            for topic in written.iter().filter(|topic| topic.starts_with("out-")) {
                read(&mut driver, at, topic, &mut answer.out)?;
            }
        }
        for (id, node) in case.nodes.iter().enumerate() {
            if let Some(rows) = rows(&driver, &format!("s{id}"), &node.op)? {
                answer.stores.insert(format!("s{id}"), rows);
            }
        }
        Ok(())
    };
    work().map_err(|error| error.to_string())?;
    let counters = driver.counters();
    answer.dropped = counters.iter().filter(|(name, _)| counts_as_dropped(name)).map(|(_, count)| count).sum();
    Ok(answer)
}

/// Java counts no record that an inner join finds no row for, no null key in front of a repartition topic, and no row
/// whose new key is null when a table is grouped.
fn counts_as_dropped(counter: &str) -> bool {
    let uncounted = ["no-row:", "null:g"].iter().any(|what| counter.starts_with(what));
    !(uncounted || counter.starts_with("null-key:") && counter.ends_with("-repartition"))
}

fn pipe(driver: &mut TopologyTestDriver, record: &Input) -> Result<()> {
    let mut headers = Headers::new();
    for (name, value) in &record.headers {
        headers.push_text(name, value);
    }
    let mut input = driver.input::<Nullable, Nullable>(&record.topic, (Text, Text));
    input.pipe_with_headers(driver, record.key.clone(), record.value.clone(), record.ts, headers)
}

fn read(driver: &mut TopologyTestDriver, at: usize, topic: &str, out: &mut Vec<Output>) -> Result<()> {
    for record in driver.output::<Nullable, Nullable>(topic, (Text, Text)).read(driver)? {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = record.headers.iter().map(|header| (header.name.clone(), header.value.as_deref().map(text)));
        out.push(Output {
            at,
            topic: topic.to_owned(),
            key: record.key,
            value: record.value,
            ts: record.timestamp,
            headers: headers.collect(),
        });
    }
    Ok(())
}

type Rows = Vec<(String, String, Option<i64>)>;

/// The rows of a node's store, if it has one that Java's half shows too.
fn rows(driver: &TopologyTestDriver, store: &str, op: &Op) -> Result<Option<Rows>> {
    let rows = match op {
        Op::Aggregate { windows: Windows::None, fold, .. } => match fold {
            Fold::Count => table::<i64>(driver, store, Auto)?,
            Fold::Reduce => table::<Nullable>(driver, store, Text)?,
            _ => table::<String>(driver, store, Text)?,
        },
        Op::Aggregate { windows: Windows::Session { .. }, fold, .. } => match fold {
            Fold::Count => sessions::<i64>(driver, store, Auto)?,
            Fold::Reduce => sessions::<Nullable>(driver, store, Text)?,
            _ => sessions::<String>(driver, store, Text)?,
        },
        Op::Aggregate { fold, .. } => match fold {
            Fold::Count => windows::<i64>(driver, store, Auto)?,
            Fold::Reduce => windows::<Nullable>(driver, store, Text)?,
            _ => windows::<String>(driver, store, Text)?,
        },
        Op::Cogroup { windows: Windows::None, .. } | Op::ForeignKeyJoin { .. } | Op::TableJoin { named: true, .. } => {
            table::<String>(driver, store, Text)?
        }
        Op::Cogroup { windows: Windows::Session { .. }, .. } => sessions::<String>(driver, store, Text)?,
        Op::Cogroup { .. } => windows::<String>(driver, store, Text)?,
        Op::TableGroupBy { fold: Fold::Count, .. } => table::<i64>(driver, store, Auto)?,
        Op::Table { .. } | Op::ToTable | Op::TableGroupBy { .. } => table::<String>(driver, store, Text)?,
        Op::Process { .. } | Op::ProcessValues => {
            // Rows of processors' stores have no time in Java.
            let rows = table::<String>(driver, store, Text)?;
            rows.into_iter().map(|(key, value, _)| (key, value, None)).collect()
        }
        Op::TableFilter { named, .. } | Op::TableFilterNot { named, .. } | Op::TableMapValues { named, .. }
            if *named =>
        {
            table::<String>(driver, store, Text)?
        }
        _ => return Ok(None),
    };
    Ok(Some(rows))
}

fn table<V: Data + Into<Shown>>(driver: &TopologyTestDriver, store: &str, values: impl Serde<V>) -> Result<Rows> {
    let store = driver.store::<Nullable, V>(Materialized::with(store, Text, values))?;
    let mut rows = Vec::new();
    for (key, value) in store.all()? {
        let time = store.get_with_timestamp(&key)?.map(|(_, time)| time);
        rows.push((key.unwrap_or_default(), value.into().0.unwrap_or_default(), time));
    }
    Ok(rows)
}

fn windows<V: Data + Into<Shown>>(driver: &TopologyTestDriver, store: &str, values: impl Serde<V>) -> Result<Rows> {
    let store = driver.window_store::<Nullable, V>(Materialized::with(store, Text, values))?;
    let rows = store.all()?;
    Ok(rows.into_iter().map(|(key, value)| (window(&key), value.into().0.unwrap_or_default(), None)).collect())
}

fn sessions<V: Data + Into<Shown>>(driver: &TopologyTestDriver, store: &str, values: impl Serde<V>) -> Result<Rows> {
    let store = driver.session_store::<Nullable, V>(Materialized::with(store, Text, values))?;
    let rows = store.all()?;
    Ok(rows.into_iter().map(|(key, value)| (window(&key), value.into().0.unwrap_or_default(), None)).collect())
}
