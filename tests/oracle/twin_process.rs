//! The twin's steps of the processor API; `Processors.java`.

use headwater::prelude::*;

use super::{
    case::Op,
    functions as fns,
    twin::{Nullable, Twin},
};

type Rows = KeyValueStore<Nullable, String>;
type Stream = KStream<Nullable, Nullable>;

impl Twin<'_> {
    pub fn processed(&self, id: usize, stream: &Stream, op: &Op) -> Stream {
        let rows = self.app.store(Materialized::with(&format!("s{id}"), Text, Text));
        let name = format!("p{id}");
        match *op {
            Op::Process { every, wall, ticks } => {
                let made = stream.process(&name, rows, move |rows| Running { rows, every, wall, ticks });
                made.stream()
            }
            _ => stream.process_values(&name, rows, RunningValues).stream(),
        }
    }
}

/// Forwards the running text of each key; with a timer, every so often all rows, until it has ticked enough.
struct Running {
    rows: Rows,
    every: i64,
    wall: bool,
    ticks: u32,
}

impl Processor<Nullable, Nullable> for Running {
    type KeyOut = Nullable;
    type ValueOut = Nullable;

    fn init(&mut self, cx: &mut ProcessorContext<'_, Nullable, Nullable>) -> UserResult<()> {
        if self.every > 0 {
            cx.schedule(self.every, if self.wall { Punctuation::WallClock } else { Punctuation::StreamTime })?;
        }
        Ok(())
    }

    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, Nullable, Nullable>,
        record: Record<'_, Nullable, Nullable>,
    ) -> UserResult<()> {
        if record.key.is_none() {
            cx.forward(record.with_key(Some("null".to_owned())))?;
            return Ok(());
        }
        let before = self.rows.get(&record.key)?;
        let Some(value) = &record.value else {
            self.rows.delete(&record.key)?;
            cx.forward(record.with_value(before))?;
            return Ok(());
        };
        let now = fns::add(before.as_deref().unwrap_or(""), Some(value));
        self.rows.put(record.key.clone(), now.clone())?;
        cx.forward(record.with_value(Some(now)))?;
        Ok(())
    }

    fn punctuate(
        &mut self,
        cx: &mut ProcessorContext<'_, Nullable, Nullable>,
        timer: Timer,
        now: Timestamp,
    ) -> UserResult<()> {
        for (key, text) in self.rows.all()? {
            cx.forward(Record::new(key, Some(format!("tick {text}")), now))?;
        }
        if self.ticks > 0 {
            self.ticks -= 1;
            if self.ticks == 0 {
                cx.cancel(timer);
            }
        }
        Ok(())
    }
}

struct RunningValues(Rows);

impl FixedKeyProcessor<Nullable, Nullable> for RunningValues {
    type ValueOut = Nullable;

    fn process(
        &mut self,
        cx: &mut FixedKeyContext<'_, Nullable, Nullable>,
        record: FixedKeyRecord<'_, Nullable, Nullable>,
    ) -> UserResult<()> {
        if record.key().is_none() {
            cx.forward(record.with_value(Some("null".to_owned())))?;
            return Ok(());
        }
        let before = self.0.get(record.key())?;
        let now = fns::add(before.as_deref().unwrap_or(""), record.value.as_deref());
        self.0.put(record.key().clone(), now.clone())?;
        cx.forward(record.with_value(Some(now)))?;
        Ok(())
    }
}
