//! Changing a topic's settings. The rdkafka crate knows only the request that replaces all of them, and it drops the
//! answer for each topic.

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString, NulError, c_int},
    time::Duration,
};

use rdkafka::{
    bindings::{self, rd_kafka_AlterConfigOpType_t as Op, rd_kafka_ResourceType_t as Resource, rd_kafka_t},
    client::{Client, ClientContext},
    types::RDKafkaErrorCode as Code,
};

/// Something of librdkafka's that is destroyed with this.
struct Owned<T>(*mut T, unsafe extern "C" fn(*mut T));

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: made from a pointer that the matching constructor gave out, which nobody else frees.
        unsafe { (self.1)(self.0) }
    }
}

/// Why a change was refused.
pub(in crate::kafka) struct Refused {
    pub code: Code,
    pub reason: String,
}

impl From<NulError> for Refused {
    fn from(error: NulError) -> Self {
        Self { code: Code::InvalidConfig, reason: error.to_string() }
    }
}

/// Sets these settings of a topic and leaves its others alone.
pub(in crate::kafka) fn alter_topic<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    config: &BTreeMap<String, String>,
    timeout: Duration,
) -> Result<(), Refused> {
    let resource = resource(topic, config)?;
    let event = request(client.native_ptr(), &resource, c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX))?;
    // SAFETY: `event` is a valid event; its error string is one of its own or a constant.
    let (code, reason) =
        unsafe { (bindings::rd_kafka_event_error(event.0), text(bindings::rd_kafka_event_error_string(event.0))) };
    check(code.into(), reason)?;
    // SAFETY: the event answers the request made above, so it has this kind of result (null otherwise). The array and
    // the strings in it belong to the event, which lives to the end of this function.
    unsafe {
        let result = bindings::rd_kafka_event_IncrementalAlterConfigs_result(event.0);
        if result.is_null() {
            return Err(Refused { code: Code::Fail, reason: "the answer is of another kind".to_owned() });
        }
        let mut count = 0;
        let resources = bindings::rd_kafka_IncrementalAlterConfigs_result_resources(result, &raw mut count);
        for index in 0..count {
            let resource = *resources.add(index);
            let reason = text(bindings::rd_kafka_ConfigResource_error_string(resource));
            check(bindings::rd_kafka_ConfigResource_error(resource).into(), reason)?;
        }
    }
    Ok(())
}

fn resource(
    topic: &str,
    config: &BTreeMap<String, String>,
) -> Result<Owned<bindings::rd_kafka_ConfigResource_t>, Refused> {
    let topic = CString::new(topic)?;
    // SAFETY: the name is a valid string and is copied.
    let resource = unsafe { bindings::rd_kafka_ConfigResource_new(Resource::RD_KAFKA_RESOURCE_TOPIC, topic.as_ptr()) };
    let resource = Owned(resource, bindings::rd_kafka_ConfigResource_destroy);
    for (name, value) in config {
        let (name, value) = (CString::new(name.as_str())?, CString::new(value.as_str())?);
        let set = Op::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET;
        // SAFETY: the resource is valid, and both strings are valid and copied.
        let error = unsafe {
            bindings::rd_kafka_ConfigResource_add_incremental_config(resource.0, name.as_ptr(), set, value.as_ptr())
        };
        if !error.is_null() {
            let error = Owned(error, bindings::rd_kafka_error_destroy);
            // SAFETY: the error is not null and valid until it is dropped below.
            let (code, reason) =
                unsafe { (bindings::rd_kafka_error_code(error.0), text(bindings::rd_kafka_error_string(error.0))) };
            return Err(Refused { code: code.into(), reason });
        }
    }
    Ok(resource)
}

/// Sends the request and waits for its answer.
fn request(
    client: *mut rd_kafka_t,
    resource: &Owned<bindings::rd_kafka_ConfigResource_t>,
    timeout_ms: c_int,
) -> Result<Owned<bindings::rd_kafka_event_t>, Refused> {
    let op = bindings::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS;
    // SAFETY: `client` is a live client for the whole call; the options and the queue are made for it, and a null
    // error buffer of length 0 is allowed. The request copies the resource, and the queue outlives the wait.
    let event = unsafe {
        let options = Owned(bindings::rd_kafka_AdminOptions_new(client, op), bindings::rd_kafka_AdminOptions_destroy);
        bindings::rd_kafka_AdminOptions_set_request_timeout(options.0, timeout_ms, std::ptr::null_mut(), 0);
        let queue = Owned(bindings::rd_kafka_queue_new(client), bindings::rd_kafka_queue_destroy);
        let mut resources = [resource.0];
        bindings::rd_kafka_IncrementalAlterConfigs(client, resources.as_mut_ptr(), 1, options.0, queue.0);
        bindings::rd_kafka_queue_poll(queue.0, timeout_ms.saturating_add(1_000))
    };
    if event.is_null() {
        return Err(Refused { code: Code::OperationTimedOut, reason: "no answer".to_owned() });
    }
    Ok(Owned(event, bindings::rd_kafka_event_destroy))
}

fn check(code: Code, reason: String) -> Result<(), Refused> {
    if code == Code::NoError { Ok(()) } else { Err(Refused { code, reason }) }
}

/// # Safety
/// Null, or a valid string.
unsafe fn text(string: *const std::ffi::c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}
