//! On the embedded log.

use super::program::{Flights, Moments, text};

#[test]
fn the_lake_equals_a_recomputation_and_replays_compare() {
    let dir = tempfile::tempdir().unwrap();
    let flights = Flights::in_dir(dir.path());
    let report = flights.succeed(&["demo", "--threads", "2"]);
    assert!(report.contains("2,512"), "the rejected flights are counted: {report}");
    flights.verify("");

    let again = flights.succeed(&["demo"]);
    assert!(again.contains("nothing to do"), "a complete demo says so: {again}");
    flights.verify("");

    flights.succeed(&["replay", "--version", "2"]);
    flights.verify("__v2");
    flights.succeed(&["compare", "1", "2"]);

    let changed = flights.command(&["replay", "--version", "3"]).env("FLIGHTS_MIN_DISTANCE_MILES", "100").output();
    assert!(changed.unwrap().status.success());
    let different = flights.verb(&["compare", "1", "3"]);
    let shown = text(&different.stdout);
    assert_eq!(different.status.code(), Some(1), "{shown}");
    assert!(shown.contains("air.flights__v3") && shown.contains("LGA"), "the differing rows are shown: {shown}");
    let missing = flights.verb(&["compare", "1", "9"]);
    assert_eq!(missing.status.code(), Some(2), "{}", text(&missing.stderr));
    flights.verify("");
}

#[test]
fn killed_at_random_moments_it_ends_with_the_same_tables() {
    let mut moments = Moments::new();
    let dir = tempfile::tempdir().unwrap();
    let flights = Flights::in_dir(dir.path());
    // The feed is killed first, then the processing, slowed down so that every kill meets it at work.
    let mut kills = 0;
    for round in 0..26 {
        let moment = if round < 4 { moments.within(20, 700) } else { moments.within(200, 1_500) };
        let threads = if round % 2 == 0 { "1" } else { "2" };
        kills += u32::from(flights.kill_demo_after(moment, &["--rate", "25000", "--threads", threads]));
        if round == 10 || round == 17 {
            std::fs::remove_dir_all(dir.path().join("state")).unwrap();
        }
    }
    assert!(kills >= 20, "only {kills} kills met the demo at work");
    flights.succeed(&["demo"]);
    flights.verify("");
}
