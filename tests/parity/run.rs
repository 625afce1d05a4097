//! One run of one side: fill, work, close the last windows, judge.

use std::{
    thread,
    time::{Duration, Instant},
};

use headwater::log::testkit::KafkaServer;
use serde::Serialize;

use crate::{
    Outcome,
    arguments::{Engine, Feeding, Row},
    broker::{Broker, Feeder},
    flights::{Flights, Record, closing},
    headwater_twin::GROUPING,
    judge::{Verdict, judge},
    twin::{Place, Twin, Work},
};

/// How long a run may take to work off what it was fed.
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(100);
/// What a live run is fed to see that it works, before the feeding at a rate begins.
const TASTE: usize = 1_000;

/// What a run gave.
#[derive(Debug, Clone, Serialize)]
pub struct RunResult {
    pub engine: &'static str,
    pub row: &'static str,
    pub fill: u32,
    /// Records that the engine itself counted as dropped.
    pub counted_as_dropped: u64,
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Input records that each process took.
    pub taken: Vec<u64>,
    /// In a live run: flights that no process had taken yet when the last one was fed.
    pub behind_when_fed: Option<u64>,
}

/// What the processes of a run have done.
struct Worked {
    work: Vec<Work>,
    behind_when_fed: Option<u64>,
}

/// The broker and the data that all runs share.
pub struct Bench<'a> {
    server: &'a KafkaServer,
    broker: Broker,
    flights: &'a Flights,
    java: String,
    rate: u32,
}

/// The names of one run.
struct Names {
    app: String,
    input: String,
    output: String,
    repartition: String,
}

impl<'a> Bench<'a> {
    pub fn new(server: &'a KafkaServer, flights: &'a Flights, java: String, rate: u32) -> Outcome<Self> {
        Ok(Self { server, broker: Broker::connect(server.brokers())?, flights, java, rate })
    }

    pub fn run(&self, engine: Engine, row: &Row, fill: u32) -> Outcome<RunResult> {
        self.try_run(engine, row, fill)
            .map_err(|error| format!("{} {}, fill {fill}: {error}", engine.word(), row.name).into())
    }

    fn try_run(&self, engine: Engine, row: &Row, fill: u32) -> Outcome<RunResult> {
        let app = format!("{}-{}-{fill}", engine.word(), row.name);
        let names = Names {
            input: format!("{app}-flights"),
            output: format!("{app}-daily"),
            repartition: format!("{app}-{GROUPING}-repartition"),
            app,
        };
        self.broker.create(&[&names.input, &names.output], row.partitions)?;
        let mut feeder = self.broker.feeder(&names.input, row.partitions)?;
        let Worked { work, behind_when_fed } = self.work(engine, row, &names, &mut feeder)?;
        let verdict = judge(&self.flights.truth, self.broker.results(&names.output, row.partitions)?);
        self.broker.delete(&names.app)?;
        let counted_as_dropped = work.iter().map(|work| work.dropped).sum();
        let taken = work.iter().map(|work| work.processed).collect();
        Ok(RunResult {
            engine: engine.word(),
            row: row.name,
            fill,
            counted_as_dropped,
            verdict,
            taken,
            behind_when_fed,
        })
    }

    fn work(&self, engine: Engine, row: &Row, names: &Names, feeder: &mut Feeder) -> Outcome<Worked> {
        let records = &self.flights.records;
        if row.feeding != Feeding::Live {
            feeder.fill(records)?;
        }
        let dirs = (0..row.processes).map(|_| tempfile::tempdir()).collect::<Result<Vec<_>, _>>()?;
        let mut twins = Vec::new();
        for (number, dir) in (0..).zip(&dirs) {
            let place = Place {
                brokers: self.server.brokers(),
                app: &names.app,
                input: &names.input,
                output: &names.output,
                dir: dir.path(),
                number,
            };
            twins.push(Twin::start(engine, row, &place, &self.java)?);
        }
        if row.feeding == Feeding::Replay {
            let deadline = Instant::now() + PATIENCE;
            let work = twins.into_iter().map(|twin| twin.finish(deadline)).collect::<Outcome<_>>()?;
            return Ok(Worked { work, behind_when_fed: None });
        }
        let mut behind_when_fed = None;
        if row.feeding == Feeding::Live {
            let rest = self.taste(row, names, feeder, &mut twins)?;
            feeder.fill_at(self.rate, rest)?;
            let taken = twins.iter().map(Twin::processed).sum();
            behind_when_fed = Some((records.len() as u64).saturating_sub(taken));
        }
        self.await_done(row, names, &mut twins)?;
        // Only now, on both sides: whoever takes the greatest timestamp for the time would drop the rest for these.
        let last = records.iter().map(|record| record.timestamp).max().unwrap_or_default();
        feeder.place(&closing(row.partitions, last)?)?;
        self.await_done(row, names, &mut twins)?;
        let work = twins.into_iter().map(Twin::stop).collect::<Outcome<_>>()?;
        Ok(Worked { work, behind_when_fed })
    }

    /// Feeds a little at a time until every process has taken some of it. Returns what is still to be fed.
    fn taste(&self, row: &Row, names: &Names, feeder: &mut Feeder, twins: &mut [Twin]) -> Outcome<&[Record]> {
        let mut rest = self.flights.records.as_slice();
        while twins.iter().any(|twin| twin.processed() == 0) {
            let (taste, left) = rest.split_at_checked(TASTE).ok_or("one of the processes took nothing")?;
            rest = left;
            feeder.fill(taste)?;
            self.await_done(row, names, twins)?;
            thread::sleep(LOOK);
        }
        Ok(rest)
    }

    /// Waits until all that was fed has been worked off and committed.
    fn await_done(&self, row: &Row, names: &Names, twins: &mut [Twin]) -> Outcome<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            twins.iter_mut().try_for_each(Twin::check)?;
            let lags = self.lags(row, names);
            match lags {
                // The input is fed without transactions. In the repartition topic every transaction ends with a marker,
                // behind which a program need not commit.
                Ok((0, 0 | 1)) => return Ok(()),
                // At first the program has not made its repartition topic yet.
                _ if Instant::now() < deadline => thread::sleep(LOOK),
                Ok((input, repartition)) => {
                    let taken: Vec<_> = twins.iter().map(Twin::processed).collect();
                    let message = format!(
                        "it did not work off what it was fed: {input} records behind in the input, {repartition} in the \
                         repartition topic, taken {taken:?}"
                    );
                    return Err(message.into());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// How far the program is behind in its input and in its repartition topic. The first is looked at first: when it is
    /// done, nothing more comes into the second.
    fn lags(&self, row: &Row, names: &Names) -> Outcome<(i64, i64)> {
        let input = self.broker.lag(&names.app, &names.input, row.partitions)?;
        Ok((input, self.broker.lag(&names.app, &names.repartition, row.partitions)?))
    }
}
