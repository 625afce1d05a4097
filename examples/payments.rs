//! Orders and their payments: two streams joined in a window, and the orders that nobody paid for in time.
//!
//! `./dev example payments demo`, then `./dev example payments topic cat settled`.

use std::process::ExitCode;

use headwater::{
    cli::{Feed, Program, Topic},
    prelude::*,
};

/// An order is to be paid within an hour; a payment may reach the log up to ten minutes late.
const WITHIN: JoinWindows = JoinWindows::of(0).after(hours(1)).grace(minutes(10));

struct Payments;

impl Program for Payments {
    fn topology(&self) -> Result<Topology, TopologyErrors> {
        let app = StreamsBuilder::new("payments");
        // Keyed by order, both: the cents that are due, and the cents that were paid.
        let orders = app.stream::<String, i64>("orders", Json);
        let payments = app.stream::<String, i64>("payments", Json);
        let joined = orders.left_join_stream(&payments, |due, paid| (due, paid), WITHIN, "paid-orders").split();
        joined.branch(|_, (_, paid)| paid.is_none()).map_values(|(due, _)| due).to("unpaid", Json);
        joined.default_branch().map_values(|(due, paid)| paid.unwrap_or(0) - due).to("settled", Json);
        app.build()
    }

    fn topics(&self) -> Vec<Topic> {
        ["orders", "payments", "settled", "unpaid"].map(|name| Topic::new(name, 2)).into()
    }

    fn feed(&self, feed: &mut Feed<'_>) -> UserResult<()> {
        let record = |order: &str, time, cents: i64| (order.to_owned(), time, cents);
        feed.append("orders", Text, Json, [record("o1", 0, 350), record("o2", minutes(5), 200)])?;
        feed.append("payments", Text, Json, [record("o1", minutes(20), 400)])?;
        Ok(())
    }
}

fn main() -> ExitCode {
    headwater::cli::main(Payments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_settled_by_its_payment_and_unpaid_once_its_hour_and_the_grace_are_over() -> UserResult<()> {
        let mut driver = TopologyTestDriver::new(Payments.topology()?)?;
        let mut orders = driver.input::<String, i64>("orders", Json);
        let mut payments = driver.input::<String, i64>("payments", Json);
        orders.pipe(&mut driver, "o1".into(), 350, 0)?;
        orders.pipe(&mut driver, "o2".into(), 200, minutes(5))?;
        payments.pipe(&mut driver, "o1".into(), 400, minutes(20))?;
        let settled = driver.output::<String, i64>("settled", Json);
        assert_eq!(settled.read_key_values(&mut driver)?, [("o1".to_owned(), 50)]);

        let unpaid = driver.output::<String, i64>("unpaid", Json);
        orders.pipe(&mut driver, "o3".into(), 100, minutes(75))?; // exactly the end of o2's hour and its grace
        assert_eq!(unpaid.read_key_values(&mut driver)?, []);
        orders.pipe(&mut driver, "o4".into(), 100, minutes(75) + 1)?;
        assert_eq!(unpaid.read_key_values(&mut driver)?, [("o2".to_owned(), 200)]);
        Ok(())
    }
}
