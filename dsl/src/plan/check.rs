//! The checks of `build()`: all mistakes at once, each with code, node, reason and help.

use std::collections::BTreeMap;

use headwater_core::check_name;

use super::{Node, NodeId, NodeKind, Plan, check_stores, check_suppress, check_windows::check_windows};
use crate::{error::TopologyError, vocab::OnFailure};

/// Every mistake that the plan alone shows.
pub(crate) fn check(plan: &Plan) -> Vec<TopologyError> {
    let mut found = Vec::new();
    names(plan, &mut found);
    duplicates(plan, &mut found);
    check_windows(plan, &mut found);
    join_windows(plan, &mut found);
    join_graces(plan, &mut found);
    partitions(plan, &mut found);
    rules(plan, &mut found);
    topics(plan, &mut found);
    global_joins(plan, &mut found);
    dead_letters(plan, &mut found);
    branches(plan, &mut found);
    stores(plan, &mut found);
    check_stores::stores(plan, &mut found);
    check_suppress::suppress(plan, &mut found);
    found
}

fn names(plan: &Plan, found: &mut Vec<TopologyError>) {
    let mut check = |node: &str, what: &str, name: &str| {
        if let Err(error) = check_name(what, name) {
            found.push(TopologyError::from_error(&error, node));
        }
    };
    check("application", "the application id", &plan.app);
    for node in &plan.nodes {
        check(&node.name, "the node name", &node.name);
        match &node.kind {
            NodeKind::To { topic, .. } => check(&node.name, "the topic", topic),
            NodeKind::Source { topics, .. } | NodeKind::ToEach { topics, .. } => {
                for topic in topics {
                    check(&node.name, "the topic", topic);
                }
            }
            NodeKind::Repartition { label, .. } => check(&node.name, "the repartition's name", label),
            _ => {}
        }
    }
    if let OnFailure::DeadLetter(topic) = &plan.on_failure {
        check("application", "the dead-letter topic", topic);
    }
    for store in plan.stores.keys().chain(plan.global_stores.keys()) {
        check(store, "the store's name", store);
    }
}

fn duplicates(plan: &Plan, found: &mut Vec<TopologyError>) {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    let mut labels: BTreeMap<&str, &str> = BTreeMap::new();
    let mut sources: BTreeMap<&str, &str> = BTreeMap::new();
    for node in &plan.nodes {
        if let Some(first) = seen.insert(&node.name, &node.name) {
            found.push(TopologyError::new(
                "HW0102",
                &node.name,
                format!("two steps are called {first}"),
                "every step, store and repartition has a name of its own; rename one",
            ));
        }
        if let NodeKind::Repartition { label, .. } = &node.kind
            && labels.insert(label, &node.name).is_some()
        {
            found.push(TopologyError::new(
                "HW0102",
                &node.name,
                format!("two groupings or repartitions are called {label}"),
                "the name becomes a topic's name; rename one",
            ));
        }
        let NodeKind::Source { topics, .. } = &node.kind else { continue };
        for topic in topics {
            if let Some(first) = sources.insert(topic, &node.name) {
                found.push(TopologyError::new(
                    "HW0103",
                    &node.name,
                    format!("topic {topic} is read twice, by {first} and {}", node.name),
                    "read it once and use the stream several times: each use gets every record",
                ));
            }
        }
    }
}

fn join_windows(plan: &Plan, found: &mut Vec<TopologyError>) {
    for node in &plan.nodes {
        let NodeKind::Stateful { settings, .. } = &node.kind else { continue };
        let (Some(before), Some(after)) = (settings.get("before_ms"), settings.get("after_ms")) else { continue };
        if before.saturating_add(*after) < 0 {
            let reason = format!("no two records lie within the join's window: before {before} ms, after {after} ms");
            found.push(TopologyError::new("HW0150", &node.name, reason, "before and after together are 0 ms or more"));
        }
        let (reason, help) = match settings.get("grace_ms") {
            None => (
                "the join's window has no grace".to_owned(),
                "say how late a partner may come: .grace(minutes(10)), or .no_grace()",
            ),
            Some(grace) if *grace < 0 => (format!("the grace is {grace} ms"), "a grace is 0 ms or more"),
            Some(_) => continue,
        };
        found.push(TopologyError::new("HW0105", &node.name, reason, help));
    }
}

/// A record can wait for the rows of its time only if the table still knows them.
fn join_graces(plan: &Plan, found: &mut Vec<TopologyError>) {
    for node in &plan.nodes {
        let NodeKind::Stateful { op, settings, reads, .. } = &node.kind else { continue };
        let (true, Some(grace), [table]) = (op.ends_with("join_table"), settings.get("grace_ms"), reads.as_slice())
        else {
            continue;
        };
        let stores = plan.stores_behind(*table);
        let history = stores.first().and_then(|store| plan.stores.get(*store)?.options.retention_ms);
        let (code, reason, help) = if *grace < 0 {
            ("HW0105", format!("the grace is {grace} ms"), "a grace is 0 ms or more")
        } else if !plan.is_versioned(*table) {
            let reason = "the join has a grace, but the table keeps no history".to_owned();
            ("HW0151", reason, "give the table's store a history with .versioned(..), or leave the grace out")
        } else if history.is_some_and(|history| history < *grace) {
            let reason = format!("the grace of {grace} ms is longer than the table's history");
            ("HW0151", reason, "let the table's history be at least as long as the grace")
        } else {
            continue;
        };
        found.push(TopologyError::new(code, &node.name, reason, help));
    }
}

fn partitions(plan: &Plan, found: &mut Vec<TopologyError>) {
    for node in &plan.nodes {
        if let NodeKind::Repartition { partitions: Some(n), .. } = &node.kind
            && *n < 1
        {
            let reason = format!("{n} partitions were asked for");
            found.push(TopologyError::new("HW0106", &node.name, reason, "a topic has at least 1 partition"));
        }
        // Two repartitions with unlike explicit counts must not meet at one store.
        if !node.kind.needs_keys_together() {
            continue;
        }
        partitioners(plan, node, found);
        let mut counts: Vec<(String, i32)> = Vec::new();
        for id in plan.sources_met_in(node) {
            if let Some(NodeKind::Repartition { label, partitions: Some(n), .. }) = plan.node(id).map(|n| &n.kind) {
                counts.push((label.clone(), *n));
            }
        }
        if counts.windows(2).any(|pair| matches!(pair, [a, b] if a.1 != b.1)) {
            let list: Vec<_> = counts.iter().map(|(label, n)| format!("{label} has {n}")).collect();
            found.push(TopologyError::new(
                "HW0111",
                &node.name,
                format!("the inputs have different partition counts: {}", list.join(", ")),
                "give them the same number of partitions",
            ));
        }
    }
}

/// What meets at one store or join must be partitioned alike. Of an input topic nobody knows: it counts as written by
/// the default partitioner.
fn partitioners(plan: &Plan, node: &Node, found: &mut Vec<TopologyError>) {
    let met = plan.sources_met_in(node);
    let of = |id: &NodeId| match plan.node(*id).map(|node| (&node.name, &node.kind)) {
        Some((_, NodeKind::Repartition { label, partitioner, .. })) => Some((label.as_str(), partitioner.as_deref())),
        Some((name, _)) => Some((name.as_str(), None)),
        None => None,
    };
    let ways: Vec<(&str, Option<&str>)> = met.iter().filter_map(of).collect();
    if ways.windows(2).any(|pair| matches!(pair, [a, b] if a.1 != b.1)) {
        let list: Vec<_> = ways.iter().map(|(name, by)| format!("{name} by {}", by.unwrap_or("default"))).collect();
        found.push(TopologyError::new(
            "HW0166",
            &node.name,
            format!("the inputs are partitioned in different ways: {}", list.join(", ")),
            "give both repartitions the same partitioner under the same name, or none",
        ));
    }
}

fn rules(plan: &Plan, found: &mut Vec<TopologyError>) {
    for node in &plan.nodes {
        let NodeKind::Validate { rules } = &node.kind else { continue };
        if rules.is_empty() {
            let reason = "there are no rules to test".to_owned();
            found.push(TopologyError::new("HW0107", &node.name, reason, "add rules, or leave the step out"));
        }
        let mut seen: BTreeMap<&str, ()> = BTreeMap::new();
        for rule in rules {
            if let Err(error) = check_name("the rule's name", &rule.name) {
                found.push(TopologyError::from_error(&error, &node.name));
            }
            if let Some(topic) = rule.route.strip_prefix("dead_letter ")
                && let Err(error) = check_name("the dead-letter topic", topic)
            {
                found.push(TopologyError::from_error(&error, &node.name));
            }
            if rule.test.starts_with("invalid pattern") {
                let reason = format!("rule {}: {}", rule.name, rule.test);
                found.push(TopologyError::new("HW0108", &node.name, reason, "correct the regular expression"));
            }
            if seen.insert(&rule.name, ()).is_some() {
                let reason = format!("two rules are called {}", rule.name);
                found.push(TopologyError::new(
                    "HW0102",
                    &node.name,
                    reason,
                    "a rule is counted by its name; rename one",
                ));
            }
        }
    }
}

fn topics(plan: &Plan, found: &mut Vec<TopologyError>) {
    let written = plan.output_topics();
    for node in &plan.nodes {
        let NodeKind::Source { topics, pattern, .. } = &node.kind else { continue };
        if let Some(topic) = topics.iter().find(|topic| written.contains(&topic.as_str())) {
            found.push(TopologyError::new(
                "HW0109",
                &node.name,
                format!("topic {topic} is both read and written by this topology"),
                "a topology that feeds itself never reaches the end of its input; use another topic",
            ));
        }
        let flaw = match pattern {
            None if topics.is_empty() => "no topic is named".to_owned(),
            None => continue,
            Some(pattern) => match regex::Regex::new(pattern) {
                Ok(_) => continue,
                Err(error) => format!("{pattern} is no regular expression: {error}"),
            },
        };
        found.push(TopologyError::new("HW0165", &node.name, flaw, "name at least one topic, or correct the pattern"));
    }
    for node in &plan.nodes {
        if matches!(&node.kind, NodeKind::ToEach { topics, .. } if topics.is_empty()) {
            let reason = "there is no topic to choose from".to_owned();
            found.push(TopologyError::new("HW0165", &node.name, reason, "name the topics that records may go to"));
        }
    }
    if !plan.nodes.iter().any(|node| matches!(node.kind, NodeKind::Source { .. })) {
        found.push(TopologyError::new(
            "HW0112",
            "application",
            "the topology reads no topic".to_owned(),
            "start with stream(..) or table(..)",
        ));
    }
}

fn global_joins(plan: &Plan, found: &mut Vec<TopologyError>) {
    for node in &plan.nodes {
        let NodeKind::GlobalJoin { store, .. } = &node.kind else { continue };
        if !plan.global_stores.contains_key(store) {
            let reason = format!("the global table {store} is not one of this topology");
            found.push(TopologyError::new("HW0115", &node.name, reason, "make it with the same StreamsBuilder"));
        }
    }
}

fn stores(plan: &Plan, found: &mut Vec<TopologyError>) {
    for node in &plan.nodes {
        for store in node.kind.stores().iter().filter(|store| !plan.stores.contains_key(*store)) {
            let reason = format!("the store {store} is not one of this topology");
            found.push(TopologyError::new("HW0160", &node.name, reason, "make it with the same StreamsBuilder"));
        }
    }
    for store in plan.stores.keys() {
        if !plan.nodes.iter().any(|node| node.kind.stores().contains(store)) {
            let reason = "no processor was given this store".to_owned();
            let help = "name it among the resources of process(..), or leave it out";
            found.push(TopologyError::new("HW0164", store, reason, help));
        }
    }
}

/// A dead letter is the record as it came in, and a result is not one that came in.
fn dead_letters(plan: &Plan, found: &mut Vec<TopologyError>) {
    for node in &plan.nodes {
        let NodeKind::Validate { rules } = &node.kind else { continue };
        let Some(rule) = rules.iter().find(|rule| rule.route.starts_with("dead_letter ")) else { continue };
        if let Some(store) = table_above(plan, node.id) {
            found.push(TopologyError::new(
                "HW0116",
                &node.name,
                format!("rule {} sends results of {store} to a dead-letter topic, but they are no input", rule.name),
                "test the input before it is aggregated, or send broken results elsewhere with .split()",
            ));
        }
    }
}

/// The table whose changes reach node `id` without a topic in between.
fn table_above(plan: &Plan, id: NodeId) -> Option<&str> {
    let mut open = plan.node(id)?.parents.clone();
    while let Some(node) = open.pop().and_then(|at| plan.node(at)) {
        // What a processor forwards is made of the record it was called for.
        let is_processor = matches!(&node.kind, NodeKind::Stateful { op, .. } if op.starts_with("process"));
        if let Some(store) = node.kind.stores().first().filter(|_| !is_processor) {
            return Some(store);
        }
        if !matches!(node.kind, NodeKind::Repartition { topic: Some(_), .. }) {
            open.extend(&node.parents);
        }
    }
    None
}

fn branches(plan: &Plan, found: &mut Vec<TopologyError>) {
    let mut seen = BTreeMap::new();
    for node in &plan.nodes {
        let NodeKind::Stateless { op, .. } = &node.kind else { continue };
        if op == "default_branch" && seen.insert(&node.parents, ()).is_some() {
            let reason = "the stream is split with two default branches".to_owned();
            found.push(TopologyError::new("HW0117", &node.name, reason, "use the first one several times"));
        }
    }
}
