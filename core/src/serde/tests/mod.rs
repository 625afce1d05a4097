//! What the serdes promise.

mod auto_bytes;
mod hostile_bytes;
mod null_payloads;
mod ordered_bytes;
mod samples;
