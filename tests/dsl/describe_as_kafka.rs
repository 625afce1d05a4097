//! `describe_as_kafka` is what Kafka Streams 4.3.1 prints for the same topology; `kafka_texts/` holds its output.

use headwater::prelude::*;

fn check(name: &str, build: impl FnOnce(&StreamsBuilder)) {
    let app = StreamsBuilder::new("app");
    build(&app);
    let ours = app.build().unwrap().plan().describe_as_kafka();
    let path = format!("{}/tests/dsl/kafka_texts/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let kafkas = std::fs::read_to_string(&path).unwrap();
    assert_eq!(ours, kafkas, "{name}: ours is the first");
}

fn stream(app: &StreamsBuilder, topic: &str) -> KStream<String, String> {
    app.stream(topic, Text)
}

#[test]
fn stateless_steps_merges_and_branches() {
    check("stateless", |app| {
        stream(app, "in")
            .filter(|_, _| true)
            .map_values(|v| v)
            .peek(|_, _| {})
            .flat_map_values(|v| [v])
            .map(|k, v| (k, v))
            .flat_map(|k, v| [(k, v)])
            .filter_not(|_, _| true)
            .select_key(|k, _| k.clone())
            .to("out", Text);
    });
    check("foreach-merge", |app| {
        let merged = stream(app, "a").merge(&stream(app, "b"));
        merged.for_each(|_, _| {});
        merged.to("out", Text);
    });
    check("split", |app| {
        let split = stream(app, "in").split();
        split.branch(|_, _| true).to("o1", Text);
        split.branch(|_, _| true).map_values(|v| v).to("o2", Text);
        split.default_branch().to("o3", Text);
    });
    check("repartition", |app| stream(app, "in").repartition("rep").to("out", Text));
}

#[test]
fn aggregations() {
    check("count-by-key", |app| {
        stream(app, "in").group_by_key("by-key").count("counts").to_stream().to("out", Json);
    });
    check("count-by", |app| {
        stream(app, "in").group_by(|_, v| v.clone(), "by-value").count("counts").to_stream().to("out", Json);
    });
    check("reduce-map", |app| {
        let reduced = stream(app, "in").map(|k, v| (v, k)).group_by_key("g").reduce("r", |_, v| v);
        reduced.to_stream().map_values(|v| v).to("out", Json);
    });
    check("aggregate-two", |app| {
        let keyed = stream(app, "in").select_key(|_, v| v.clone());
        keyed.group_by_key("g1").count("c1");
        keyed.group_by_key("g2").aggregate("c2", String::new, |_, _, _| {});
    });
    for (name, windows) in [
        ("tumbling", Tumbling::of(minutes(1)).grace(seconds(5))),
        ("tumbling-close", Tumbling::of(minutes(1)).grace(seconds(5)).emit_on_close()),
    ] {
        check(name, |app| {
            let counts = stream(app, "in").group_by_key("g").windowed_by(windows).count("w");
            counts.to_stream().map(|window, n| (window.key, n)).to("out", Json);
        });
    }
}

#[test]
fn tables() {
    let table = |app: &StreamsBuilder| app.table::<String, String>("in", Text, Materialized::named("t"));
    check("table", |app| table(app).to_stream().to("out", Json));
    check("table-filter", |app| {
        table(app).filter(|_, _| true).map_values(|_, v| v).to_stream().to("out", Json);
    });
    check("table-filter-store", |app| {
        table(app).filter(|_, _| true).materialize("f").filter_not(|_, _| true).to_stream().to("out", Json);
    });
    check("to-table", |app| {
        app.stream::<String, Option<String>>("in", Text).to_table("unused", "t").to_stream().to("out", Json);
    });
    check("to-table-rekeyed", |app| {
        let keyed = app.stream::<String, Option<String>>("in", Text).select_key(|k, _| k.clone());
        keyed.repartition("rr").to_table("unused", "t").to_stream().to("out", Json);
    });
}

#[test]
fn grouped_and_suppressed_tables() {
    check("table-group-by", |app| {
        let table = app.table::<String, String>("a", Text, "ta");
        table.group_by(|k, v| (v, k.clone()), "g").count("c").to_stream().to("out", Json);
    });
    check("suppress", |app| {
        let windows = Tumbling::of(minutes(1)).grace(seconds(5));
        let counts = stream(app, "in").group_by_key("g").windowed_by(windows).count("w");
        counts.suppress_until_closed("sup").to_stream().map(|window, n| (window.key, n)).to("out", Json);
    });
}

#[test]
fn joins_with_tables() {
    let table = |app: &StreamsBuilder| app.table::<String, String>("tt", Text, Materialized::named("t"));
    check("stream-table", |app| {
        let table = table(app);
        stream(app, "in").join_table(&table, |v, _| v, "j").to("out", Text);
    });
    check("stream-table-rekeyed", |app| {
        let table = table(app);
        let keyed = stream(app, "in").select_key(|_, v| v.clone());
        keyed.left_join_table(&table, |v, _| v, "j").to("out", Text);
    });
    check("global", |app| {
        let table = app.global_table::<String, String>("gg", Text, "g");
        stream(app, "in").join_global(&table, |k, _| k.clone(), |v, _| v).to("out", Text);
    });
    check("global-left", |app| {
        let table = app.global_table::<String, String>("gg", Text, "g");
        stream(app, "in").left_join_global(&table, |k, _| k.clone(), |v, _| v).to("out", Text);
    });
}

#[test]
fn sessions_and_sliding_windows() {
    check("session", |app| {
        let sessions = Session::with_gap(minutes(1)).grace(seconds(5));
        let counts = stream(app, "in").group_by_key("g").windowed_by(sessions).count("w");
        counts.to_stream().map(|window, n| (window.key, n)).to("out", Json);
    });
    check("session-reduce-rekeyed", |app| {
        let sessions = Session::with_gap(minutes(1)).grace(seconds(5));
        let grouped = stream(app, "in").group_by(|_, v| v.clone(), "g").windowed_by(sessions);
        grouped.reduce("w", |_, v| v).to_stream().map(|window, v| (window.key, v)).to("out", Json);
    });
    check("sliding", |app| {
        let windows = Sliding::of(minutes(1)).grace(seconds(5));
        let counts = stream(app, "in").group_by_key("g").windowed_by(windows).count("w");
        counts.to_stream().map(|window, n| (window.key, n)).to("out", Json);
    });
}

#[test]
fn joins_of_streams() {
    let within = JoinWindows::of(minutes(1)).grace(seconds(5));
    check("stream-stream", |app| {
        let (a, b) = (stream(app, "a"), stream(app, "b"));
        a.join_stream(&b, |v, _| v, within, "j").to("out", Text);
    });
    check("stream-stream-left", |app| {
        let (a, b) = (stream(app, "a"), stream(app, "b"));
        a.left_join_stream(&b, |v, _| v, within, "j").to("out", Text);
    });
    check("stream-stream-outer", |app| {
        let a = stream(app, "a").select_key(|_, v| v.clone());
        let b = stream(app, "b");
        a.outer_join_stream(&b, |v, _| v, within, "j").to("out", Json);
    });
}

#[test]
fn joins_of_tables() {
    let tables = |app: &StreamsBuilder| {
        (app.table::<String, String>("a", Text, "ta"), app.table::<String, String>("b", Text, "tb"))
    };
    check("table-table", |app| {
        let (a, b) = tables(app);
        a.join(&b, |v, _| v).to_stream().to("out", Json);
    });
    check("table-table-left-store", |app| {
        let (a, b) = tables(app);
        a.left_join(&b, |v, _| v).materialize("jj").to_stream().to("out", Json);
    });
    check("table-table-outer", |app| {
        let a = app.table::<String, String>("a", Text, "ta").filter(|_, _| true);
        let b = app.table::<String, String>("b", Text, "tb");
        a.outer_join(&b, |v, _| v).to_stream().to("out", Json);
    });
    check("fk", |app| {
        let (a, b) = tables(app);
        a.join_on_foreign_key(&b, |_, v| Some(v.clone()), |v, _| v, "fk", "r").to_stream().to("out", Json);
    });
}

#[test]
fn cogroups() {
    let grouped = |app: &StreamsBuilder| {
        let a = stream(app, "a").group_by_key("ga");
        a.cogroup(|_, v, all: &mut String| all.push_str(&v))
    };
    check("cogroup", |app| {
        let cogroup = grouped(app).cogroup(stream(app, "b").group_by_key("gb"), |_, _, _| {});
        cogroup.aggregate("c", String::new).to_stream().to("out", Json);
    });
    check("cogroup-windowed", |app| {
        let (a, b) = (stream(app, "a").group_by_key("ga"), stream(app, "b").group_by(|_, v| v.clone(), "gb"));
        let cogroup = a.cogroup(|_, v, all: &mut String| all.push_str(&v)).cogroup(b, |_, _, _| {});
        let windowed = cogroup.windowed_by(Tumbling::of(minutes(1)).grace(seconds(5))).aggregate("c", String::new);
        windowed.to_stream().map(|window, v| (window.key, v)).to("out", Json);
    });
}
