//! What a commit writes about itself into the table, and how to read from a table what has been applied to it. See
//! `docs/formats.md` for every name.

use std::collections::{BTreeMap, HashMap};

use headwater_core::{Error, Offset, Result, Timestamp};
use iceberg::spec::{Snapshot, TableMetadata};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::fault;

const APP: &str = "headwater.app";
const SINK: &str = "headwater.sink";
const FROM: &str = "headwater.ctl.from";
const TO: &str = "headwater.ctl.to";
const SRC: &str = "headwater.src";
const STREAM_TIME: &str = "headwater.stream-time";
const WATERMARK: &str = "headwater.watermark";
const INCARNATION: &str = "headwater.incarnation";

/// Whose commits these are: several programs and sinks may append to one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) app: String,
    pub(crate) sink: String,
}

/// A commit's marks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The descriptors applied: from this offset of the commits topic ...
    pub(crate) from: Offset,
    /// ... up to but not including this one.
    pub(crate) to: Offset,
    /// Up to where each source partition has gone into the table, this commit included.
    pub(crate) src: BTreeMap<String, Offset>,
    /// The last stream time of each task that ever wrote to the table.
    pub(crate) stream_time: BTreeMap<String, Timestamp>,
}

impl Owner {
    /// The table property that holds `ctl.to`, `generation` or `src`. Dots in names are escaped, so that no two
    /// owners share a property.
    pub(crate) fn property(&self, what: &str) -> String {
        let escape = |name: &str| name.replace('.', "%2E");
        format!("headwater.{}.{}.{what}", escape(&self.app), escape(&self.sink))
    }

    /// Counts the intended rollbacks of the table, so that a replayed range gets a snapshot id of its own.
    pub(crate) fn generation(&self, table: &TableMetadata) -> u64 {
        table.properties().get(&self.property("generation")).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The id of the snapshot that applies `from..to`: the same in every attempt, so that the catalog itself refuses
    /// a second one.
    pub(crate) fn snapshot_id(&self, table: &TableMetadata, from: Offset, to: Offset) -> i64 {
        let generation = self.generation(table);
        let text = format!("{}\0{}\0{}\0{generation}\0{from}\0{to}", table.uuid(), self.app, self.sink);
        let hash = Sha256::digest(text.as_bytes());
        let head = hash.first_chunk::<8>().copied().unwrap_or_default();
        (i64::from_be_bytes(head) & i64::MAX).max(1)
    }

    fn made(&self, snapshot: &Snapshot) -> bool {
        let summary = &snapshot.summary().additional_properties;
        summary.get(APP) == Some(&self.app) && summary.get(SINK) == Some(&self.sink)
    }
}

impl Marks {
    pub(crate) fn summary(&self, owner: &Owner, incarnation: &str) -> HashMap<String, String> {
        let mut summary = HashMap::from([
            (APP.to_owned(), owner.app.clone()),
            (SINK.to_owned(), owner.sink.clone()),
            (FROM.to_owned(), self.from.to_string()),
            (TO.to_owned(), self.to.to_string()),
            (SRC.to_owned(), json(&self.src)),
            (STREAM_TIME.to_owned(), json(&self.stream_time)),
            (INCARNATION.to_owned(), incarnation.to_owned()),
        ]);
        if let Some(watermark) = self.stream_time.values().min() {
            summary.insert(WATERMARK.to_owned(), watermark.to_string());
        }
        summary
    }

    fn read(target: &str, snapshot: &Snapshot) -> Result<Self> {
        let summary = &snapshot.summary().additional_properties;
        let number = |name: &str| summary.get(name).and_then(|text| text.parse().ok());
        match (number(FROM), number(TO), parse(summary.get(SRC)), parse(summary.get(STREAM_TIME))) {
            (Some(from), Some(to), Some(src), Some(stream_time)) => Ok(Self { from, to, src, stream_time }),
            _ => Err(fault::rolled_back(
                target,
                &format!("the headwater.* entries of snapshot {} cannot be read", snapshot.snapshot_id()),
            )),
        }
    }
}

fn json<T: serde::Serialize>(map: &BTreeMap<String, T>) -> String {
    // A map from text to numbers always has a JSON form.
    serde_json::to_string(map).unwrap_or_default()
}

fn parse<T: DeserializeOwned>(text: Option<&String>) -> Option<BTreeMap<String, T>> {
    serde_json::from_str(text?).ok()
}

/// What `owner` has applied to the table: the nearest ancestor of `main` with its marks. Commits of others in between
/// do not hide it, and the table property speaks where other tools have expired every marked ancestor.
///
/// # Errors
/// `HW0510` if branch and property disagree.
pub(crate) fn applied(target: &str, table: &TableMetadata, owner: &Owner) -> Result<Option<Marks>> {
    let property = property_position(target, table, owner)?;
    match nearest(table, owner) {
        Nearest::Marked(snapshot) => {
            let marks = Marks::read(target, snapshot)?;
            match property {
                Some(property) if property != marks.to => Err(disagree(target, &marks.to.to_string(), property)),
                _ => Ok(Some(marks)),
            }
        }
        Nearest::Expired => Ok(property.map(|to| Marks {
            from: to,
            to,
            src: parse(table.properties().get(&owner.property("src"))).unwrap_or_default(),
            ..Marks::default()
        })),
        Nearest::None => property.map_or(Ok(None), |property| Err(disagree(target, "nothing", property))),
    }
}

fn property_position(target: &str, table: &TableMetadata, owner: &Owner) -> Result<Option<Offset>> {
    let name = owner.property("ctl");
    let Some(text) = table.properties().get(&name) else { return Ok(None) };
    let parsed = text.parse().map(Some);
    parsed.map_err(|_| fault::rolled_back(target, &format!("its property {name} is {text:?}, not an offset")))
}

fn disagree(target: &str, branch: &str, property: Offset) -> Error {
    fault::rolled_back(
        target,
        &format!("its branch main holds {branch} of this sink's commits and its property says up to {property}"),
    )
}

enum Nearest<'a> {
    Marked(&'a Snapshot),
    /// The walk ended at a snapshot whose parent has been expired.
    Expired,
    /// The walk ended at the table's first snapshot.
    None,
}

fn nearest<'a>(table: &'a TableMetadata, owner: &Owner) -> Nearest<'a> {
    let Some(mut snapshot) = table.current_snapshot() else { return Nearest::None };
    loop {
        if owner.made(snapshot) {
            return Nearest::Marked(snapshot);
        }
        let Some(parent) = snapshot.parent_snapshot_id() else { return Nearest::None };
        match table.snapshot_by_id(parent) {
            Some(parent) => snapshot = parent,
            None => return Nearest::Expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_never_share_a_property() {
        let owner = |app: &str, sink: &str| Owner { app: app.into(), sink: sink.into() };
        assert_eq!(owner("flights", "lake").property("ctl"), "headwater.flights.lake.ctl");
        assert_ne!(owner("a.b", "c").property("ctl"), owner("a", "b.c").property("ctl"));
    }
}
