//! `demo --fresh`: forgetting what earlier demos have left.

use std::{collections::BTreeSet, fs, io, sync::Arc};

use headwater_core::{Error, ErrorKind, Result};
use headwater_dsl::{NodeKind, Plan, Topology};
use headwater_log::Log;
use headwater_state::StateDirectory;

use super::{
    place::{FOLDERS, LOG, Place, UNFINISHED, cannot},
    program::Program,
};
use crate::shared::commits_topic;

/// Deletes the program's topics, state, lake and snapshots. State and tables hold positions in the topics, so that
/// either all of them go or none.
///
/// # Errors
/// `HW0702` for a directory that is not marked as ours, `HW0313` if another process is using the log.
pub(super) fn forget(program: &dyn Program, topology: &Topology, place: &Place) -> Result<()> {
    let left = FOLDERS.iter().any(|folder| place.dir.join(folder).exists());
    if left && place.marker()?.is_none() {
        let message =
            format!("{} is not marked as a Headwater program's directory; nothing was deleted", place.dir.display());
        return Err(Error::new(ErrorKind::Config, "HW0702", message)
            .help("check --dir; if everything in it may go, delete the directory yourself"));
    }
    // Held until all but the log itself has gone, so that no other process starts on a half.
    let held = hold_log(place)?;
    let state = place.settings(1).state_dir(&topology.plan().app);
    let alone = if state.exists() { Some(StateDirectory::lock(&state)?) } else { None };
    let unfinished = place.dir.join(UNFINISHED);
    if left {
        fs::write(&unfinished, "").map_err(|error| cannot("be written", &unfinished, error))?;
    }
    if place.brokers.is_some() {
        delete_topics(program, topology, place)?;
    }
    for folder in FOLDERS.iter().filter(|folder| **folder != LOG) {
        delete(place, folder)?;
    }
    drop((held, alone));
    delete(place, LOG)?;
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot("be deleted", &unfinished, error)),
        _ => Ok(()),
    }
}

/// Opens the embedded log, so that nobody else can. A damaged log may be thrown away, one in use may not.
fn hold_log(place: &Place) -> Result<Option<Arc<dyn Log>>> {
    if place.brokers.is_some() || !place.dir.join(LOG).exists() {
        return Ok(None);
    }
    match place.log() {
        Ok(log) => Ok(Some(log)),
        Err(error) if error.code() == "HW0313" => Err(error),
        Err(_) => Ok(None),
    }
}

/// Deletes a folder under another name, so that a start in the meantime finds all of it or nothing.
fn delete(place: &Place, folder: &str) -> Result<()> {
    let (path, doomed) = (place.dir.join(folder), place.dir.join(format!("{folder}.deleted")));
    let steps: [&dyn Fn() -> io::Result<()>; 3] =
        [&|| fs::remove_dir_all(&doomed), &|| fs::rename(&path, &doomed), &|| fs::remove_dir_all(&doomed)];
    for step in steps {
        match step() {
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
    use headwater_dsl::{StreamsBuilder, TopologyErrors};

    use super::*;

    fn topology() -> Result<Topology, TopologyErrors> {
        let app = StreamsBuilder::new("app");
        app.stream::<String, String>("in", headwater_core::serde::Text).to("out", headwater_core::serde::Text);
        app.build()
    }

    fn forget_in(place: &Place) -> Result<()> {
        forget(&topology, &topology().unwrap(), place)
    }

    #[test]
    fn versions_are_found_by_their_topics_and_nobody_elses() {
        let existing = ["app-s-changelog", "app__v3-s-changelog", "app__v12-x-commits", "app__vx-s", "apple__v9-s"];
        let existing = existing.map(str::to_owned).into_iter().collect();
        assert_eq!(versions("app", &existing), BTreeSet::from([1, 3, 12]));
    }

    #[test]
    fn a_directory_that_is_not_ours_keeps_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place { dir: dir.path().to_owned(), brokers: None };
        fs::create_dir(dir.path().join("log")).unwrap();
        place.adopt().unwrap();
        assert_eq!(forget_in(&place).unwrap_err().code(), "HW0702");
        assert!(dir.path().join("log").exists());
    }

    #[test]
    fn only_our_own_folders_go() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place { dir: dir.path().to_owned(), brokers: None };
        place.adopt().unwrap();
        drop(place.log().unwrap());
        for folder in ["lake", "notes", "lake.deleted"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        forget_in(&place).unwrap();
        let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["HEADWATER", "notes"]);
    }

    #[test]
    fn a_log_in_use_stays() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place { dir: dir.path().to_owned(), brokers: None };
        place.adopt().unwrap();
        let log = place.log().unwrap();
        assert_eq!(forget_in(&place).unwrap_err().code(), "HW0313");
        assert!(log.topics().is_ok());
    }

    #[test]
    fn after_an_interrupted_deletion_nothing_starts_until_it_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place { dir: dir.path().to_owned(), brokers: None };
        place.adopt().unwrap();
        fs::create_dir(dir.path().join("log")).unwrap();
        fs::write(dir.path().join(UNFINISHED), "").unwrap();
        assert_eq!(place.adopt().unwrap_err().code(), "HW0712");
        forget_in(&place).unwrap();
        place.adopt().unwrap();
    }
}
