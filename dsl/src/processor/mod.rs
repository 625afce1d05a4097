//! The processor API: user code with state stores, timers and several outputs.

mod context;
mod output;
mod record;
mod resources;
mod step;
mod traits;

pub use context::{FixedKeyContext, ProcessorContext, ProcessorScope, RecordMetadata};
pub(crate) use output::Ports;
pub use output::{Output, Port};
pub use record::{FixedKeyRecord, Record};
pub use resources::Resources;
pub(crate) use resources::{Declared, Opening};
use step::Step;
pub(crate) use step::{FixedKey, Process};
pub use traits::{FixedKeyProcessor, Processor};
