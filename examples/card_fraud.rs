//! Cards that look stolen: payments and wrong PINs, two streams of different types, in one aggregate per card and ten
//! minutes.
//!
//! `./dev example card_fraud demo`, then `./dev example card_fraud topic cat alerts`.

use std::{collections::BTreeSet, process::ExitCode};

use headwater::{
    cli::{Feed, Program, Topic},
    prelude::*,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Payment {
    cents: i64,
    city: String,
}

/// What one card did in ten minutes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Activity {
    cents: i64,
    cities: BTreeSet<String>,
    wrong_pins: i64,
}

impl Activity {
    fn pay(&mut self, payment: Payment) {
        self.cents += payment.cents;
        self.cities.insert(payment.city);
    }

    fn looks_stolen(&self) -> bool {
        self.cities.len() > 2 || (self.wrong_pins > 1 && self.cents > 50_000)
    }
}

struct CardFraud;

impl Program for CardFraud {
    fn topology(&self) -> Result<Topology, TopologyErrors> {
        let app = StreamsBuilder::new("card-fraud");
        let paid = app.stream::<String, Payment>("card-payments", Json).group_by_key("payments-by-card");
        let wrong = app.stream::<String, String>("wrong-pins", Text).group_by_key("pins-by-card");
        paid.cogroup(|_, payment, card: &mut Activity| card.pay(payment))
            .cogroup(wrong, |_, _place, card| card.wrong_pins += 1)
            .windowed_by(Tumbling::of(minutes(10)).grace(minutes(1)))
            .aggregate("card-activity", Activity::default)
            .updates() // as it happens: an alert after the window's end would come too late
            .filter(|_, card| card.looks_stolen())
            .map(|window, card| (window.key, card))
            .to("alerts", Json);
        app.build()
    }

    fn topics(&self) -> Vec<Topic> {
        ["card-payments", "wrong-pins", "alerts"].map(|name| Topic::new(name, 2)).into()
    }

    fn feed(&self, feed: &mut Feed<'_>) -> UserResult<()> {
        let payments = [("c1", 1, 900, "Rome"), ("c2", 2, 60_000, "Oslo"), ("c1", 3, 500, "Rome")];
        let payments = payments.map(|(card, minute, cents, city)| {
            (card.to_owned(), minutes(minute), Payment { cents, city: city.to_owned() })
        });
        feed.append("card-payments", Text, Json, payments)?;
        let pins = ["Oslo", "Oslo"].map(|city| ("c2".to_owned(), minutes(1), city.to_owned()));
        feed.append("wrong-pins", Text, Text, pins)?;
        Ok(())
    }
}

fn main() -> ExitCode {
    headwater::cli::main(CardFraud)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_pins_and_a_large_payment_within_ten_minutes_raise_an_alert() -> UserResult<()> {
        let mut driver = TopologyTestDriver::new(CardFraud.topology()?)?;
        let mut pins = driver.input::<String, String>("wrong-pins", Text);
        let mut payments = driver.input::<String, Payment>("card-payments", Json);
        let large = Payment { cents: 60_000, city: "Oslo".into() };
        pins.pipe(&mut driver, "c2".into(), "Oslo".into(), minutes(1))?;
        pins.pipe(&mut driver, "c2".into(), "Oslo".into(), minutes(2))?;
        payments.pipe(&mut driver, "c1".into(), large.clone(), minutes(3))?;
        let alerts = driver.output::<String, Activity>("alerts", Json);
        assert_eq!(alerts.read_values(&mut driver)?, []);
        payments.pipe(&mut driver, "c2".into(), large, minutes(4))?;
        let cards = alerts.read_key_values(&mut driver)?;
        assert_eq!(cards.iter().map(|(card, _)| card.as_str()).collect::<Vec<_>>(), ["c2"]);
        Ok(())
    }
}
