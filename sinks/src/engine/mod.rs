//! The commit engine: tables of the lake as a sequence of atomic metadata swaps.
//!
//! The `iceberg` crate's own transaction re-bases silently onto other writers' commits, so its precondition is never
//! checked against what the commit is applied to. This engine builds every snapshot itself and checks the precondition
//! on the very base of the swap.

mod append;
mod create;
mod manifests;
mod marks;
mod totals;

use std::{path::Path, sync::Arc};

use headwater_core::{Clock, Result, SinkContext, SystemClock};
use iceberg::{
    io::FileIO,
    spec::{TableMetadata, TableMetadataRef},
};

pub(crate) use append::Batch;
pub(crate) use marks::{Marks, Owner};

use crate::{
    catalog::{SqliteCatalog, TableName},
    fault, storage,
};

/// One table of one lake.
pub(crate) struct Engine {
    catalog: SqliteCatalog,
    table: TableName,
    /// The table's name as users know it.
    target: String,
    location: String,
    io: FileIO,
    clock: Arc<dyn Clock>,
    newest: Option<Base>,
}

/// A state of a table, and where it is written.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    pub(crate) location: String,
    pub(crate) metadata: TableMetadataRef,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("table", &self.target).field("catalog", &self.catalog).finish_non_exhaustive()
    }
}

impl Engine {
    /// The table `target`, already with its version's suffix, of the lake of `context`.
    ///
    /// # Errors
    /// `HW0509` if the lake has no catalog.
    pub(crate) fn open(context: &SinkContext, target: &str) -> Result<Self> {
        Self::with_catalog(context, target, SqliteCatalog::open)
    }

    /// As [`open`](Self::open), creating a missing catalog.
    pub(crate) fn open_or_create(context: &SinkContext, target: &str) -> Result<Self> {
        Self::with_catalog(context, target, SqliteCatalog::open_or_create)
    }

    fn with_catalog(
        context: &SinkContext,
        target: &str,
        open: impl FnOnce(&Path) -> Result<SqliteCatalog>,
    ) -> Result<Self> {
        let table = TableName::parse(target)?;
        let lake =
            std::path::absolute(&context.lake_dir).map_err(|error| fault::storage("find", &context.lake_dir, error))?;
        let Some(lake_text) = lake.to_str() else {
            let what = format!("the lake's path {} is not UTF-8", lake.display());
            return Err(fault::declaration(target, &what, "use a directory whose path is UTF-8"));
        };
        let location =
            format!("file://{}/{}/{}", lake_text.trim_end_matches('/'), table.namespace.replace('.', "/"), table.name);
        Ok(Self {
            catalog: open(&lake)?,
            table,
            target: target.to_owned(),
            location,
            io: storage::metadata_io(),
            clock: Arc::new(SystemClock),
            newest: None,
        })
    }

    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// The table's current state; `None` if there is no such table.
    pub(crate) async fn find(&mut self) -> Result<Option<Base>> {
        let Some(location) = self.catalog.pointer(&self.table)? else { return Ok(None) };
        if let Some(newest) = self.newest.as_ref().filter(|newest| newest.location == location) {
            return Ok(Some(newest.clone()));
        }
        let metadata = TableMetadata::read_from(&self.io, &location)
            .await
            .map_err(|error| fault::lake(&format!("read the metadata of {} at {location}", self.target), error))?;
        let base = Base { location, metadata: Arc::new(metadata) };
        self.newest = Some(base.clone());
        Ok(Some(base))
    }

    /// The table's current state.
    pub(crate) async fn load(&mut self) -> Result<Base> {
        let missing = fault::missing(&format!("table {}", self.target));
        self.find().await?.ok_or(missing)
    }

    /// What `owner` has applied to the table.
    ///
    /// # Errors
    /// `HW0510` if the table's own records disagree.
    pub(crate) async fn applied(&mut self, owner: &Owner) -> Result<Option<Marks>> {
        let base = self.load().await?;
        marks::applied(&self.target, &base.metadata, owner)
    }
}
