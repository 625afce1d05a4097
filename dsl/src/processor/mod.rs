//! The processor API: user code with state stores, timers and several outputs.

mod context;
mod output;
mod record;
mod resources;
mod step;
mod traits;

pub use context::{FixedKeyContext, ProcessorContext, ProcessorScope, RecordMetadata};
pub use output::{Output, Port};
pub(crate) use output::Ports;
pub use record::{FixedKeyRecord, Record};
pub use resources::Resources;
pub(crate) use resources::{Declared, Opening, Resource};
pub(crate) use step::{FixedKey, Process};
use step::Step;
pub use traits::{FixedKeyProcessor, Processor};
