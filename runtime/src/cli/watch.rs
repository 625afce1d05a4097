//! A run and whoever looks on: the progress on stderr, the signals.

use std::{
    io::IsTerminal,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use headwater_core::Result;
use headwater_dsl::Topology;
use headwater_log::Log;
use indicatif::{ProgressBar, ProgressStyle};

use super::{feed::stopped, output::grouped};
use crate::{
    app::{Mode, RunReport, run},
    progress::Progress,
    settings::Settings,
};

/// How often the progress is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often a line is printed where no terminal shows a bar; a run without end says less.
const TELL: Duration = Duration::from_secs(2);
const TELL_LIVE: Duration = Duration::from_secs(30);
const BAR: &str = "{wide_bar} {human_pos} of {human_len} ({percent} %), {per_sec}, ETA {eta}";

/// Runs the topology, shows its progress on stderr, and stops it when `interrupted`.
///
/// # Errors
/// What the run reports; `HW0705` if a bounded run was stopped before its end.
pub(super) fn run_watched(
    topology: &Topology,
    log: &Arc<dyn Log>,
    settings: &Settings,
    mode: Mode,
    interrupted: &Arc<AtomicBool>,
) -> Result<RunReport> {
    let progress = Arc::new(Progress::default());
    let (running, ended) = channel::<()>();
    let watcher = {
        let (progress, interrupted) = (progress.clone(), interrupted.clone());
        thread::spawn(move || look_on(&progress, mode, &interrupted, &ended))
    };
    let result = run(topology, log, settings, mode, &progress);
    drop(running);
    // The watcher only prints; whatever happened to it, the run's result stands.
    let _ = watcher.join();
    let report = result?;
    if mode == Mode::Bounded && interrupted.load(Ordering::SeqCst) {
        return Err(stopped());
    }
    let seconds = report.elapsed.as_secs_f64();
    eprintln!(
        "processed {} records in {seconds:.1} s ({}/s), {} commits",
        grouped(report.processed),
        grouped((report.processed as f64 / seconds.max(0.001)) as u64),
        report.commits
    );
    if let Some((task, skew)) = report.time_skew.iter().max_by_key(|(_, skew)| skew.ms) {
        eprintln!("event time: task {task} had its inputs furthest apart: {skew}");
    }
    eprintln!("buffers: at most {} bytes waited of one input partition", grouped(report.most_waiting_bytes));
    Ok(report)
}

/// Looks at the progress until the run has ended.
fn look_on(progress: &Progress, mode: Mode, interrupted: &AtomicBool, ended: &Receiver<()>) {
    let bar = (mode == Mode::Bounded && std::io::stderr().is_terminal()).then(new_bar);
    let every = if mode == Mode::Bounded { TELL } else { TELL_LIVE };
    let started = Instant::now();
    let mut told = started;
    while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        if interrupted.load(Ordering::SeqCst) {
            progress.stop();
        }
        match &bar {
            Some(bar) => {
                bar.set_length(progress.total());
                bar.set_position(progress.processed());
            }
            None if told.elapsed() >= every => {
                told = Instant::now();
                eprintln!("{}", line(progress.processed(), progress.total(), started.elapsed()));
            }
            None => {}
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

fn new_bar() -> ProgressBar {
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

/// `processed 120000 of 336776 (35 %), 61000/s, ETA 4 s`, or without a known end `processed 120000, 61000/s`.
fn line(processed: u64, total: u64, elapsed: Duration) -> String {
    let rate = processed as f64 / elapsed.as_secs_f64().max(0.001);
    if total == 0 {
        return format!("processed {processed}, {rate:.0}/s");
    }
    let percent = processed * 100 / total;
    let eta = match total.saturating_sub(processed) {
        0 => "closing".to_owned(),
        left if rate > 0.0 => format!("ETA {:.0} s", left as f64 / rate),
        _ => "ETA unknown".to_owned(),
    };
    format!("processed {processed} of {total} ({percent} %), {rate:.0}/s, {eta}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long() {
        let two = Duration::from_secs(2);
        assert_eq!(line(120_000, 360_000, two), "processed 120000 of 360000 (33 %), 60000/s, ETA 4 s");
        assert_eq!(line(0, 360_000, two), "processed 0 of 360000 (0 %), 0/s, ETA unknown");
        assert_eq!(line(5, 5, two), "processed 5 of 5 (100 %), 2/s, closing");
        assert_eq!(line(120_000, 0, two), "processed 120000, 60000/s");
    }
}
