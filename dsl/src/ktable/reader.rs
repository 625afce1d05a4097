use std::marker::PhantomData;

use super::KTable;
use crate::{bounds::Data, store::TableRef};

impl<K: Data, V: Data> KTable<K, V> {
    /// Lets a processor read this table's rows: name it among the resources of
    /// [`KStream::process`](crate::KStream::process).
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// struct Rate(TableReader<String, i64>);
    ///
    /// impl FixedKeyProcessor<String, i64> for Rate {
    ///     type ValueOut = i64;
    ///
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut FixedKeyContext<'_, String, i64>,
    ///         record: FixedKeyRecord<'_, String, i64>,
    ///     ) -> UserResult<()> {
    ///         let rate = self.0.get(record.key())?.unwrap_or(1);
    ///         let value = record.value * rate;
    ///         Ok(cx.forward(record.with_value(value))?)
    ///     }
    /// }
    ///
    /// let app = StreamsBuilder::new("demo");
    /// let rates = app.table::<String, i64>("rates", Json, "current-rates");
    /// app.stream::<String, i64>("in", Json).process_values("rate", rates.reader(), Rate).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("rates", Json).pipe(&mut driver, "EUR".into(), 3, 0).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "EUR".into(), 7, 0).unwrap();
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [21]);
    /// ```
    pub fn reader(&self) -> TableRef<K, V> {
        TableRef { id: self.id, builder: self.graph.token(), types: PhantomData }
    }
}
