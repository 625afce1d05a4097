//! The writer of one task thread.

use headwater_core::{Descriptor, LineageRange, Result, SinkRecord, SinkWriter, Timestamp};
use serde::{Deserialize, Serialize};

use super::staged::{StagedFile, StagedFiles};
use crate::{
    Columns,
    descriptor::{self, EventTime, VERSION, watermark},
    failpoint,
    rows::{Layout, PutRows, RowBuffer},
};

/// What one transaction of one writer staged. The format is described in `docs/formats.md`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FilesDescriptor {
    pub(super) version: u32,
    pub(super) target: String,
    pub(super) attempt: String,
    pub(super) files: Vec<StagedFile>,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) event_time: Option<EventTime>,
    pub(super) watermark: Option<Timestamp>,
    pub(super) lineage: Vec<LineageRange>,
}

pub(super) struct Writer<K, V> {
    put: PutRows<K, V>,
    rows: RowBuffer,
    staged: StagedFiles,
    event_time: Option<EventTime>,
}

impl<K, V> Writer<K, V> {
    pub(super) fn new(put: PutRows<K, V>, columns: &Columns, staged: StagedFiles) -> Result<Self> {
        let layout = Layout::new(staged.target(), columns.names(), staged.arrow_schema());
        Ok(Self { put, rows: RowBuffer::new(layout)?, staged, event_time: None })
    }
}

impl<K, V> SinkWriter<K, V> for Writer<K, V> {
    fn write(&mut self, record: SinkRecord<'_, K, V>) -> Result<()> {
        (self.put)(&record, &mut self.rows)?;
        EventTime::extend(&mut self.event_time, record.timestamp);
        if self.rows.is_full()
            && let Some(batch) = self.rows.take()?
        {
            self.staged.add(&batch)?;
        }
        Ok(())
    }

    fn prepare(&mut self, lineage: &[LineageRange]) -> Result<Option<Descriptor>> {
        if let Some(batch) = self.rows.take()? {
            self.staged.add(&batch)?;
        }
        let attempt = self.staged.attempt().to_string();
        let files = self.staged.finish()?;
        let event_time = self.event_time.take();
        if files.is_empty() {
            return Ok(None);
        }
        failpoint::reach("files-closed");
        let described = FilesDescriptor {
            version: VERSION,
            target: self.staged.target().to_owned(),
            attempt,
            rows: files.iter().map(|file| file.rows).sum(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            files,
            event_time,
            watermark: watermark(lineage),
            lineage: lineage.to_vec(),
        };
        descriptor::encode(self.staged.target(), &described).map(Some)
    }

    fn abort(&mut self) {
        self.event_time = None;
        if let Err(error) = self.rows.clear() {
            tracing::warn!(%error, "could not clear the row buffer");
        }
        self.staged.abort();
    }

    fn committed(&mut self) {
        self.staged.committed();
    }
}
