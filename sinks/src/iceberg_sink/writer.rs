//! The writer of one task thread.

use headwater_core::{Descriptor, LineageRange, Result, SinkRecord, SinkWriter};

use super::files::TableFiles;
use crate::{
    Columns,
    descriptor::{self, EventTime},
    failpoint,
    rows::{Layout, PutRows, RowBuffer},
};

pub(super) struct Writer<K, V> {
    put: PutRows<K, V>,
    rows: RowBuffer,
    files: TableFiles,
    event_time: Option<EventTime>,
}

impl<K, V> Writer<K, V> {
    pub(super) fn new(put: PutRows<K, V>, columns: &Columns, files: TableFiles) -> Result<Self> {
        let layout = Layout::new(files.target(), columns.names(), files.arrow_schema());
        Ok(Self { put, rows: RowBuffer::new(layout)?, files, event_time: None })
    }
}

impl<K, V> SinkWriter<K, V> for Writer<K, V> {
    fn write(&mut self, record: SinkRecord<'_, K, V>) -> Result<()> {
        (self.put)(&record, &mut self.rows)?;
        EventTime::extend(&mut self.event_time, record.timestamp);
        if self.rows.is_full()
            && let Some(batch) = self.rows.take()?
        {
            self.files.add(batch)?;
        }
        Ok(())
    }

    fn prepare(&mut self, lineage: &[LineageRange]) -> Result<Option<Descriptor>> {
        if let Some(batch) = self.rows.take()? {
            self.files.add(batch)?;
        }
        let event_time = self.event_time.take();
        let Some(described) = self.files.finish(lineage, event_time)? else { return Ok(None) };
        failpoint::reach("files-closed");
        descriptor::encode(self.files.target(), &described).map(Some)
    }

    fn abort(&mut self) {
        self.event_time = None;
        if let Err(error) = self.rows.clear() {
            tracing::warn!(%error, "could not clear the row buffer");
        }
        self.files.abort();
    }

    fn committed(&mut self) {
        self.files.committed();
    }
}
