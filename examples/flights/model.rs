//! The types that flow, and the columns of the two tables. Times are milliseconds since 1970, delays are minutes.

use headwater::{prelude::*, sinks::SinkRecord};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};

const INT: ColumnType = ColumnType::Int;
const LONG: ColumnType = ColumnType::Long;
const TEXT: ColumnType = ColumnType::String;
const TIME: ColumnType = ColumnType::Timestamptz;

/// A flight as in the CSV; what can be missing there is an `Option`. `dep_time` and its like are local HHMM.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Flight {
    pub year: i32,
    pub month: i32,
    pub day: i32,
    pub dep_time: Option<i32>,
    pub sched_dep_time: i32,
    pub dep_delay: Option<i32>,
    pub arr_time: Option<i32>,
    pub sched_arr_time: i32,
    pub arr_delay: Option<i32>,
    pub carrier: String,
    pub flight: i32,
    pub tailnum: Option<String>,
    pub origin: String,
    pub dest: String,
    pub air_time: Option<i32>,
    pub distance: i32,
    pub hour: i32,
    pub minute: i32,
    pub time_hour: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Airline {
    pub carrier: String,
    pub name: String,
}

/// A flight with its airline's name, if that is known.
pub type NamedFlight = (Flight, Option<String>);

/// A row of `air.flights`: the flight, its airline's name, and the record's place in the log.
pub struct FlightRow<'a> {
    flight: &'a Flight,
    carrier_name: Option<&'a str>,
    feed_partition: i32,
    feed_offset: i64,
}

impl<'a> FlightRow<'a> {
    pub fn of(record: &SinkRecord<'a, String, NamedFlight>) -> Self {
        let (flight, name) = record.value;
        let carrier_name = name.as_deref();
        Self { flight, carrier_name, feed_partition: record.partition, feed_offset: record.offset }
    }

    #[rustfmt::skip]
    pub fn columns() -> Columns {
        Columns::new()
            .required("year", INT).required("month", INT).required("day", INT)
            .optional("dep_time", INT).required("sched_dep_time", INT).optional("dep_delay", INT)
            .optional("arr_time", INT).required("sched_arr_time", INT).optional("arr_delay", INT)
            .required("carrier", TEXT).required("flight", INT).optional("tailnum", TEXT)
            .required("origin", TEXT).required("dest", TEXT).optional("air_time", INT).required("distance", INT)
            .required("hour", INT).required("minute", INT).required("time_hour", TIME)
            .optional("carrier_name", TEXT).required("feed_partition", INT).required("feed_offset", LONG)
    }
}

/// Spelled out, as `#[serde(flatten)]` would have every column of every row looked up by its name: a sixth of the demo.
impl Serialize for FlightRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("FlightRow", 22)?;
        macro_rules! copy {
            ($($name:ident)*) => { $(row.serialize_field(stringify!($name), &self.flight.$name)?;)* };
        }
        copy!(year month day dep_time sched_dep_time dep_delay arr_time sched_arr_time arr_delay carrier flight tailnum);
        copy!(origin dest air_time distance hour minute time_hour);
        row.serialize_field("carrier_name", &self.carrier_name)?;
        row.serialize_field("feed_partition", &self.feed_partition)?;
        row.serialize_field("feed_offset", &self.feed_offset)?;
        row.end()
    }
}

/// What the daily sums need of a flight; this is what travels to the task that sums.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Departure {
    cancelled: bool,
    dep_delay: Option<i32>,
    arr_delay: Option<i32>,
}

impl Departure {
    pub fn of(flight: &Flight) -> Self {
        let Flight { dep_time, dep_delay, arr_delay, .. } = *flight;
        Self { cancelled: dep_time.is_none(), dep_delay, arr_delay }
    }
}

/// The sums of one day, kept in the store `daily-delays`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Delays {
    flights: i64,
    cancelled: i64,
    delayed_15: i64,
    sum_dep_delay: i64,
    max_dep_delay: Option<i32>,
    arrivals: i64,
    sum_arr_delay: i64,
}

impl Delays {
    pub fn add(&mut self, departure: &Departure) {
        self.flights += 1;
        self.cancelled += i64::from(departure.cancelled);
        if let Some(delay) = departure.dep_delay {
            self.delayed_15 += i64::from(delay > 15);
            self.sum_dep_delay += i64::from(delay);
            self.max_dep_delay = self.max_dep_delay.max(Some(delay));
        }
        if let Some(delay) = departure.arr_delay {
            self.arrivals += 1;
            self.sum_arr_delay += i64::from(delay);
        }
    }
}

/// A row of `air.daily_delays` and a value of the topic `daily-delays`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DailyDelays {
    origin: String,
    carrier: String,
    window_start: Timestamp,
    window_end: Timestamp,
    #[serde(flatten)]
    delays: Delays,
}

impl DailyDelays {
    pub fn of(window: Windowed<(String, String)>, delays: Delays) -> Self {
        let Windowed { key: (origin, carrier), start: window_start, end: window_end } = window;
        Self { origin, carrier, window_start, window_end, delays }
    }

    #[rustfmt::skip]
    pub fn columns() -> Columns {
        Columns::new()
            .required("origin", TEXT).required("carrier", TEXT)
            .required("window_start", TIME).required("window_end", TIME)
            .required("flights", LONG).required("cancelled", LONG).required("delayed_15", LONG)
            .required("sum_dep_delay", LONG).optional("max_dep_delay", INT)
            .required("arrivals", LONG).required("sum_arr_delay", LONG)
    }
}
