//! The events as the bytes of three topics.

use std::collections::BTreeMap;

use headwater::{dsl::Topology, prelude::*};
use headwater_core::{BatchBuilder, Offset, RecordBatch};
use serde::Serialize;

use super::{by_hand::clock_ms, model::Event};
use crate::pipeline::Pipeline;

/// Records per batch.
const BATCH: usize = 500;

/// The events in rounds; in each the batches by topic. What a topology takes within a round it commits at its end.
pub struct Feed {
    rounds: Vec<BTreeMap<&'static str, Vec<RecordBatch>>>,
    round: usize,
}

impl Feed {
    /// The events in rounds of `round`.
    ///
    /// # Errors
    /// Never: an event can be encoded.
    pub fn new(events: &[Event], round: usize) -> headwater::Result<Self> {
        let mut next: BTreeMap<&'static str, Offset> = BTreeMap::new();
        let mut rounds = Vec::new();
        for events in events.chunks(round) {
            let mut open: BTreeMap<&'static str, BatchBuilder> = BTreeMap::new();
            let mut full: BTreeMap<&'static str, Vec<RecordBatch>> = BTreeMap::new();
            let mut cut = |topic: &'static str, batch: RecordBatch| {
                let next = next.entry(topic).or_default();
                let batch = batch.at(*next);
                *next = batch.next_offset();
                full.entry(topic).or_default().push(batch);
            };
            for event in events {
                let topic = push(event, &mut open)?;
                let ripe = open.get_mut(topic).filter(|batch| batch.len() >= BATCH);
                ripe.and_then(BatchBuilder::take).into_iter().for_each(|batch| cut(topic, batch));
            }
            for (topic, mut batch) in open {
                batch.take().into_iter().for_each(|batch| cut(topic, batch));
            }
            rounds.push(full);
        }
        Ok(Self { rounds, round })
    }

    /// How many records `topology` reads.
    pub fn records(&self, topology: &Topology) -> usize {
        let topics = topology.plan().input_topics();
        let batches = self.rounds.iter().flatten().filter(|(topic, _)| topics.contains(topic));
        batches.flat_map(|(_, batches)| batches).map(RecordBatch::len).sum()
    }

    /// Lets the pipeline take everything, round by round, to the end of its input.
    ///
    /// # Errors
    /// If a step fails.
    pub fn drive(&self, topology: &Topology, pipeline: &mut Pipeline) -> headwater::Result<()> {
        let topics = topology.plan().input_topics();
        let mut now_ms = 0;
        for (number, round) in self.rounds.iter().enumerate() {
            let then_ms = std::mem::replace(&mut now_ms, clock_ms(number * self.round, self.round));
            pipeline.clock().advance(now_ms - then_ms);
            for topic in &topics {
                round.get(topic).into_iter().flatten().for_each(|batch| pipeline.feed(topic, batch));
            }
            pipeline.settle()?;
        }
        pipeline.end()
    }
}

/// Appends an event to its topic's batch; returns the topic.
fn push(event: &Event, open: &mut BTreeMap<&'static str, BatchBuilder>) -> headwater::Result<&'static str> {
    let mut append = |topic: &'static str, key: i64, time: Timestamp, value: Vec<u8>| {
        open.entry(topic).or_default().push(time, Some(&key.to_be_bytes()), Some(&value), &Headers::new());
        topic
    };
    Ok(match event {
        Event::Person(person) => append("persons", person.id, person.date_time, encoded(person)?),
        Event::Auction(auction) => append("auctions", auction.id, auction.date_time, encoded(auction)?),
        Event::Bid(bid) => append("bids", bid.auction, bid.date_time, encoded(bid)?),
    })
}

fn encoded<T: Serialize + serde::de::DeserializeOwned + Send + Clone + 'static>(
    value: &T,
) -> headwater::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Serde::<T>::encode(&Postcard, value, &mut bytes).map_err(|error| error.while_encoding("an event"))?;
    Ok(bytes)
}
