//! The one place that calls librdkafka's C functions directly, where the rdkafka crate panics or loses errors.
#![expect(unsafe_code, reason = "these are C functions; each call says why it is sound")]

mod alter;
mod headers;

pub(super) use alter::alter_topic;
pub(super) use headers::headers;
