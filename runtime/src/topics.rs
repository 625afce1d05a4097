//! The topics a run needs: what must be there, and what it makes itself.

use std::collections::BTreeMap;

use headwater_core::{Error, ErrorKind, Result};
use headwater_dsl::Plan;
use headwater_log::{Log, TopicInfo, TopicSpec};

use crate::{settings::Settings, shared::commits_topic};

/// What an internal topic needs whatever the broker's defaults: its records' times are the program's, also those that lie
/// far ahead, as a broker would refuse them and the program could never go on.
const OWN_TIMES: [(&str, &str); 2] =
    [("message.timestamp.type", "CreateTime"), ("message.timestamp.after.max.ms", "9223372036854775807")];

/// Checks the input and output topics, and makes the internal ones. Nothing is made before everything is checked.
/// Returns the partition count of every topic.
///
/// # Errors
/// `HW0110` for a topic that does not exist, `HW0111` for inputs that do not fit together.
pub(crate) fn prepare(log: &dyn Log, plan: &Plan, settings: &Settings) -> Result<BTreeMap<String, i32>> {
    let existing = log.topics()?;
    let mut counts = self::counts(plan, &existing)?;
    let existing: BTreeMap<String, i32> = existing.into_iter().map(|topic| (topic.name, topic.partitions)).collect();
    let widest = counts.values().max().copied().unwrap_or(1);
    let mut make = Vec::new();
    for topic in plan.output_topics() {
        let count = match existing.get(topic) {
            Some(count) => *count,
            None if settings.create_output_topics => {
                make.push(spec(topic, widest, &[]));
                widest
            }
            None => {
                return Err(Error::new(ErrorKind::Config, "HW0110", format!("output topic {topic} does not exist"))
                    .help("create it with the partitions its readers expect; nothing was written"));
            }
        };
        counts.insert(topic.to_owned(), count);
    }
    for topic in plan.repartition_topics() {
        let count = counts.get(topic).copied().unwrap_or(1);
        make.push(internal(topic, count, &KEPT));
    }
    for (part, number) in plan.subtopologies.iter().zip(0..) {
        let tasks = plan.task_count(number, &counts).unwrap_or(1);
        for store in part.stores.iter().filter_map(|store| plan.stores.get(store)) {
            let Some(changelog) = store.changelog_topic() else { continue };
            // What time closes is deleted row by row, so compaction alone keeps a changelog small.
            let mut changelog_spec = internal(changelog, tasks, &[("cleanup.policy", "compact")]);
            changelog_spec.config.extend(store.options.changelog_settings.clone());
            make.push(changelog_spec);
            counts.insert(changelog.to_owned(), tasks);
        }
    }
    for sink in sink_names(plan) {
        let topic = commits_topic(&plan.app, sink);
        make.push(internal(&topic, 1, &KEPT));
        counts.insert(topic, 1);
    }
    log.create_topics(&make)?;
    for warning in short_retentions(log, plan) {
        tracing::warn!(code = "HW0612", "{warning}");
    }
    for warning in cut_sources(log, plan) {
        tracing::warn!(code = "HW0613", "{warning}");
    }
    Ok(counts)
}

/// Topics from which tables are restored though their records do not stay: a restore then misses rows.
pub(crate) fn cut_sources(log: &dyn Log, plan: &Plan) -> Vec<String> {
    let mut warnings = Vec::new();
    for (store, spec) in &plan.stores {
        let Some(topic) = spec.options.source.as_deref() else { continue };
        // What cannot be asked for is no reason not to start.
        let Ok(settings) = log.topic_settings(topic) else { continue };
        let deletes = settings.get("cleanup.policy").is_none_or(|policy| policy.contains("delete"));
        let limit = |name: &str| settings.get(name).is_some_and(|limit| limit.parse::<i64>().is_ok_and(|n| n >= 0));
        if deletes && (limit("retention.ms") || limit("retention.bytes")) {
            warnings.push(format!(
                "store {store} is restored from topic {topic}, which deletes old records; rows would be missing then. \
                 Help: give the topic cleanup.policy=compact, or let the store have a changelog"
            ));
        }
    }
    warnings
}

/// The partition counts of the topics that the plan reads, as far as it reads any of those that `existing` names.
///
/// # Errors
/// `HW0110` for a topic that does not exist, `HW0111` for inputs that do not fit together.
pub(crate) fn counts(plan: &Plan, existing: &[TopicInfo]) -> Result<BTreeMap<String, i32>> {
    if let Some((source, pattern)) = plan.patterns_without_topic().next() {
        return Err(Error::new(ErrorKind::Config, "HW0110", format!("no topic matches {pattern}"))
            .at_node(source)
            .help("create one, or feed it first; nothing was written"));
    }
    let of = |name: &str| existing.iter().find(|topic| topic.name == name).map(|topic| topic.partitions);
    let counts = plan.partition_counts(&of)?;
    check_equal_inputs(plan, &counts)?;
    Ok(counts)
}

/// Windows that take records for longer than their input topics keep them: a replay then finds fewer records than the
/// first run did.
pub(crate) fn short_retentions(log: &dyn Log, plan: &Plan) -> Vec<String> {
    let mut warnings = Vec::new();
    for node in &plan.nodes {
        let Some(life_ms) = node.kind.window_life_ms() else { continue };
        for topic in plan.inputs_above(node.id) {
            // What cannot be asked for is no reason not to start.
            let Ok(settings) = log.topic_settings(topic) else { continue };
            let retention = settings.get("retention.ms").and_then(|retention| retention.parse::<i64>().ok());
            let deletes = settings.get("cleanup.policy").is_none_or(|policy| policy.contains("delete"));
            if let Some(retention) = retention.filter(|ms| deletes && (0..life_ms).contains(ms)) {
                warnings.push(format!(
                    "the windows of {} take records for {life_ms} ms, but topic {topic} keeps them for {retention} ms; \
                     a replay will not find them all. Help: let the topic keep them longer, or give less grace",
                    node.name
                ));
            }
        }
    }
    warnings
}

fn sink_names(plan: &Plan) -> impl Iterator<Item = &str> {
    let sinks = plan.nodes.iter().filter(|node| matches!(node.kind, headwater_dsl::NodeKind::Sink { .. }));
    sinks.map(|node| node.name.as_str())
}

/// Until the program itself deletes records.
const KEPT: [(&str, &str); 2] = [("cleanup.policy", "delete"), ("retention.ms", "-1")];

fn internal(name: &str, partitions: i32, config: &[(&str, &str)]) -> TopicSpec {
    spec(name, partitions, &[config, &OWN_TIMES].concat())
}

fn spec(name: &str, partitions: i32, config: &[(&str, &str)]) -> TopicSpec {
    let config = config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    TopicSpec { name: name.to_owned(), partitions, config }
}

/// The range assignment gives equal partition numbers to one member only for topics of equal width.
fn check_equal_inputs(plan: &Plan, counts: &BTreeMap<String, i32>) -> Result<()> {
    for part in 0..plan.subtopologies.len() {
        let topics = plan.inputs_of(part);
        let widths: Vec<_> = topics.filter_map(|(_, topic)| counts.get(topic).map(|count| (topic, *count))).collect();
        if widths.windows(2).any(|pair| matches!(pair, [a, b] if a.1 != b.1)) {
            let list: Vec<_> = widths.iter().map(|(topic, count)| format!("{topic} has {count}")).collect();
            let message = format!("topics read together have different partition counts: {}", list.join(", "));
            return Err(Error::new(ErrorKind::Config, "HW0111", message)
                .help("give them equal partition counts, or part them by .repartition(..)"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use headwater::prelude::*;
    use headwater_core::SystemClock;
    use headwater_log::{EmbeddedConfig, EmbeddedLog};

    use super::*;

    #[test]
    fn windows_that_outlive_their_topics_records_are_named_and_no_others() {
        let app = StreamsBuilder::new("demo");
        for topic in ["short", "long", "unbounded", "compacted"] {
            app.stream::<String, i64>(topic, Json)
                .group_by(|_, n| *n, format!("{topic}-by-number").as_str())
                .windowed_by(Tumbling::of(hours(1)).grace(hours(1)))
                .count(format!("{topic}-counts").as_str());
        }
        let topology = app.build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let log = EmbeddedLog::open(dir.path(), EmbeddedConfig::default(), Arc::new(SystemClock)).unwrap();
        let short = hours(2) - 1;
        log.create_topics(&[
            spec("short", 1, &[("retention.ms", &short.to_string())]),
            spec("long", 1, &[("retention.ms", &hours(2).to_string())]),
            spec("unbounded", 1, &[]),
            spec("compacted", 1, &[("cleanup.policy", "compact"), ("retention.ms", "1")]),
        ])
        .unwrap();
        let warnings = short_retentions(&*log, topology.plan());
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("short-counts") && warnings[0].contains("topic short"), "{warnings:?}");
    }

    #[test]
    fn tables_restored_from_topics_that_delete_records_are_named_and_no_others() {
        let app = StreamsBuilder::new("demo");
        for topic in ["short", "small", "kept", "compacted"] {
            let store = Materialized::<String, i64>::named(&format!("{topic}-rows")).restored_from_source();
            app.table::<String, i64>(topic, Json, store);
        }
        app.table::<String, i64>("other", Json, "other-rows");
        let topology = app.build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let log = EmbeddedLog::open(dir.path(), EmbeddedConfig::default(), Arc::new(SystemClock)).unwrap();
        log.create_topics(&[
            spec("short", 1, &[("retention.ms", "60000")]),
            spec("small", 1, &[("retention.ms", "-1"), ("retention.bytes", "1000")]),
            spec("kept", 1, &[("retention.ms", "-1")]),
            spec("compacted", 1, &[("cleanup.policy", "compact"), ("retention.ms", "60000")]),
            spec("other", 1, &[("retention.ms", "60000")]),
        ])
        .unwrap();
        let warnings = cut_sources(&*log, topology.plan());
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("topic short") && warnings[1].contains("topic small"), "{warnings:?}");
    }
}
