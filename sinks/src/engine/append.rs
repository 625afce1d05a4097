//! Appending a range of descriptors to `main`, exactly once.

use std::{collections::HashMap, str::FromStr, sync::Arc, time::Duration};

use headwater_core::{Error, Offset, Result};
use iceberg::{
    MetadataLocation,
    spec::{
        DataFile, ManifestFile, Operation, Snapshot, SnapshotReference, SnapshotRetention, Summary, TableMetadata,
        TableMetadataBuilder, deserialize_data_file_from_json,
    },
};

use super::{Base, Engine, Marks, Owner, manifests, manifests::SpecFile, marks, totals};
use crate::{
    catalog::Swap,
    descriptor::TableDescriptor,
    failpoint::{self, Fault},
    fault,
};

/// How often a commit is built anew when others get in between or the catalog does not answer.
const MAX_TRIES: u32 = 20;

/// The branch that is appended to.
const MAIN: &str = "main";

/// Descriptors to apply, in the order of their offsets.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) owner: &'a Owner,
    pub(crate) incarnation: &'a str,
    /// Up to where the caller knows descriptors to be applied: the first new one follows directly.
    pub(crate) expected: Option<Offset>,
    pub(crate) descriptors: &'a [(Offset, TableDescriptor)],
}

/// What is known to be garbage if the commit conflicts, and can be used again in the next try.
#[derive(Default)]
struct Written {
    id: i64,
    added: Vec<ManifestFile>,
}

impl Engine {
    /// Applies what the table does not hold yet and returns the position after it.
    ///
    /// # Errors
    /// `HW0510` if the table holds less than the caller has seen applied or its records disagree; `HW0511` if the
    /// outcome is still open after many tries: call again.
    pub(crate) async fn append(&mut self, batch: &Batch<'_>) -> Result<Option<Offset>> {
        let mut written = Written::default();
        let mut last = None;
        for attempt in 0..MAX_TRIES {
            let base = self.load().await?;
            let before = marks::applied(&self.target, &base.metadata, batch.owner)?;
            let position = before.as_ref().map(|marks| marks.to);
            if position < batch.expected {
                return Err(self.behind(position, batch.expected));
            }
            let rest: Vec<_> =
                batch.descriptors.iter().filter(|(offset, _)| position.is_none_or(|done| *offset >= done)).collect();
            let Some((newest, _)) = rest.last() else { return Ok(position) };
            let marks = marks_after(before, *newest + 1, &rest);
            match self.try_append(&base, batch, &marks, &rest, &mut written).await? {
                Swap::Done => return Ok(Some(marks.to)),
                Swap::Conflict => {}
                // Whether it went through shows in what the table holds: the next turn looks before it does anything.
                Swap::Unknown(error) => last = Some(error),
            }
            std::thread::sleep(Duration::from_millis(u64::from(attempt.min(10)) * 5));
        }
        Err(fault::not_committed(&self.target, MAX_TRIES, last))
    }

    async fn try_append(
        &mut self,
        base: &Base,
        batch: &Batch<'_>,
        marks: &Marks,
        descriptors: &[&(Offset, TableDescriptor)],
        written: &mut Written,
    ) -> Result<Swap> {
        let table = base.metadata.as_ref();
        let failed = |error| fault::lake(&format!("build a commit of {}", self.target), error);
        let id = batch.owner.snapshot_id(table, marks.from, marks.to);
        if table.snapshot_by_id(id).is_some() {
            let what = format!("snapshot {id} of this range exists but is not on the branch main");
            return Err(fault::rolled_back(&self.target, &what));
        }
        let files = self.files(table, descriptors)?;
        if written.id != id {
            let added = manifests::write_added(&self.io, table, id, &files).await.map_err(failed)?;
            *written = Written { id, added };
        }
        failpoint::reach("manifest-written");
        let parent = table.current_snapshot();
        let mut listed = match parent {
            Some(parent) => manifests::live(&self.io, table, parent).await.map_err(failed)?,
            None => Vec::new(),
        };
        listed.extend(written.added.iter().cloned());
        let (listed, mut garbage) = manifests::fold(&self.io, table, id, listed).await.map_err(failed)?;
        let list = manifests::write_list(&self.io, table, id, listed).await.map_err(failed)?;
        failpoint::reach("list-written");
        garbage.push(list.clone());

        let files: Vec<DataFile> = files.into_iter().map(|(_, file)| file).collect();
        let mut summary = totals::append(parent.map(|parent| parent.summary()), &files);
        summary.extend(marks.summary(batch.owner, batch.incarnation));
        let snapshot = Snapshot::builder()
            .with_snapshot_id(id)
            .with_parent_snapshot_id(table.current_snapshot_id())
            .with_sequence_number(table.next_sequence_number())
            .with_timestamp_ms(self.commit_time(table))
            .with_manifest_list(list)
            .with_summary(Summary { operation: Operation::Append, additional_properties: summary })
            .with_schema_id(table.current_schema_id())
            .build();
        self.swap(base, snapshot, properties(batch.owner, marks), garbage).await
    }

    /// Writes the new metadata and moves the table's pointer to it.
    async fn swap(
        &mut self,
        base: &Base,
        snapshot: Snapshot,
        properties: HashMap<String, String>,
        mut garbage: Vec<String>,
    ) -> Result<Swap> {
        let failed = |error| fault::lake(&format!("build a commit of {}", self.target), error);
        let main = SnapshotReference::new(snapshot.snapshot_id(), SnapshotRetention::branch(None, None, None));
        let built = TableMetadata::clone(&base.metadata)
            .into_builder(Some(base.location.clone()))
            .add_snapshot(snapshot)
            .and_then(|builder| builder.set_ref(MAIN, main))
            .and_then(|builder| builder.set_properties(properties))
            .and_then(TableMetadataBuilder::build)
            .map_err(failed)?;
        let location = MetadataLocation::from_str(&base.location)
            .map_err(failed)?
            .with_next_version()
            .with_new_metadata(&built.metadata);
        built.metadata.write_to(&self.io, &location).await.map_err(failed)?;
        let location = location.to_string();
        failpoint::reach("metadata-written");
        let swapped = self.catalog.swap(&self.table, &base.location, &location);
        let swapped = match (swapped, failpoint::reach("swapped")) {
            (Swap::Done, Fault::LostReply) => Swap::Unknown(fault::not_committed(&self.target, 1, None)),
            (swapped, _) => swapped,
        };
        match &swapped {
            Swap::Done => {
                garbage = built.expired_metadata_logs.into_iter().map(|log| log.metadata_file).collect();
                self.newest = Some(Base { location, metadata: Arc::new(built.metadata) });
            }
            Swap::Conflict => garbage.push(location),
            // It may have gone through, and then these files are the table's.
            Swap::Unknown(_) => garbage.clear(),
        }
        crate::durable::delete_quietly(garbage.iter().map(|location| crate::storage::local_path(location)));
        Ok(swapped)
    }

    /// The files of the descriptors, read under the partition spec and schema they were written with.
    fn files(&self, table: &TableMetadata, descriptors: &[&(Offset, TableDescriptor)]) -> Result<Vec<SpecFile>> {
        let mut files = Vec::new();
        for (_, descriptor) in descriptors {
            if descriptor.table_uuid != table.uuid().to_string() {
                return Err(fault::other_table(&self.target));
            }
            let unknown = |what: &str, id: i32| {
                fault::descriptor(&self.target, &format!("it names {what} {id}, which the table does not have"))
            };
            let schema =
                table.schema_by_id(descriptor.schema_id).ok_or_else(|| unknown("schema", descriptor.schema_id))?;
            for file in &descriptor.files {
                let spec =
                    table.partition_spec_by_id(file.spec_id).ok_or_else(|| unknown("partition spec", file.spec_id))?;
                let parsed = spec.partition_type(schema).and_then(|partition| {
                    deserialize_data_file_from_json(file.data_file.get(), file.spec_id, &partition, schema)
                });
                let parsed = parsed.map_err(|error| fault::descriptor(&self.target, &error.to_string()))?;
                files.push((file.spec_id, parsed));
            }
        }
        Ok(files)
    }

    /// Iceberg wants times that rise along a branch, whatever the machine's clock does.
    fn commit_time(&self, table: &TableMetadata) -> i64 {
        let after_parent = table.current_snapshot().map_or(0, |parent| parent.timestamp_ms() + 1);
        self.clock.now_ms().max(after_parent).max(table.last_updated_ms())
    }

    fn behind(&self, position: Option<Offset>, expected: Option<Offset>) -> Error {
        let name = |position: Option<Offset>| position.map_or_else(|| "nothing".to_owned(), |to| format!("up to {to}"));
        fault::rolled_back(
            &self.target,
            &format!("it holds {} of this sink's commits, and held {} before", name(position), name(expected)),
        )
    }
}

fn marks_after(before: Option<Marks>, to: Offset, descriptors: &[&(Offset, TableDescriptor)]) -> Marks {
    let mut marks = before.unwrap_or_default();
    marks.from = marks.to;
    marks.to = to;
    for range in descriptors.iter().flat_map(|(_, descriptor)| &descriptor.lineage) {
        let offset = marks.src.entry(range.partition.to_string()).or_insert(range.to);
        *offset = range.to.max(*offset);
        if let Some(time) = range.stream_time {
            let known = marks.stream_time.entry(range.task.to_string()).or_insert(time);
            *known = time.max(*known);
        }
    }
    marks
}

/// The marks as table properties, for the day when other tools have expired every marked snapshot.
fn properties(owner: &Owner, marks: &Marks) -> HashMap<String, String> {
    let src = serde_json::to_string(&marks.src).unwrap_or_default();
    HashMap::from([(owner.property("ctl"), marks.to.to_string()), (owner.property("src"), src)])
}
