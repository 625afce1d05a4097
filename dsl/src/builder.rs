//! Where a topology begins and ends.

use std::{panic::Location, sync::Arc};

use crate::{
    bounds::{Data, Key, Value},
    error::{TopologyError, TopologyErrors},
    global::GlobalTable,
    graph::{Draft, Graph},
    kstream::KStream,
    ktable::{KTable, declare},
    plan::{GlobalStore, NodeKind, StoreKind, check, cut, insert_repartitions, merge_repartitions},
    source::{Decoder, restorer, wire_source},
    store::{SessionStoreRef, StoreRef, VersionedStoreRef, WindowStoreRef},
    topology::Topology,
    vocab::{Consumed, Materialized, OnFailure, OnUndecodable, Topics},
    wire::Wiring,
};

/// Describes a topology: streams and tables in, steps, topics and sinks out.
///
/// ```
/// use headwater::prelude::*;
///
/// # fn main() -> Result<(), TopologyErrors> {
/// let app = StreamsBuilder::new("word-lengths");
/// app.stream::<String, String>("words", Text).map_values(|word| word.len() as i64).to("lengths", Auto);
/// let topology = app.build()?;
/// assert_eq!(topology.plan().input_topics(), ["words"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct StreamsBuilder {
    graph: Graph,
}

impl std::fmt::Debug for StreamsBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StreamsBuilder").field(&self.graph.lock().plan.app).finish()
    }
}

impl StreamsBuilder {
    /// A topology of application `app`: prefix of internal topics, name of the consumer group, place of the state.
    pub fn new(app: &str) -> Self {
        Self { graph: Graph::new(app) }
    }

    /// Reads a topic, several, or all that match a pattern ([`Topics`]) as a stream of independent records. Records of
    /// several topics are taken in the order of their time.
    ///
    /// Name the types once: by turbofish, by the variable's type or in the closures. Each topic is read once per
    /// topology; a stream may be used several times.
    ///
    /// ```
    /// use headwater::prelude::*;
    ///
    /// let app = StreamsBuilder::new("demo");
    /// let orders: KStream<String, i64> = app.stream("orders", Json);
    /// orders.to("copy", Json);
    /// assert!(app.build().is_ok());
    /// ```
    #[track_caller]
    pub fn stream<K: Data, V: Data>(
        &self,
        topics: impl Into<Topics>,
        consumed: impl Into<Consumed<K, V>>,
    ) -> KStream<K, V> {
        self.read(topics.into(), consumed.into()).0
    }

    /// As [`StreamsBuilder::stream`], with what decodes the records.
    #[track_caller]
    fn read<K: Data, V: Data>(&self, topics: Topics, consumed: Consumed<K, V>) -> (KStream<K, V>, Arc<Decoder<K, V>>) {
        let dead_letter = match &consumed.on_undecodable {
            OnUndecodable::Fail => None,
            OnUndecodable::DeadLetter(topic) => Some(topic.clone()),
        };
        let name = consumed.name.clone().or_else(|| topics.default_name());
        let kind = NodeKind::Source {
            topics: topics.names,
            pattern: topics.pattern,
            reset: consumed.reset,
            key: consumed.keys.format().to_owned(),
            value: consumed.values.format().to_owned(),
            dead_letter,
        };
        let decoder = Arc::new(Decoder::new(consumed));
        let wired = decoder.clone();
        let wire = |wiring: &mut Wiring, id| wire_source(wiring, id, wired);
        let id = self.graph.add(name.as_deref(), "source", kind, Vec::new(), wire);
        (KStream::new(self.graph.clone(), id), decoder)
    }

    /// Reads `topic` as a table: the latest value per key, kept in a store. A null value (read as a missing
    /// `Option` by the table itself) deletes the row; a record with a null key is dropped and counted.
    ///
    /// ```
    /// use headwater::prelude::*;
    ///
    /// let app = StreamsBuilder::new("demo");
    /// let prices = app.table::<String, i64>("prices", Json, "latest-prices");
    /// prices.to_stream().to("price-changes", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut prices = driver.input::<String, i64>("prices", Json);
    /// prices.pipe(&mut driver, "tea".into(), 3, 0).unwrap();
    /// prices.pipe(&mut driver, "tea".into(), 4, 1).unwrap();
    /// let changes = driver.output::<String, Option<i64>>("price-changes", Json).read_values(&mut driver).unwrap();
    /// assert_eq!(changes, [Some(3), Some(4)]);
    /// ```
    #[track_caller]
    pub fn table<K: Key, V: Value>(
        &self,
        topic: &str,
        consumed: impl Into<Consumed<K, Option<V>>>,
        store: impl Into<Materialized<K, V>>,
    ) -> KTable<K, V> {
        let (consumed, store) = (consumed.into(), store.into());
        let (mistake, restores) = (consumed.not_repeatable(), store.options.source.is_some());
        let (stream, decoder) = self.read(topic.into(), consumed);
        let table = stream.upsert_into(store.clone());
        if restores {
            self.graph.restore_from(topic, &store.name, restorer(decoder, &store));
        }
        if let Some(reason) = mistake.filter(|_| restores) {
            let help =
                "take the time from the record, and begin at the earliest one; or let the store have a changelog";
            self.graph.mistake(
                table.id,
                "HW0145",
                format!("the store cannot be restored from {topic}: {reason}"),
                help,
            );
        }
        table
    }

    /// Reads `topic` in full, all partitions, in every process, before anything else runs: small reference data that a
    /// stream is joined with by any key. Kept up to date as the topic grows; not bound to event time.
    ///
    /// ```
    /// use headwater::prelude::*;
    ///
    /// let app = StreamsBuilder::new("demo");
    /// let names = app.global_table::<String, String>("airlines", Text, "airline-names");
    /// app.stream::<String, i64>("flights", Json)
    ///     .join_global(&names, |carrier, _| carrier.clone(), |delay, name| (name, delay))
    ///     .to("named", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, String>("airlines", Text).pipe(&mut driver, "UA".into(), "United".into(), 0).unwrap();
    /// driver.input::<String, i64>("flights", Json).pipe(&mut driver, "UA".into(), 12, 0).unwrap();
    /// let named = driver.output::<String, (String, i64)>("named", Json).read_values(&mut driver).unwrap();
    /// assert_eq!(named, [("United".to_owned(), 12)]);
    /// ```
    #[track_caller]
    pub fn global_table<K: Data, V: Data>(
        &self,
        topic: &str,
        consumed: impl Into<Consumed<K, V>>,
        store: &str,
    ) -> GlobalTable<K, V> {
        let consumed = consumed.into();
        let spec = GlobalStore {
            topic: topic.to_owned(),
            after_steps: 0,
            key: consumed.keys.format().to_owned(),
            value: consumed.values.format().to_owned(),
        };
        self.graph.declare_global(store, spec);
        GlobalTable::new(store, consumed.keys, consumed.values)
    }

    /// A store for processors: give it to [`KStream::process`] or [`KStream::process_values`] among their resources, to
    /// each that needs it. Its changelog is the topic `<app>-<name>-changelog`. A store that no processor was given is
    /// a mistake that `build()` reports.
    ///
    /// ```
    /// use headwater::prelude::*;
    ///
    /// struct Count(KeyValueStore<String, i64>);
    ///
    /// impl FixedKeyProcessor<String, i64> for Count {
    ///     type ValueOut = i64;
    ///
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut FixedKeyContext<'_, String, i64>,
    ///         record: FixedKeyRecord<'_, String, i64>,
    ///     ) -> UserResult<()> {
    ///         let count = self.0.get(record.key())?.unwrap_or_default() + 1;
    ///         self.0.put(record.key().clone(), count)?;
    ///         cx.forward(record.with_value(count))?;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let app = StreamsBuilder::new("demo");
    /// let counts = app.store::<String, i64>("counts");
    /// app.stream::<String, i64>("in", Json).process_values("count", counts, Count).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// driver.input::<String, i64>("in", Json).pipe(&mut driver, "k".into(), 7, 0).unwrap();
    /// assert_eq!(driver.store::<String, i64>("counts").unwrap().get(&"k".into()).unwrap(), Some(1));
    /// ```
    #[track_caller]
    pub fn store<K: Key, V: Data>(&self, store: impl Into<Materialized<K, V>>) -> StoreRef<K, V> {
        let store = store.into();
        self.graph.declare_free_store(&store.name, declare(&store));
        StoreRef::new(&store)
    }

    /// A window store for processors: one row per key and window start, kept for `retention_ms` milliseconds in terms of
    /// the newest window start. Otherwise as [`StreamsBuilder::store`].
    ///
    /// ```
    /// use headwater::prelude::*;
    ///
    /// /// Tells how many records its key had in the last ten minutes.
    /// struct Recent(WindowStore<String, i64>);
    ///
    /// impl FixedKeyProcessor<String, i64> for Recent {
    ///     type ValueOut = i64;
    ///
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut FixedKeyContext<'_, String, i64>,
    ///         record: FixedKeyRecord<'_, String, i64>,
    ///     ) -> UserResult<()> {
    ///         let minute = record.timestamp - record.timestamp % minutes(1);
    ///         let count = self.0.get(record.key(), minute)?.unwrap_or_default() + 1;
    ///         self.0.put(record.key(), minute, count)?;
    ///         let recent = self.0.fetch(record.key(), minute - minutes(9)..=minute)?.map(|(_, n)| n).sum();
    ///         Ok(cx.forward(record.with_value(recent))?)
    ///     }
    /// }
    ///
    /// let app = StreamsBuilder::new("demo");
    /// let by_minute = app.window_store::<String, i64>("by-minute", minutes(10));
    /// app.stream::<String, i64>("in", Json).process_values("recent", by_minute, Recent).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for minute in [0, 1, 1, 9, 10] {
    ///     input.pipe(&mut driver, "k".into(), 7, minutes(minute)).unwrap();
    /// }
    /// assert_eq!(driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap(), [1, 2, 3, 4, 4]);
    /// ```
    #[track_caller]
    pub fn window_store<K: Key, V: Data>(
        &self,
        store: impl Into<Materialized<K, V>>,
        retention_ms: i64,
    ) -> WindowStoreRef<K, V> {
        let store = store.into().retention(retention_ms);
        self.graph.declare_free_store(&store.name, store.spec(StoreKind::Timed));
        WindowStoreRef::new(&store, retention_ms)
    }

    /// A session store for processors: one row per key, start and end, kept for `retention_ms` milliseconds in terms of
    /// the latest end. Otherwise as [`StreamsBuilder::store`].
    ///
    /// ```
    /// use headwater::prelude::*;
    ///
    /// /// Merges visits that are at most a minute apart, and tells how long the visit is so far.
    /// struct Visits(SessionStore<String, i64>);
    ///
    /// impl FixedKeyProcessor<String, i64> for Visits {
    ///     type ValueOut = i64;
    ///
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut FixedKeyContext<'_, String, i64>,
    ///         record: FixedKeyRecord<'_, String, i64>,
    ///     ) -> UserResult<()> {
    ///         let (key, time) = (record.key().clone(), record.timestamp);
    ///         let (mut start, mut end, mut clicks) = (time, time, 1);
    ///         for visit in self.0.find(&key, time - minutes(1), time + minutes(1))? {
    ///             self.0.delete(&key, visit.start, visit.end)?;
    ///             (start, end, clicks) = (start.min(visit.start), end.max(visit.end), clicks + visit.value);
    ///         }
    ///         self.0.put(&key, start, end, clicks)?;
    ///         Ok(cx.forward(record.with_value(end - start))?)
    ///     }
    /// }
    ///
    /// let app = StreamsBuilder::new("demo");
    /// let visits = app.session_store::<String, i64>("visits", hours(1));
    /// app.stream::<String, i64>("in", Json).process_values("visit", visits, Visits).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for time in [0, 50, 200, 110] {
    ///     input.pipe(&mut driver, "k".into(), 7, seconds(time)).unwrap();
    /// }
    /// let out = driver.output::<String, i64>("out", Json).read_values(&mut driver).unwrap();
    /// assert_eq!(out, [0, 50_000, 0, 110_000]);
    /// ```
    #[track_caller]
    pub fn session_store<K: Key, V: Data>(
        &self,
        store: impl Into<Materialized<K, V>>,
        retention_ms: i64,
    ) -> SessionStoreRef<K, V> {
        let store = store.into().retention(retention_ms);
        self.graph.declare_free_store(&store.name, store.spec(StoreKind::Session));
        SessionStoreRef::new(&store, retention_ms)
    }

    /// A store with history for processors: every version of a row, for `history_ms` milliseconds of event time after it
    /// was replaced. Otherwise as [`StreamsBuilder::store`].
    ///
    /// ```
    /// use headwater::prelude::*;
    ///
    /// /// Answers each price with the price an hour before.
    /// struct Before(VersionedKeyValueStore<String, i64>);
    ///
    /// impl FixedKeyProcessor<String, i64> for Before {
    ///     type ValueOut = Option<i64>;
    ///
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut FixedKeyContext<'_, String, Option<i64>>,
    ///         record: FixedKeyRecord<'_, String, i64>,
    ///     ) -> UserResult<()> {
    ///         self.0.put(record.key().clone(), record.value, record.timestamp)?;
    ///         let before = self.0.get_as_of(record.key(), record.timestamp - hours(1))?;
    ///         Ok(cx.forward(record.with_value(before.map(|(price, _)| price)))?)
    ///     }
    /// }
    ///
    /// let app = StreamsBuilder::new("demo");
    /// let prices = app.versioned_store::<String, i64>("prices", hours(2));
    /// app.stream::<String, i64>("in", Json).process_values("before", prices, Before).to("out", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, i64>("in", Json);
    /// for (price, minute) in [(3, 0), (4, 30), (5, 90)] {
    ///     input.pipe(&mut driver, "tea".into(), price, minutes(minute)).unwrap();
    /// }
    /// let out = driver.output::<String, Option<i64>>("out", Json).read_values(&mut driver).unwrap();
    /// assert_eq!(out, [None, None, Some(4)]);
    /// ```
    #[track_caller]
    pub fn versioned_store<K: Key, V: Data>(
        &self,
        store: impl Into<Materialized<K, V>>,
        history_ms: i64,
    ) -> VersionedStoreRef<K, V> {
        let store = store.into().versioned(history_ms);
        self.graph.declare_free_store(&store.name, store.spec(StoreKind::Versioned));
        VersionedStoreRef::new(store, history_ms)
    }

    /// Says what happens to a record at which a step of the program fails or panics. Default: the program stops.
    ///
    /// What a step does later than its record (in a punctuator, or behind a cached table at the commit) belongs to no
    /// record, and a failure there always stops the program.
    ///
    /// ```
    /// use headwater::prelude::*;
    ///
    /// let app = StreamsBuilder::new("demo");
    /// app.on_failure(OnFailure::DeadLetter("numbers.failed".into()));
    /// app.stream::<String, String>("in", Text).try_map_values(|text| Ok(text.parse::<i64>()?)).to("numbers", Json);
    /// let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    /// let mut input = driver.input::<String, String>("in", Text);
    /// for text in ["1", "two", "3"] {
    ///     input.pipe(&mut driver, "k".into(), text.into(), 0).unwrap();
    /// }
    /// assert_eq!(driver.output::<String, i64>("numbers", Json).read_values(&mut driver).unwrap(), [1, 3]);
    /// assert_eq!(driver.output::<String, String>("numbers.failed", Text).read_values(&mut driver).unwrap(), ["two"]);
    /// ```
    pub fn on_failure(&self, on_failure: OnFailure) {
        self.graph.lock().plan.on_failure = on_failure;
    }

    /// Lets groupings and joins of one stream share a repartition topic: the first one's serves all that use the same
    /// stream with the same formats. Each record then crosses the network once instead of once per use. Default: a topic
    /// each, as its name says. Kafka Streams does this with `topology.optimization` `merge.repartition.topics`.
    ///
    /// Uses count as of one stream if they are made of the same [`KStream`]; what lies behind a `map_values` of it is
    /// another stream. The steps below move into one sub-topology, and the topics that are no longer written keep what
    /// was not yet read from them: let a running program come to the end of its input before it is started with this.
    /// [`Plan::diff`](crate::Plan::diff) names those topics.
    ///
    /// ```
    /// use headwater::prelude::*;
    ///
    /// let app = StreamsBuilder::new("shop");
    /// app.merge_repartitions();
    /// let by_item = app.stream::<String, i64>("sales", Json).select_key(|_, item| *item);
    /// by_item.group_by_key("items").count("sold");
    /// by_item.group_by_key("runs").windowed_by(Tumbling::of(hours(1)).grace(0)).count("sold-by-hour");
    /// assert_eq!(app.build().unwrap().plan().repartition_topics(), ["shop-items-repartition"]);
    /// ```
    pub fn merge_repartitions(&self) {
        self.graph.lock().merges_repartitions = true;
    }

    /// Checks the topology and finishes it.
    ///
    /// # Errors
    /// All mistakes at once, each with code, step, reason, place in the program and help.
    pub fn build(self) -> Result<Topology, TopologyErrors> {
        let mut draft = self.graph.lock();
        let wiring = std::mem::take(&mut draft.wiring);
        let plan = draft.plan.clone();
        let plan = if draft.merges_repartitions { merge_repartitions(plan) } else { plan };
        let plan = cut(insert_repartitions(plan));
        let mut mistakes = check(&plan);
        mistakes.extend(duplicate_stores(&draft));
        mistakes.extend(strangers(&draft));
        mistakes.extend(noted(&draft));
        for mistake in &mut mistakes {
            let at = plan.node_named(&mistake.node).and_then(|node| wiring.locations.get(&node.id));
            mistake.location = at.map(|at: &&Location<'_>| format!("{}:{}", at.file(), at.line()));
        }
        if mistakes.is_empty() { Ok(Topology::new(plan, wiring)) } else { Err(TopologyErrors(mistakes)) }
    }
}

fn strangers(draft: &Draft) -> impl Iterator<Item = TopologyError> {
    draft.strangers.iter().filter_map(|id| draft.plan.node(*id)).map(|node| {
        let reason = "the two streams belong to two builders".to_owned();
        TopologyError::new("HW0114", &node.name, reason, "make both with the same StreamsBuilder")
    })
}

fn noted(draft: &Draft) -> impl Iterator<Item = TopologyError> {
    draft.mistakes.iter().map(|(id, code, reason, help)| {
        let node = draft.plan.node(*id).map_or("", |node| node.name.as_str());
        TopologyError::new(code, node, reason.clone(), help)
    })
}

fn duplicate_stores(draft: &Draft) -> Vec<TopologyError> {
    draft
        .duplicate_stores
        .iter()
        .map(|(store, id)| {
            let node = draft.plan.node(*id).map_or(store.as_str(), |node| node.name.as_str());
            let reason = format!("two stores are called {store}");
            TopologyError::new("HW0102", node, reason, "the name becomes a changelog topic's name; rename one")
        })
        .collect()
}
