//! Tables joined by a key in the row.

use std::collections::BTreeMap;

use headwater::prelude::*;

use super::by_chance::{Random, run};

/// An order's text begins with its customer's letter; `-` stands for none.
fn customer(order: &str) -> Option<String> {
    order.get(..1).filter(|letter| *letter != "-").map(str::to_owned)
}

fn build(app: &StreamsBuilder, left: bool, cached: bool) -> KTable<String, String> {
    let store = |name: &str| {
        let store = Materialized::with(name, Text, Text);
        if cached { store } else { store.uncached() }
    };
    let orders = app.table::<String, String>("orders", Text, store("latest-orders"));
    let customers = app.table::<String, String>("customers", Text, store("latest-customers"));
    let words = TableJoined::with("of", (Text, Text), (Text, Text));
    if left {
        let join = |order: String, name: Option<String>| format!("{order}/{}", name.unwrap_or_default());
        orders.left_join_on_foreign_key(&customers, |_, order| customer(order), join, words, store("joined"))
    } else {
        let join = |order: String, name: String| format!("{order}/{name}");
        orders.join_on_foreign_key(&customers, |_, order| customer(order), join, words, store("joined"))
    }
}

struct Shop(TopologyTestDriver);

impl Shop {
    fn new(left: bool) -> Self {
        let app = StreamsBuilder::new("shop");
        build(&app, left, false).to_stream().to("out", Text);
        Self(TopologyTestDriver::new(app.build().unwrap()).unwrap())
    }

    fn pipe(&mut self, topic: &str, key: &str, value: Option<&str>, time: i64) -> Vec<String> {
        let mut input = self.0.input::<String, Option<String>>(topic, Text);
        input.pipe(&mut self.0, key.into(), value.map(str::to_owned), time).unwrap();
        let out = self.0.output::<String, Option<String>>("out", Text).read(&mut self.0).unwrap();
        let text = |value: Option<String>| value.unwrap_or_else(|| "null".to_owned());
        out.into_iter().map(|record| format!("{}={}@{}", record.key, text(record.value), record.timestamp)).collect()
    }

    fn order(&mut self, key: &str, value: Option<&str>, time: i64) -> Vec<String> {
        self.pipe("orders", key, value, time)
    }

    fn customer(&mut self, key: &str, value: Option<&str>, time: i64) -> Vec<String> {
        self.pipe("customers", key, value, time)
    }
}

#[test]
fn an_inner_join_has_the_rows_whose_other_row_is_there() {
    let mut shop = Shop::new(false);
    let none: [&str; 0] = [];
    assert_eq!(shop.order("o1", Some("a1"), 1), none);
    assert_eq!(shop.customer("a", Some("Ann"), 5), ["o1=a1/Ann@5"]);
    assert_eq!(shop.order("o2", Some("a2"), 3), ["o2=a2/Ann@5"], "a left change has the later of both times");
    assert_eq!(shop.customer("a", Some("Anna"), 4), ["o1=a1/Anna@4", "o2=a2/Anna@4"], "a right change has its own");
    assert_eq!(shop.order("o1", Some("b1"), 6), ["o1=null@6"], "it moved to a row that is not there");
    assert_eq!(shop.customer("b", Some("Bob"), 7), ["o1=b1/Bob@7"]);
    assert_eq!(shop.customer("a", Some("A."), 8), ["o2=a2/A.@8"], "o1 no longer listens");
    assert_eq!(shop.order("o1", Some("-"), 9), ["o1=null@9"], "it points nowhere");
    assert_eq!(shop.order("o2", None, 2), ["o2=null@8"]);
    assert_eq!(shop.customer("a", None, 10), none);
    assert_eq!(shop.order("o1", None, 11), none);
    assert_eq!(shop.0.counters()["null-foreign-key:of"], 1);
}

#[test]
fn a_left_join_has_all_rows() {
    let mut shop = Shop::new(true);
    let none: [&str; 0] = [];
    assert_eq!(shop.order("o1", Some("a1"), 1), ["o1=a1/@1"]);
    assert_eq!(shop.customer("a", Some("Ann"), 5), ["o1=a1/Ann@5"]);
    assert_eq!(shop.order("o1", Some("-"), 2), ["o1=-/@2"]);
    assert_eq!(shop.order("o2", Some("a2"), 3), ["o2=a2/Ann@5"]);
    assert_eq!(shop.customer("a", None, 6), ["o2=a2/@6"]);
    assert_eq!(shop.customer("a", Some("A."), 9), ["o2=a2/A.@9"]);
    assert_eq!(shop.order("o2", None, 4), ["o2=null@4"], "a deletion has the left row's time alone");
    assert_eq!(shop.order("o2", None, 5), none);
}

#[test]
fn an_answer_to_a_row_that_has_changed_since_is_dropped() {
    let app = StreamsBuilder::new("shop");
    build(&app, false, false).to_stream().to("out", Text);
    let mut driver = TopologyTestDriver::new(app.build().unwrap()).unwrap().stepping();
    let mut orders = driver.input::<String, String>("orders", Text);
    let mut customers = driver.input::<String, String>("customers", Text);
    customers.pipe(&mut driver, "a".into(), "Ann".into(), 0).unwrap();
    for (time, order) in (1..).zip(["a1", "a2", "a3"]) {
        orders.pipe(&mut driver, "o".into(), order.into(), time).unwrap();
    }
    // The left task takes all three rows before it hears of the first.
    let tasks = driver.tasks();
    for task in &tasks {
        while driver.step(*task).unwrap() {}
        driver.commit_task(*task).unwrap();
    }
    for _ in 0..3 {
        driver.commit().unwrap();
        for task in &tasks {
            while driver.step(*task).unwrap() {}
        }
    }
    driver.commit().unwrap();
    assert_eq!(driver.output::<String, String>("out", Text).read_values(&mut driver).unwrap(), ["a3/Ann"]);
}

#[test]
fn the_topics_and_the_store_are_called_as_in_kafka_streams_and_as_wide_as_what_they_go_to() {
    let app = StreamsBuilder::new("shop");
    build(&app, false, false).to_stream().to("out", Text);
    let topology = app.build().unwrap();
    let (registration, response) = ("shop-of-subscription-registration-topic", "shop-of-subscription-response-topic");
    assert_eq!(topology.plan().repartition_topics(), [registration, response]);
    assert!(topology.plan().stores.contains_key("of-subscription-store"));
    let widths = BTreeMap::from([("orders", 3), ("customers", 5)]);
    let counts = topology.plan().partition_counts(&|topic| widths.get(topic).copied()).unwrap();
    assert_eq!((counts[registration], counts[response]), (5, 3));
}

#[test]
fn a_table_may_point_into_itself() {
    let app = StreamsBuilder::new("staff");
    let staff = app.table::<String, String>("staff", Text, Materialized::with("latest-staff", Text, Text));
    let words = TableJoined::with("boss", (Text, Text), (Text, Text));
    let store = Materialized::with("bosses", Text, Text).uncached();
    let join = |row: String, boss: String| format!("{row}<{boss}");
    staff.join_on_foreign_key(&staff, |_, row| customer(row), join, words, store).to_stream().to("out", Text);
    let driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    let mut driver = driver.with_partitions(2).unwrap();
    let mut input = driver.input::<String, String>("staff", Text);
    for (time, (key, row)) in (0..).zip([("b", "a1"), ("a", "-"), ("c", "b1"), ("a", "c0")]) {
        input.pipe(&mut driver, key.into(), row.into(), time).unwrap();
    }
    let mut rows = driver.store::<String, String>(Materialized::with("bosses", Text, Text)).unwrap().all().unwrap();
    rows.sort();
    let row = |key: &str, row: &str| (key.to_owned(), row.to_owned());
    assert_eq!(rows, [row("a", "c0<b1"), row("b", "a1<c0"), row("c", "b1<a1")]);
    driver.end_of_input().unwrap();
}

type Change = (String, Option<String>);

/// Changes of the two tables, with repetitions and deletions.
fn changes(seed: u64) -> (Vec<Change>, Vec<Change>) {
    let mut random = Random(seed);
    let mut orders = Vec::new();
    for n in 0..120 {
        let key = format!("o{}", random.below(8));
        let value = (random.below(6) > 0).then(|| format!("{}{n}", random.choose(&["a", "b", "c", "d", "-"])));
        orders.push((key, value));
    }
    let mut customers = Vec::new();
    for n in 0..40 {
        let key = (*random.choose(&["a", "b", "c", "d"])).to_owned();
        customers.push((key, (random.below(4) > 0).then(|| format!("N{n}"))));
    }
    (orders, customers)
}

/// The joined table in its plainest form.
fn model(orders: &[Change], customers: &[Change], left: bool) -> BTreeMap<String, String> {
    let orders: BTreeMap<_, _> = orders.iter().cloned().collect();
    let customers: BTreeMap<_, _> = customers.iter().cloned().collect();
    let joined = orders.into_iter().filter_map(|(key, order)| {
        let order = order?;
        let name = customer(&order).and_then(|letter| customers.get(&letter).cloned().flatten());
        (left || name.is_some()).then(|| (key, format!("{order}/{}", name.unwrap_or_default())))
    });
    joined.collect()
}

#[test]
fn every_interleaving_of_the_tasks_gives_the_same_table_also_after_crashes() {
    for (left, cached, wide) in
        [(false, true, (1, 1)), (true, false, (1, 1)), (false, false, (3, 2)), (true, true, (2, 4))]
    {
        for data in 0..3 {
            let (orders, customers) = changes(data);
            let expected = model(&orders, &customers, left);
            for seed in 0..8 {
                let app = StreamsBuilder::new("shop");
                build(&app, left, cached).to_stream().to("out", Text);
                let driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
                let driver = driver.with_topic_partitions("orders", wide.0).unwrap();
                let mut driver = driver.with_topic_partitions("customers", wide.1).unwrap().stepping();
                for (topic, changes) in [("orders", &orders), ("customers", &customers)] {
                    let mut input = driver.input::<String, Option<String>>(topic, Text);
                    for (time, (key, value)) in (0..).zip(changes) {
                        input.pipe(&mut driver, key.clone(), value.clone(), time).unwrap();
                    }
                }
                run(&mut driver, seed, seed % 2 == 0);
                let store = Materialized::<String, String>::with("joined", Text, Text);
                let rows: BTreeMap<_, _> = driver.store(store).unwrap().all().unwrap().into_iter().collect();
                assert_eq!(rows, expected, "left {left}, wide {wide:?}, data {data}, seed {seed}");
            }
        }
    }
}
