//! Tables joined by their keys.

use headwater::{prelude::*, testing::TestInput};

type Out = (Option<String>, i64);

struct Joined {
    driver: TopologyTestDriver,
    left: TestInput<String, Option<String>>,
    right: TestInput<String, Option<String>>,
}

fn text(value: Option<String>) -> String {
    value.unwrap_or_else(|| "-".to_owned())
}

fn store(name: &str, cached: bool) -> Materialized<String, String> {
    let store = Materialized::with(name, Text, Text);
    if cached { store } else { store.uncached() }
}

impl Joined {
    fn new(
        cached: bool,
        join: impl Fn(&KTable<String, String>, &KTable<String, String>) -> KTable<String, String>,
    ) -> Self {
        let app = StreamsBuilder::new("demo");
        let left = app.table::<String, String>("left", Text, store("lefts", cached));
        let right = app.table::<String, String>("right", Text, store("rights", cached));
        join(&left, &right).to_stream().to("out", Text);
        let driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
        let (left, right) = (driver.input("left", Text), driver.input("right", Text));
        Self { driver, left, right }
    }

    fn left(&mut self, value: Option<&str>, time: i64) -> Vec<Out> {
        self.left.pipe(&mut self.driver, "k".into(), value.map(str::to_owned), time).unwrap();
        self.out()
    }

    fn right(&mut self, value: Option<&str>, time: i64) -> Vec<Out> {
        self.right.pipe(&mut self.driver, "k".into(), value.map(str::to_owned), time).unwrap();
        self.out()
    }

    fn out(&mut self) -> Vec<Out> {
        let out = self.driver.output::<String, Option<String>>("out", Text).read(&mut self.driver).unwrap();
        out.into_iter().map(|record| (record.value, record.timestamp)).collect()
    }
}

fn row(value: &str, time: i64) -> Vec<Out> {
    vec![(Some(value.to_owned()), time)]
}

fn gone(time: i64) -> Vec<Out> {
    vec![(None, time)]
}

#[test]
fn an_inner_join_has_a_row_while_both_tables_have_one_with_the_later_time() {
    for cached in [true, false] {
        let mut joined = Joined::new(cached, |left, right| left.join(right, |l, r| l + &r));
        assert_eq!(joined.left(Some("a"), 5), []);
        assert_eq!(joined.right(Some("x"), 3), row("ax", 5));
        assert_eq!(joined.right(Some("y"), 4), row("ay", 5));
        assert_eq!(joined.left(Some("b"), 7), row("by", 7));
        assert_eq!(joined.right(None, 6), gone(7));
        assert_eq!(joined.left(None, 8), [], "there was nothing to delete");
        assert_eq!(joined.right(Some("z"), 9), []);
    }
}

#[test]
fn an_inner_join_of_uncached_tables_repeats_a_deletion_as_kafka_streams_does() {
    let mut joined = Joined::new(false, |left, right| left.join(right, |l, r| l + &r));
    joined.right(Some("x"), 3);
    assert_eq!(joined.left(None, 5), gone(5));
    assert_eq!(joined.left(None, 2), gone(3));
}

#[test]
fn a_left_join_keeps_every_left_row() {
    for cached in [true, false] {
        let mut joined = Joined::new(cached, |left, right| left.left_join(right, |l, r| l + &text(r)));
        assert_eq!(joined.right(Some("x"), 9), [], "no left row, no result");
        assert_eq!(joined.right(None, 9), []);
        assert_eq!(joined.left(Some("a"), 1), row("a-", 1));
        assert_eq!(joined.right(Some("y"), 2), row("ay", 2));
        assert_eq!(joined.right(None, 3), row("a-", 3));
        assert_eq!(joined.left(None, 4), gone(4));
        assert_eq!(joined.left(None, 5), [], "neither row was there");
    }
}

#[test]
fn an_outer_join_has_a_row_while_one_table_has_one() {
    for cached in [true, false] {
        let mut joined = Joined::new(cached, |left, right| left.outer_join(right, |l, r| text(l) + &text(r)));
        assert_eq!(joined.right(Some("x"), 2), row("-x", 2));
        assert_eq!(joined.left(Some("a"), 1), row("ax", 2));
        assert_eq!(joined.right(None, 3), row("a-", 3));
        assert_eq!(joined.left(None, 4), gone(4));
        assert_eq!(joined.left(None, 5), []);
    }
}

#[test]
fn two_tables_that_hold_back_changes_send_theirs_one_after_the_other_at_the_commit() {
    let mut joined = Joined::new(true, |left, right| left.join(right, |l, r| l + &r));
    joined.driver = joined.driver.without_auto_commit();
    joined.right(Some("x"), 9);
    joined.left(Some("a"), 1);
    assert_eq!(joined.left(Some("b"), 4), []);
    joined.driver.commit().unwrap();
    assert_eq!(joined.out(), [row("bx", 9), row("bx", 9)].concat());
}

type JoinWithItself = fn(&KTable<String, String>) -> KTable<String, String>;

#[test]
fn a_table_joined_with_itself_sends_each_change_once_and_a_deletion_too() {
    let join: [JoinWithItself; 3] = [
        |table| table.join(table, |l, r| l + &r),
        |table| table.left_join(table, |l, r| l + &text(r)),
        |table| table.outer_join(table, |l, r| text(l) + &text(r)),
    ];
    for join in join {
        for cached in [true, false] {
            let mut joined = Joined::new(cached, |left, _| join(left));
            assert_eq!(joined.left(Some("a"), 1), row("aa", 1));
            assert_eq!(joined.left(Some("b"), 2), row("bb", 2));
            assert_eq!(joined.left(None, 3), gone(3));
            assert_eq!(joined.left(None, 4), []);
        }
    }
}

#[test]
fn what_is_below_a_join_gets_its_old_values_and_can_look_its_rows_up() {
    for cached in [true, false] {
        let mut joined = Joined::new(cached, |left, right| {
            let both = left.outer_join(right, |l, r| text(l) + &text(r));
            let without_ax = both.filter(|_, value| value != "ax").materialize(store("kept", cached));
            without_ax.join(&both, |kept, looked_up| format!("{kept}={looked_up}"))
        });
        assert_eq!(joined.left(Some("a"), 1).last(), row("a-=a-", 1).last());
        assert_eq!(joined.right(Some("x"), 2).last(), gone(2).last(), "the filter deletes it");
        assert_eq!(joined.right(Some("y"), 3).last(), row("ay=ay", 3).last());
        assert_eq!(joined.driver.store::<String, String>(store("kept", cached)).unwrap().all().unwrap().len(), 1);
    }
}

#[test]
fn a_join_carries_the_headers_of_the_change_that_caused_it() {
    let mut joined = Joined::new(true, |left, right| left.join(right, |l, r| l + &r));
    joined.left(Some("a"), 1);
    let mut headers = Headers::new();
    headers.push_text("who", "right");
    joined.right.pipe_with_headers(&mut joined.driver, "k".into(), Some("x".into()), 2, headers.clone()).unwrap();
    let out = joined.driver.output::<String, String>("out", Text).read(&mut joined.driver).unwrap();
    assert_eq!(out[0].headers, headers);
}

#[test]
fn tables_of_different_partition_counts_are_refused() {
    let app = StreamsBuilder::new("demo");
    let left = app.table::<String, String>("left", Text, "lefts");
    let right = app.table::<String, String>("right", Text, "rights");
    left.join(&right, |l, r| l + &r).to_stream().to("out", Text);
    let driver = TopologyTestDriver::new(app.build().unwrap()).unwrap();
    assert_eq!(driver.with_topic_partitions("right", 2).unwrap_err().code(), "HW0111");
}

#[test]
fn tables_of_two_builders_are_refused() {
    let (app, other) = (StreamsBuilder::new("demo"), StreamsBuilder::new("other"));
    let left = app.table::<String, String>("left", Text, "lefts");
    left.join(&other.table::<String, String>("right", Text, "rights"), |l, r| l + &r);
    assert!(app.build().unwrap_err().0.iter().any(|mistake| mistake.code == "HW0114"));
}
