//! Reading headers.

use std::ffi::CStr;

use bytes::Bytes;
use headwater_core::Headers;
use rdkafka::{bindings, message::BorrowedMessage, types::RDKafkaErrorCode};

/// The headers of a message. The rdkafka crate would panic on a name that is not UTF-8, which a record can have; such
/// names come with replacement characters.
pub(in crate::kafka) fn headers(message: &BorrowedMessage<'_>) -> Headers {
    let mut headers = Headers::new();
    let mut list = std::ptr::null_mut();
    // SAFETY: `message.ptr()` is a valid message for as long as `message` lives; the list it gives out belongs to the
    // message and is only read before this function returns.
    let answer = unsafe { bindings::rd_kafka_message_headers(message.ptr(), &raw mut list) };
    if RDKafkaErrorCode::from(answer) != RDKafkaErrorCode::NoError || list.is_null() {
        return headers;
    }
    for index in 0.. {
        let (mut name, mut value, mut len) = (std::ptr::null(), std::ptr::null(), 0);
        // SAFETY: `list` is valid as said above; the three out-pointers point to locals of the right types.
        let answer =
            unsafe { bindings::rd_kafka_header_get_all(list, index, &raw mut name, &raw mut value, &raw mut len) };
        if RDKafkaErrorCode::from(answer) != RDKafkaErrorCode::NoError || name.is_null() {
            break;
        }
        // SAFETY: on success `name` is a NUL-terminated string that lives as long as the message.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
        let value = (!value.is_null()).then(|| {
            // SAFETY: on success a value that is not null has `len` bytes that live as long as the message.
            Bytes::copy_from_slice(unsafe { std::slice::from_raw_parts(value.cast::<u8>(), len) })
        });
        headers.push(name, value);
    }
    headers
}
