//! Records at which the program panics go to the dead letters; everything else counts once.

use headwater::{prelude::*, runtime::Settings};

use super::common::*;

/// Panics at every reading that ends in 77.
fn topology(on_failure: OnFailure) -> Topology {
    let app = StreamsBuilder::new("rooms");
    app.on_failure(on_failure);
    rooms(&app, |n| {
        assert_ne!(n % 100, 77, "unlucky");
        n
    });
    app.build().unwrap()
}

#[test]
fn records_at_which_the_program_panics_are_dead_letters_and_all_others_count_once() {
    let readings = readings(5_000);
    let unlucky = readings.iter().filter(|(_, n, _)| n % 100 == 77).count();
    assert!(unlucky > 20, "{unlucky}");
    let good: Vec<_> = readings.iter().filter(|(_, n, _)| n % 100 != 77).cloned().collect();
    for threads in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let log = open_log(dir.path());
        feed(&*log, &readings);
        let settings = Settings { create_output_topics: true, ..settings(dir.path(), threads) };
        let report = run_bounded(&topology(OnFailure::DeadLetter("failed".into())), &log, &settings);
        assert_eq!(results(&*log, "hourly-sums"), expected(&good));
        assert_eq!(count(&*log, "failed"), unlucky);
        assert_eq!(report.counters.get("failed:readings"), Some(&(unlucky as i64)));
    }
}
