//! Orders with their customers: two tables joined by a foreign key. A change on either side changes the result.
//!
//! `./dev example customer_orders demo`, then `./dev example customer_orders topic cat orders-with-customer`.

use std::process::ExitCode;

use headwater::{
    cli::{Feed, Program, Topic},
    prelude::*,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    customer: i64,
    cents: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Receipt {
    name: String,
    cents: i64,
}

struct CustomerOrders;

impl Program for CustomerOrders {
    fn topology(&self) -> Result<Topology, TopologyErrors> {
        let app = StreamsBuilder::new("customer-orders");
        let names = app.table::<i64, String>("customers", Text, "customer-names");
        let orders = app.table::<String, Order>("orders", Json, "latest-orders");
        orders
            .join_on_foreign_key(
                &names,
                |_, order| Some(order.customer),
                |order, name| Receipt { name, cents: order.cents },
                "with-customer",
                "receipts",
            )
            .to_stream()
            .to("orders-with-customer", Json);
        app.build()
    }

    fn topics(&self) -> Vec<Topic> {
        ["customers", "orders", "orders-with-customer"].map(|name| Topic::new(name, 2)).into()
    }

    fn feed(&self, feed: &mut Feed<'_>) -> UserResult<()> {
        feed.append("customers", Auto, Text, [(7_i64, 0, "Ann".to_owned()), (8, 0, "Bob".to_owned())])?;
        let orders = [("o1", 7, 350), ("o2", 8, 200), ("o3", 7, 120)];
        let orders = orders.map(|(order, customer, cents)| (order.to_owned(), 1, Order { customer, cents }));
        feed.append("orders", Text, Json, orders)?;
        Ok(())
    }
}

fn main() -> ExitCode {
    headwater::cli::main(CustomerOrders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_follows_its_order_and_its_customer() -> UserResult<()> {
        let mut driver = TopologyTestDriver::new(CustomerOrders.topology()?)?;
        let mut customers = driver.input::<i64, String>("customers", Text);
        let mut orders = driver.input::<String, Option<Order>>("orders", Json);
        orders.pipe(&mut driver, "o1".into(), Some(Order { customer: 7, cents: 350 }), 0)?;
        customers.pipe(&mut driver, 7, "Ann".into(), 1)?;
        customers.pipe(&mut driver, 7, "Anna".into(), 2)?;
        orders.pipe(&mut driver, "o1".into(), None, 3)?;

        let receipts = driver.output::<String, Option<Receipt>>("orders-with-customer", Json);
        let receipt = |name: &str| Some(Receipt { name: name.into(), cents: 350 });
        assert_eq!(receipts.read_values(&mut driver)?, [receipt("Ann"), receipt("Anna"), None]);
        Ok(())
    }
}
