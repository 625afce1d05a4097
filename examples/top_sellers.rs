//! The best sellers of each shop, by a processor of our own: a store with a list per shop, and a record downstream
//! whenever the list changes.
//!
//! `./dev example top_sellers demo`, then `./dev example top_sellers topic cat top-sellers`.

use std::{cmp::Reverse, process::ExitCode};

use headwater::{
    cli::{Feed, Program, Topic},
    prelude::*,
};

const SHOWN: usize = 3;

/// Items and how many of each were sold, most first.
type Sales = Vec<(String, i64)>;
/// An item and how many of it were sold so far.
type Sold = (String, i64);

/// One per task; what must survive a restart is in the store.
struct TopSellers(KeyValueStore<String, Sales>);

impl FixedKeyProcessor<String, Sold> for TopSellers {
    type ValueOut = Sales;

    fn process(
        &mut self,
        cx: &mut FixedKeyContext<'_, String, Sales>,
        record: FixedKeyRecord<'_, String, Sold>,
    ) -> UserResult<()> {
        let before = self.0.get(record.key())?.unwrap_or_default();
        let mut top = before.clone();
        top.retain(|(item, _)| *item != record.value.0);
        top.push(record.value.clone());
        top.sort_by_key(|(item, sold)| (Reverse(*sold), item.clone()));
        top.truncate(SHOWN);
        if top != before {
            self.0.put(record.key().clone(), top.clone())?;
            cx.forward(record.with_value(top))?;
        }
        Ok(())
    }
}

struct Shops;

impl Program for Shops {
    fn topology(&self) -> Result<Topology, TopologyErrors> {
        let app = StreamsBuilder::new("top-sellers");
        let top = app.store::<String, Sales>("top-by-shop");
        app.stream::<String, String>("sales", Text) // keyed by shop: the item
            .group_by(|shop, item| (shop.clone(), item.clone()), "by-shop-and-item")
            .count("sold")
            .updates()
            .map(|(shop, item), sold| (shop, (item, sold)))
            .repartition("by-shop")
            .process_values("top", top, TopSellers)
            .to("top-sellers", Json);
        app.build()
    }

    fn topics(&self) -> Vec<Topic> {
        vec![Topic::new("sales", 2), Topic::new("top-sellers", 2)]
    }

    fn feed(&self, feed: &mut Feed<'_>) -> UserResult<()> {
        let items = ["tea", "salt", "tea", "oil", "rice", "rice", "rice"];
        let sales = items.iter().zip(0..).map(|(item, time)| ("corner".to_owned(), time, (*item).to_owned()));
        feed.append("sales", Text, Text, sales)?;
        Ok(())
    }
}

fn main() -> ExitCode {
    headwater::cli::main(Shops)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_the_items_sold_most() -> UserResult<()> {
        let mut driver = TopologyTestDriver::new(Shops.topology()?)?;
        let mut sales = driver.input::<String, String>("sales", Text);
        for item in ["tea", "salt", "tea", "oil", "rice", "rice", "rice"] {
            sales.pipe(&mut driver, "corner".into(), item.into(), 0)?;
        }
        let lists = driver.output::<String, Sales>("top-sellers", Json).read_values(&mut driver)?;
        let top = [("rice", 3), ("tea", 2), ("oil", 1)].map(|(item, sold)| (item.to_owned(), sold));
        assert_eq!(lists.last().map(Vec::as_slice), Some(&top[..]));
        Ok(())
    }
}
