//! How every Parquet file of this crate is written.

use parquet::{
    basic::{Compression, ZstdLevel},
    file::properties::{EnabledStatistics, WriterProperties},
};

/// Rows of a row group: small enough for many files to be open at a time.
const ROW_GROUP_ROWS: usize = 256 * 1024;

/// zstd at level 3. Statistics per column chunk only: files of one commit are small, and page indexes would be a good
/// part of them.
pub(crate) fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap_or_default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by(concat!("headwater ", env!("CARGO_PKG_VERSION")).to_owned())
        .build()
}
