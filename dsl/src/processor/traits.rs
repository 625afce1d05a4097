//! What a user implements.

use headwater_core::Timestamp;

use super::{FixedKeyContext, FixedKeyRecord, ProcessorContext, Record};
use crate::{
    bounds::{Data, UserResult},
    task::Timer,
};

/// User code that sees one record at a time, keeps state between them, and forwards what it likes. Each task has an
/// instance of its own, so `&mut self` needs no locks; what must survive a restart belongs in a store.
///
/// An error returned by any method stops the program as a panic does: it names step, task and record, and nothing is
/// skipped. Any error type can be returned with `?`.
///
/// ```
/// use headwater::prelude::*;
///
/// /// Passes a record on if its value is greater than every earlier one under its key.
/// struct Records(KeyValueStore<String, i64>);
///
/// impl Processor<String, i64> for Records {
///     type KeyOut = String;
///     type ValueOut = i64;
///
///     fn process(
///         &mut self,
///         cx: &mut ProcessorContext<'_, String, i64>,
///         record: Record<'_, String, i64>,
///     ) -> UserResult<()> {
///         if self.0.get(&record.key)?.is_none_or(|best| record.value > best) {
///             self.0.put(record.key.clone(), record.value)?;
///             cx.forward(record)?;
///         }
///         Ok(())
///     }
/// }
///
/// let app = StreamsBuilder::new("demo");
/// let best = app.store::<String, i64>("best");
/// app.stream::<String, i64>("in", Json).process("records", best, Records).to("out", Json);
/// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
/// let mut input = driver.input::<String, i64>("in", Json);
/// for n in [3, 2, 5] {
///     input.pipe(&mut driver, "k".into(), n, 0).unwrap();
/// }
/// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [3, 5]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot process records with keys `{K}` and values `{V}`",
    label = "not a `Processor<{K}, {V}>`",
    note = "implement `Processor<{K}, {V}>` for it; the closure given to `process` returns a new one for each task"
)]
pub trait Processor<K, V>: 'static {
    /// The keys that it forwards.
    type KeyOut: Data;
    /// The values that it forwards.
    type ValueOut: Data;

    /// Called once per task before the first record, and again after each restart: the place to schedule timers.
    /// Nothing can be forwarded from here. Default: nothing.
    ///
    /// # Errors
    /// Whatever should keep the task from starting.
    fn init(&mut self, cx: &mut ProcessorContext<'_, Self::KeyOut, Self::ValueOut>) -> UserResult<()> {
        let _ = cx;
        Ok(())
    }

    /// Takes one record.
    ///
    /// # Errors
    /// Whatever should stop the program.
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, Self::KeyOut, Self::ValueOut>,
        record: Record<'_, K, V>,
    ) -> UserResult<()>;

    /// A timer is due: `timer` as returned by [`ProcessorScope::schedule`](crate::ProcessorScope::schedule), `now` the
    /// stream time or wall-clock time of this moment, not the one it was due at. Default: nothing.
    ///
    /// # Errors
    /// Whatever should stop the program.
    fn punctuate(
        &mut self,
        cx: &mut ProcessorContext<'_, Self::KeyOut, Self::ValueOut>,
        timer: Timer,
        now: Timestamp,
    ) -> UserResult<()> {
        let _ = (cx, timer, now);
        Ok(())
    }

    /// The task closes, in order or after a failure; what was not committed is lost. Default: nothing.
    fn close(&mut self) {}
}

/// As [`Processor`], but the key stays: it forwards only what it made of a record it got. So the next grouping or join
/// needs no repartition topic.
///
/// ```
/// use headwater::prelude::*;
///
/// struct Numbered(KeyValueStore<String, i64>);
///
/// impl FixedKeyProcessor<String, String> for Numbered {
///     type ValueOut = (i64, String);
///
///     fn process(
///         &mut self,
///         cx: &mut FixedKeyContext<'_, String, (i64, String)>,
///         record: FixedKeyRecord<'_, String, String>,
///     ) -> UserResult<()> {
///         let number = self.0.get(record.key())?.unwrap_or_default() + 1;
///         self.0.put(record.key().clone(), number)?;
///         let text = record.value.clone();
///         cx.forward(record.with_value((number, text)))?;
///         Ok(())
///     }
/// }
///
/// let app = StreamsBuilder::new("demo");
/// let numbers = app.store::<String, i64>("numbers");
/// app.stream::<String, String>("in", Text).process_values("numbered", numbers, Numbered).to("out", Json);
/// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
/// let mut input = driver.input::<String, String>("in", Text);
/// input.pipe(&mut driver, "k".into(), "a".into(), 0).unwrap();
/// input.pipe(&mut driver, "k".into(), "b".into(), 0).unwrap();
/// let out = driver.output::<String, (i64, String)>("out", Json).read_values(&mut driver).unwrap();
/// assert_eq!(out, [(1, "a".to_owned()), (2, "b".to_owned())]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot process records with keys `{K}` and values `{V}`",
    label = "not a `FixedKeyProcessor<{K}, {V}>`",
    note = "implement `FixedKeyProcessor<{K}, {V}>` for it; the closure given to `process_values` returns a new one for each task"
)]
pub trait FixedKeyProcessor<K, V>: 'static {
    /// The values that it forwards.
    type ValueOut: Data;

    /// As [`Processor::init`].
    ///
    /// # Errors
    /// Whatever should keep the task from starting.
    fn init(&mut self, cx: &mut FixedKeyContext<'_, K, Self::ValueOut>) -> UserResult<()> {
        let _ = cx;
        Ok(())
    }

    /// Takes one record.
    ///
    /// # Errors
    /// Whatever should stop the program.
    fn process(
        &mut self,
        cx: &mut FixedKeyContext<'_, K, Self::ValueOut>,
        record: FixedKeyRecord<'_, K, V>,
    ) -> UserResult<()>;

    /// As [`Processor::punctuate`]. There is no record at hand, so only side outputs can be forwarded to.
    ///
    /// # Errors
    /// Whatever should stop the program.
    fn punctuate(
        &mut self,
        cx: &mut FixedKeyContext<'_, K, Self::ValueOut>,
        timer: Timer,
        now: Timestamp,
    ) -> UserResult<()> {
        let _ = (cx, timer, now);
        Ok(())
    }

    /// As [`Processor::close`].
    fn close(&mut self) {}
}
