//! Manifests: the lists of data files behind a snapshot. New files get new ones; many small ones are folded.

use std::collections::BTreeMap;

use iceberg::{
    Error, ErrorKind, Result,
    io::FileIO,
    spec::{
        DataFile, ManifestContentType, ManifestFile, ManifestList, ManifestListWriter, ManifestWriter,
        ManifestWriterBuilder, Snapshot, TableMetadata, UNASSIGNED_SEQUENCE_NUMBER,
    },
};
use uuid::Uuid;

/// A snapshot with more manifests than this gets its smallest ones folded into one.
const FOLD_ABOVE: usize = 32;

/// How many are folded at a time. Folding a few often, smallest first, copies each entry a logarithmic number of times.
const FOLDED_AT_ONCE: usize = 24;

/// A data file and the id of the partition spec it was written under.
pub(crate) type SpecFile = (i32, DataFile);

/// Writes one manifest per partition spec that lists `files` as added by snapshot `id`.
pub(crate) async fn write_added(
    io: &FileIO,
    table: &TableMetadata,
    id: i64,
    files: &[SpecFile],
) -> Result<Vec<ManifestFile>> {
    let mut by_spec: BTreeMap<i32, Vec<&DataFile>> = BTreeMap::new();
    for (spec, file) in files {
        by_spec.entry(*spec).or_default().push(file);
    }
    let mut manifests = Vec::new();
    for (spec, files) in by_spec {
        let mut writer = manifest_writer(io, table, id, spec)?;
        for file in files {
            writer.add_file(file.clone(), UNASSIGNED_SEQUENCE_NUMBER)?;
        }
        manifests.push(writer.write_manifest_file().await?);
    }
    Ok(manifests)
}

/// The manifests of `snapshot` that list any live file.
pub(crate) async fn live(io: &FileIO, table: &TableMetadata, snapshot: &Snapshot) -> Result<Vec<ManifestFile>> {
    let bytes = io.new_input(snapshot.manifest_list())?.read().await?;
    let list = ManifestList::parse_with_version(&bytes, table.format_version())?;
    let live = |manifest: &ManifestFile| manifest.has_added_files() || manifest.has_existing_files();
    Ok(list.consume_entries().into_iter().filter(live).collect())
}

/// If there are many, replaces the smallest data manifests by one that lists their live files as existing, each with
/// its own snapshot and sequence numbers. Returns the manifests to list and the paths of those written.
pub(crate) async fn fold(
    io: &FileIO,
    table: &TableMetadata,
    id: i64,
    mut manifests: Vec<ManifestFile>,
) -> Result<(Vec<ManifestFile>, Vec<String>)> {
    if manifests.len() <= FOLD_ABOVE {
        return Ok((manifests, Vec::new()));
    }
    let spec = table.default_partition_spec_id();
    let foldable =
        |manifest: &ManifestFile| manifest.content == ManifestContentType::Data && manifest.partition_spec_id == spec;
    // Smallest first, and all that must stay behind them.
    manifests.sort_by_key(|manifest| (!foldable(manifest), manifest.manifest_length));
    let count = manifests.iter().take(FOLDED_AT_ONCE).take_while(|manifest| foldable(manifest)).count();
    if count < 2 {
        return Ok((manifests, Vec::new()));
    }
    let rest = manifests.split_off(count);
    let mut writer = manifest_writer(io, table, id, spec)?;
    for manifest in &manifests {
        for entry in manifest.load_manifest(io).await?.entries().iter().filter(|entry| entry.is_alive()) {
            let (Some(snapshot), Some(sequence)) = (entry.snapshot_id(), entry.sequence_number()) else {
                let what = format!("{} lists a file without its snapshot", manifest.manifest_path);
                return Err(Error::new(ErrorKind::DataInvalid, what));
            };
            let file_sequence = entry.file_sequence_number;
            writer.add_existing_file(entry.data_file().clone(), snapshot, sequence, file_sequence)?;
        }
    }
    let folded = writer.write_manifest_file().await?;
    let written = vec![folded.manifest_path.clone()];
    Ok((std::iter::once(folded).chain(rest).collect(), written))
}

/// Writes the manifest list of snapshot `id` and returns its location.
pub(crate) async fn write_list(
    io: &FileIO,
    table: &TableMetadata,
    id: i64,
    manifests: Vec<ManifestFile>,
) -> Result<String> {
    let location = format!("{}/metadata/snap-{id}-0-{}.avro", table.location(), Uuid::now_v7());
    let file = io.new_output(&location)?.writer().await?;
    let mut list = ManifestListWriter::v2(file, id, table.current_snapshot_id(), table.next_sequence_number());
    list.add_manifests(manifests.into_iter())?;
    list.close().await?;
    Ok(location)
}

fn manifest_writer(io: &FileIO, table: &TableMetadata, id: i64, spec: i32) -> Result<ManifestWriter> {
    let Some(spec) = table.partition_spec_by_id(spec) else {
        return Err(Error::new(ErrorKind::DataInvalid, format!("the table has no partition spec {spec}")));
    };
    // A name of its own for every attempt: overwriting the manifest of a commit whose outcome is unknown would damage
    // the table if that commit went through.
    let out = io.new_output(format!("{}/metadata/{}-m0.avro", table.location(), Uuid::now_v7()))?;
    let schema = table.current_schema().clone();
    Ok(ManifestWriterBuilder::new(out, Some(id), schema, spec.as_ref().clone()).build_v2_data())
}
