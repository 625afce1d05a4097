//! The plan is a value, and prints in forms that others read.

use headwater::{prelude::*, testing::MemorySink};

fn topology() -> Topology {
    let app = StreamsBuilder::new("shop");
    let names = app.global_table::<String, String>("customers", Text, "customer-names");
    let orders = app.stream::<String, i64>("orders", Json);
    let rules = Rules::new().rule(range("plausible", |cents: &i64| Some(*cents), 1..).dead_letter("orders.rejected"));
    let good = orders.validate("order-rules", rules);
    good.join_global(&names, |id, _| id.clone(), |cents, name| (name, cents)).named("with-name").to("receipts", Json);
    good.group_by(|_, cents| *cents / 100, "by-price")
        .windowed_by(Tumbling::of(hours(1)).grace(minutes(5)).emit_on_close())
        .count("sold")
        .updates()
        .sink("lake", MemorySink::new("sold"));
    app.build().unwrap()
}

#[test]
fn describe_is_in_kafkas_form() {
    let expected = "\
Topologies:
   Sub-topology: 0
    Source: orders (topics: [orders])
      --> order-rules
    Processor: order-rules (stores: [])
      --> with-name, group_by-4
      <-- orders
    Processor: with-name (stores: [])
      --> to-receipts
      <-- order-rules
    Sink: to-receipts (topic: receipts)
      <-- with-name
    Processor: group_by-4 (stores: [])
      --> by-price-repartition-sink
      <-- order-rules
    Sink: by-price-repartition-sink (topic: shop-by-price-repartition)
      <-- group_by-4

  Sub-topology: 1
    Source: by-price-repartition-source (topics: [shop-by-price-repartition])
      --> sold
    Processor: sold (stores: [sold])
      --> updates-7
      <-- by-price-repartition-source
    Processor: updates-7 (stores: [])
      --> lake
      <-- sold
    Processor: lake (stores: [])
      --> none
      <-- updates-7

  Sub-topology: 2 for global store (will not generate tasks)
    Source: customer-names-source (topics: [customers])
      --> customer-names
    Processor: customer-names (stores: [customer-names])
      --> none
      <-- customer-names-source
";
    assert_eq!(topology().describe(), expected);
}

#[test]
fn mermaid_shows_topics_stores_and_sinks() {
    let expected = r#"flowchart TD
  subgraph s0["Sub-topology 0"]
    s0n0["orders"]
    s0n1["order-rules"]
    s0n2["with-name"]
    s0n3["to-receipts"]
    s0n4["group_by-4"]
    s0n5["by-price-repartition"]
  end
  subgraph s1["Sub-topology 1"]
    s1n5["by-price-repartition"]
    s1n6["sold"]
    s1n7["updates-7"]
    s1n8["lake"]
  end
  orders(["orders"]) --> s0n0
  s0n0 --> s0n1
  s0n1 --> s0n2
  global_customer-names[("customer-names")] -.- s0n2
  s0n2 --> s0n3
  s0n3 --> receipts(["receipts"])
  s0n1 --> s0n4
  s0n4 --> s0n5
  s0n5 --> shop-by-price-repartition(["shop-by-price-repartition"])
  shop-by-price-repartition(["shop-by-price-repartition"]) --> s1n5
  s1n5 --> s1n6
  s1n6 -.- store_sold[("sold")]
  s1n6 --> s1n7
  s1n7 --> s1n8
  s1n8 --> sink_sold[/"memory sold"/]
  customers(["customers"]) --> global_customer-names[("customer-names")]
"#;
    assert_eq!(topology().plan().mermaid(), expected);
}

#[test]
fn the_same_program_gives_the_identical_plan() {
    let (one, two) = (topology(), topology());
    assert_eq!(one.plan().to_json(), two.plan().to_json());
    assert_eq!(one.plan(), two.plan());
}

#[test]
fn json_holds_the_whole_plan() {
    let topology = topology();
    let read: headwater::dsl::Plan = serde_json::from_str(&topology.plan().to_json()).unwrap();
    assert_eq!(&read, topology.plan());
    let json: serde_json::Value = serde_json::from_str(&topology.plan().to_json()).unwrap();
    let rule = &json["nodes"][1]["rules"][0];
    assert_eq!(
        (rule["name"].as_str(), rule["route"].as_str()),
        (Some("plausible"), Some("dead_letter orders.rejected"))
    );
    assert_eq!(json["stores"]["sold"]["changelog"], "shop-sold-changelog");
    assert_eq!(json["nodes"][6]["grace_ms"], 300_000);
}

#[test]
fn another_version_marks_what_it_owns_and_nothing_it_reads() {
    let second = topology().versioned(2);
    let plan = second.plan();
    assert_eq!(plan.app, "shop__v2");
    assert_eq!(plan.stores["sold"].changelog, "shop__v2-sold-changelog");
    assert_eq!(plan.repartition_topics(), ["shop__v2-by-price-repartition"]);
    assert_eq!(plan.output_topics(), ["orders.rejected__v2", "receipts__v2"]);
    assert_eq!(plan.input_topics(), ["customers", "orders"]);
    assert_eq!(second.version(), 2);
    assert_eq!(topology().versioned(1).plan(), topology().plan());
}

#[test]
fn another_version_writes_only_under_its_own_names() {
    let app = StreamsBuilder::new("demo");
    let sink = MemorySink::<String, i64>::new("numbers");
    let numbers = app.stream::<String, i64>("in", Json);
    let rules = Rules::new().rule(range("small", |n: &i64| Some(*n), ..10).dead_letter("rejected"));
    let small = numbers.validate("rules", rules);
    small.to("out", Json);
    small.sink("numbers", sink.clone());
    let mut driver = TopologyTestDriver::new(app.build().unwrap().versioned(2)).unwrap();
    let mut input = driver.input::<String, i64>("in", Json);
    for n in [1, 100] {
        input.pipe(&mut driver, "k".into(), n, 0).unwrap();
    }
    assert_eq!(driver.output::<String, i64>("out__v2", Json).read_values(&mut driver).unwrap(), [1]);
    assert_eq!(driver.output::<String, i64>("rejected__v2", Json).read_values(&mut driver).unwrap(), [100]);
    assert_eq!(sink.rows(), []);
    assert_eq!(sink.rows_of("numbers__v2"), [("k".to_owned(), 1)]);
}

#[test]
fn a_diff_says_what_happens_to_state() {
    let app = StreamsBuilder::new("shop");
    app.stream::<String, i64>("orders", Json).group_by(|_, cents| *cents / 100, "by-price").count("sold-ever");
    let changed = app.build().unwrap();
    let diff = changed.plan().diff(topology().plan());
    assert_eq!(diff.kept, ["topic shop-by-price-repartition"]);
    assert_eq!(diff.added, ["store sold-ever"]);
    assert_eq!(diff.orphaned, ["sink lake", "store sold"]);
    assert!(!diff.is_compatible());
    assert!(topology().plan().diff(topology().plan()).is_compatible());
}

/// Everything with state, with or without a filter put in everywhere.
fn stateful(filtered: bool) -> Topology {
    let app = StreamsBuilder::new("shop");
    let orders = app.stream::<String, i64>("orders", Json);
    let orders = if filtered { orders.filter(|_, _| true) } else { orders };
    let prices = app.table::<String, i64>("prices", Json, "latest-prices");
    let prices = if filtered { prices.filter(|_, _| true) } else { prices };
    prices.group_by(|_, price| (price / 100, price), "by-price-class").count("price-classes");
    let moved = orders.select_key(|_, cents| format!("{}", cents % 10));
    let moved = if filtered { moved.filter(|_, _| true) } else { moved };
    moved.join_table(&prices, |cents, price| cents + price, "with-price").to("priced", Json);
    let counts = moved.group_by_key("by-digit").windowed_by(Tumbling::of(hours(1)).no_grace()).count("hourly");
    let counts = if filtered { counts.filter(|_, _| true) } else { counts };
    counts.suppress_until_closed("hourly-final").updates().map(|window, n| (window.key, n)).to("hourly-out", Json);
    app.build().unwrap()
}

#[test]
fn an_inserted_filter_moves_no_state_and_no_topic() {
    let (before, after) = (stateful(false), stateful(true));
    assert!(after.plan().nodes.len() > before.plan().nodes.len());
    let diff = after.plan().diff(before.plan());
    assert!(diff.is_compatible() && diff.added.is_empty(), "{diff:?}");
    assert_eq!(diff.kept.len(), before.plan().stores.len() + before.plan().repartition_topics().len());
    assert_eq!(after.plan().stores, before.plan().stores);
    assert_eq!(after.plan().repartition_topics(), before.plan().repartition_topics());
    assert_eq!(after.plan().output_topics(), before.plan().output_topics());
    let parts =
        |topology: &Topology| topology.plan().subtopologies.iter().map(|p| p.stores.clone()).collect::<Vec<_>>();
    assert_eq!(parts(&after), parts(&before));
}

#[test]
fn a_diff_names_stores_whose_rows_would_be_misread_or_lost() {
    let build = |size: i64, store: Materialized<String, i64>, partitions: i32| {
        let app = StreamsBuilder::new("shop");
        app.stream::<String, i64>("orders", Json)
            .repartition(Repartitioned::named("spread").partitions(partitions))
            .group_by_key("by-key")
            .windowed_by(Tumbling::of(size).no_grace())
            .count(store);
        app.build().unwrap()
    };
    let old = build(1000, Materialized::named("counts"), 4);
    let changed = |new: &Topology| new.plan().diff(old.plan()).changed;
    let new = build(2000, Materialized::named("counts"), 4);
    assert!(
        changed(&new)[0].contains("size_ms 1000") && changed(&new)[0].contains("size_ms 2000"),
        "{:?}",
        changed(&new)
    );
    assert_eq!(changed(&build(1000, Materialized::named("counts").without_changelog(), 4)).len(), 1);
    assert_eq!(changed(&build(1000, Materialized::named("counts"), 8)).len(), 1);
    assert_eq!(changed(&build(1000, Materialized::named("counts").in_memory(), 4)), Vec::<String>::new());
}

#[test]
fn grouping_by_an_unchanged_key_needs_no_topic_and_one_topic_is_enough_for_a_changed_one() {
    let app = StreamsBuilder::new("demo");
    let stream = app.stream::<String, i64>("in", Json);
    stream.filter(|_, n| *n > 0).map_values(|n| n + 1).group_by_key("same").count("same-counts");
    let moved = stream.select_key(|_, n| *n).repartition("moved");
    moved.map_values(|n| n + 1).group_by_key("after").count("after-counts");
    let topology = app.build().unwrap();
    assert_eq!(topology.plan().repartition_topics(), ["demo-moved-repartition"]);
}
