//! Side outputs: named streams beside a processor's main one.

use std::{any::Any, marker::PhantomData, rc::Rc};

use headwater_core::{Error, ErrorKind, Result};

use super::{ProcessorScope, Record};
use crate::{
    bounds::Data,
    wire::{Meta, Target},
};

/// A side output of a processor: a stream of its own beside the main one. Declare it among the processor's resources,
/// forward to it, and read it with [`Processed::side`](crate::Processed::side).
///
/// ```
/// use headwater::prelude::*;
///
/// const LONG: Output<String, i64> = Output::named("long");
///
/// struct Divide(Port<String, i64>);
///
/// impl Processor<String, String> for Divide {
///     type KeyOut = String;
///     type ValueOut = String;
///
///     fn process(
///         &mut self,
///         cx: &mut ProcessorContext<'_, String, String>,
///         record: Record<'_, String, String>,
///     ) -> UserResult<()> {
///         let length = record.value.len() as i64;
///         if length > 3 { self.0.forward(cx, record.with_value(length))? } else { cx.forward(record)? }
///         Ok(())
///     }
/// }
///
/// let app = StreamsBuilder::new("demo");
/// let words = app.stream::<String, String>("in", Text).process("divide", LONG, Divide);
/// words.to("short", Text);
/// words.side(&LONG).to("lengths", Json);
/// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
/// let mut input = driver.input::<String, String>("in", Text);
/// input.pipe(&mut driver, "k".into(), "tea".into(), 0).unwrap();
/// input.pipe(&mut driver, "k".into(), "coffee".into(), 0).unwrap();
/// assert_eq!(driver.output::<String, String>("short", Text).read_values(&mut driver).unwrap(), ["tea"]);
/// assert_eq!(driver.output::<String, i64>("lengths", Json).read_values(&mut driver).unwrap(), [6]);
/// ```
pub struct Output<K, V> {
    name: &'static str,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Output<K, V> {
    /// An output called `name`: unique within its processor, part of the name of the step that it becomes.
    pub const fn named(name: &'static str) -> Self {
        Self { name, types: PhantomData }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<K, V> Clone for Output<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Output<K, V> {}

impl<K, V> std::fmt::Debug for Output<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Output").field(&self.name).finish()
    }
}

/// An [`Output`] as a running processor holds it.
pub struct Port<K, V> {
    name: &'static str,
    target: Target<K, V>,
}

impl<K: Data, V: Data> Port<K, V> {
    pub(super) fn new(name: &'static str, target: Target<K, V>) -> Self {
        Self { name, target }
    }

    /// Forwards a record to the steps that read this output. `cx` is the context the processor was called with.
    ///
    /// # Errors
    /// As [`ProcessorContext::forward`](crate::ProcessorContext::forward).
    pub fn forward(&self, cx: &ProcessorScope<'_>, record: Record<'_, K, V>) -> Result<()> {
        cx.may_forward(record.timestamp)?;
        let meta = Meta { timestamp: record.timestamp, headers: record.headers };
        self.target.push(meta, record.key, record.value)
    }
}

impl<K, V> std::fmt::Debug for Port<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Port").field(&self.name).finish()
    }
}

/// A processor's declared outputs, found by name.
#[derive(Default)]
pub(crate) struct Ports(Vec<(&'static str, Rc<dyn Any>)>);

impl Ports {
    pub(super) fn add<K: Data, V: Data>(&mut self, name: &'static str, target: Target<K, V>) {
        self.0.push((name, Rc::new(target)));
    }

    /// Where records of `output` go.
    pub(super) fn of<K: Data, V: Data>(&self, output: &Output<K, V>, step: &str) -> Result<Target<K, V>> {
        let named = self.0.iter().find(|(name, _)| *name == output.name);
        let typed = named.and_then(|(_, target)| target.downcast_ref::<Target<K, V>>());
        typed.cloned().ok_or_else(|| {
            let known: Vec<_> = self.0.iter().map(|(name, _)| *name).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let why = if named.is_some() { "is declared with other types" } else { "is not declared" };
            Error::new(ErrorKind::User, "HW0250", format!("the output {} {why}", output.name))
                .at_node(step)
                .help(format!("name it among the resources of process(..); declared are: {known}"))
        })
    }
}
