//! `demo --fresh`: forgetting what earlier demos have left.

use std::{collections::BTreeSet, fs, io};

use headwater_core::{Error, ErrorKind, Result};
use headwater_dsl::{NodeKind, Plan, Topology};

use super::{
    place::{FOLDERS, Place, cannot},
    program::Program,
};
use crate::shared::commits_topic;

/// Deletes the program's topics, state, lake and snapshots. State and tables hold positions in the topics, so that
/// either all of them go or none.
///
/// # Errors
/// `HW0702` for a directory that is not marked as ours, `HW0313` if another process is using the log.
pub(super) fn forget(program: &dyn Program, topology: &Topology, place: &Place) -> Result<()> {
    let left: Vec<_> = FOLDERS.iter().map(|folder| place.dir.join(folder)).filter(|path| path.exists()).collect();
    if !left.is_empty() && place.marker()?.is_none() {
        let message =
            format!("{} is not marked as a Headwater program's directory; nothing was deleted", place.dir.display());
        return Err(Error::new(ErrorKind::Config, "HW0702", message)
            .help("check --dir; if everything in it may go, delete the directory yourself"));
    }
    if place.brokers.is_some() {
        delete_topics(program, topology, place)?;
    } else if place.dir.join("log").exists()
        && let Err(error) = place.log()
        && error.code() == "HW0313"
    {
        // A damaged log may be thrown away, one in use may not.
        return Err(error);
    }
    for path in left {
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot("be deleted", &path, error)),
            _ => {}
        }
    }
    Ok(())
}

fn delete_topics(program: &dyn Program, topology: &Topology, place: &Place) -> Result<()> {
    let log = place.log()?;
    let existing: BTreeSet<String> = log.topics()?.into_iter().map(|topic| topic.name).collect();
    let mut names: BTreeSet<String> = program.topics().into_iter().map(|topic| topic.spec().name).collect();
    for version in versions(&topology.plan().app, &existing) {
        names.extend(topics_of(topology.versioned(version).plan()));
    }
    let doomed: Vec<String> = names.into_iter().filter(|name| existing.contains(name)).collect();
    if doomed.is_empty() {
        return Ok(());
    }
    eprintln!("deleting from {}: {}", log.describe(), doomed.join(", "));
    log.delete_topics(&doomed)
}

/// The first version, and those of which a topic like `<app>__v2-...` or `<output>__v2` is there.
fn versions(app: &str, existing: &BTreeSet<String>) -> BTreeSet<u32> {
    let prefix = format!("{app}__v");
    let marks = existing.iter().filter_map(|name| name.strip_prefix(&prefix)?.split('-').next()?.parse().ok());
    std::iter::once(1).chain(marks).collect()
}

/// Every topic that the plan writes.
fn topics_of(plan: &Plan) -> Vec<String> {
    let sinks = plan.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Sink { .. }));
    let mut names: Vec<String> = sinks.map(|node| commits_topic(&plan.app, &node.name)).collect();
    names.extend(plan.stores.values().map(|store| store.changelog.clone()));
    names.extend(plan.output_topics().into_iter().map(str::to_owned));
    names.extend(plan.repartition_topics().into_iter().map(str::to_owned));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_by_their_topics_and_nobody_elses() {
        let existing = ["app-s-changelog", "app__v3-s-changelog", "app__v12-x-commits", "app__vx-s", "apple__v9-s"];
        let existing = existing.map(str::to_owned).into_iter().collect();
        assert_eq!(versions("app", &existing), BTreeSet::from([1, 3, 12]));
    }
}
