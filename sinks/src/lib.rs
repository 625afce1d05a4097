//! Headwater's exactly-once sinks: Parquet and Iceberg.
