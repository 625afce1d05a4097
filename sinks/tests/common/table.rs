//! The table behind the sink's back: what other tools see and do.
#![allow(dead_code, reason = "every test binary uses a part of it")]

use std::{path::Path, str::FromStr};

use headwater_core::Offset;
use iceberg::{
    MetadataLocation,
    io::FileIO,
    spec::{ManifestList, SnapshotReference, SnapshotRetention, TableMetadata, TableMetadataBuilder},
};

pub type Table = (String, TableMetadata);

fn wait<T>(future: impl Future<Output = iceberg::Result<T>>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future).unwrap()
}

fn catalog(lake: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(lake.join("catalog.db")).unwrap()
}

pub fn load(lake: &Path) -> Table {
    let location: String =
        catalog(lake).query_row("SELECT metadata_location FROM iceberg_tables", [], |row| row.get(0)).unwrap();
    let metadata = wait(TableMetadata::read_from(&FileIO::new_with_fs(), &location));
    (location, metadata)
}

/// Changes the table as another tool would.
pub fn change(lake: &Path, change: impl FnOnce(TableMetadataBuilder) -> TableMetadataBuilder) {
    let (location, metadata) = load(lake);
    let built = change(metadata.into_builder(Some(location.clone()))).build().unwrap();
    let next = MetadataLocation::from_str(&location).unwrap().with_next_version().with_new_metadata(&built.metadata);
    wait(built.metadata.write_to(&FileIO::new_with_fs(), &next));
    let moved = catalog(lake)
        .execute(
            "UPDATE iceberg_tables SET metadata_location = ?1 WHERE metadata_location = ?2",
            [next.to_string(), location],
        )
        .unwrap();
    assert_eq!(moved, 1);
}

/// Moves `main` back to the parent of its head.
pub fn roll_back(lake: &Path) {
    let (_, metadata) = load(lake);
    let parent = metadata.current_snapshot().unwrap().parent_snapshot_id().unwrap();
    let main = SnapshotReference::new(parent, SnapshotRetention::branch(None, None, None));
    change(lake, |builder| builder.set_ref("main", main).unwrap());
}

/// Removes every snapshot but the head of `main`.
pub fn expire(lake: &Path) {
    let (_, metadata) = load(lake);
    let head = metadata.current_snapshot_id().unwrap();
    let old: Vec<Offset> = metadata.snapshots().map(|s| s.snapshot_id()).filter(|id| *id != head).collect();
    change(lake, |builder| builder.remove_snapshots(&old));
}

/// How many manifests the head lists, and how many live files they list.
pub fn manifests((_, metadata): &Table) -> (usize, usize) {
    let io = FileIO::new_with_fs();
    let head = metadata.current_snapshot().unwrap();
    let bytes = wait(async { io.new_input(head.manifest_list())?.read().await });
    let list = ManifestList::parse_with_version(&bytes, metadata.format_version()).unwrap();
    let files = list.entries().iter().map(|manifest| {
        let manifest = wait(manifest.load_manifest(&io));
        manifest.entries().iter().filter(|entry| entry.is_alive()).count()
    });
    (list.entries().len(), files.sum())
}

/// The live data files of the head.
pub fn data_files(metadata: &TableMetadata) -> Vec<iceberg::spec::DataFile> {
    let io = FileIO::new_with_fs();
    let bytes = wait(async { io.new_input(metadata.current_snapshot().unwrap().manifest_list())?.read().await });
    let list = ManifestList::parse_with_version(&bytes, metadata.format_version()).unwrap();
    let manifests = list.entries().iter().map(|manifest| wait(manifest.load_manifest(&io)));
    manifests.flat_map(|manifest| manifest.entries().to_vec()).map(|entry| entry.data_file().clone()).collect()
}
