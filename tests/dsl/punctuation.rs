//! Timers of processors: when they fire, with what time, and in what order.

use std::sync::{Arc, Mutex};

use headwater::prelude::*;

type Cx<'a> = ProcessorContext<'a, String, String>;

/// A timer that a test schedules: name, by which time, every how many milliseconds, from where.
type Plan = (&'static str, Punctuation, i64, Option<Timestamp>);
/// What fired: name and now.
type Heard = Arc<Mutex<Vec<(&'static str, Timestamp)>>>;

use Punctuation::{StreamTime, WallClock};

struct Ticks {
    plan: Vec<Plan>,
    timers: Vec<(Timer, &'static str)>,
    heard: Heard,
}

impl Ticks {
    fn schedule(&mut self, cx: &Cx<'_>, (name, by, every, start): Plan) -> UserResult<()> {
        let timer = match start {
            None => cx.schedule(every, by)?,
            Some(start) => cx.schedule_from(start, every, by)?,
        };
        self.timers.push((timer, name));
        Ok(())
    }
}

impl Processor<String, String> for Ticks {
    type KeyOut = String;
    type ValueOut = String;

    fn init(&mut self, cx: &mut Cx<'_>) -> UserResult<()> {
        for plan in self.plan.clone() {
            self.schedule(cx, plan)?;
        }
        Ok(())
    }

    /// Values are orders: `cancel NAME`, `once` (schedule a stream timer now), anything else is passed on.
    fn process(&mut self, cx: &mut Cx<'_>, record: Record<'_, String, String>) -> UserResult<()> {
        if let Some(name) = record.value.strip_prefix("cancel ") {
            for (timer, _) in self.timers.iter().filter(|(_, known)| *known == name) {
                cx.cancel(*timer);
                cx.cancel(*timer);
            }
            return Ok(());
        }
        if record.value == "once" {
            self.schedule(cx, ("once", StreamTime, 100, None))?;
        }
        Ok(cx.forward(record)?)
    }

    fn punctuate(&mut self, cx: &mut Cx<'_>, timer: Timer, now: Timestamp) -> UserResult<()> {
        assert_eq!(cx.record_metadata(), None);
        let name = self.timers.iter().find(|(known, _)| *known == timer).map(|(_, name)| *name).unwrap();
        self.heard.lock().unwrap().push((name, now));
        if name == "once" {
            cx.cancel(timer);
        }
        if name == "fails" && now >= 20 {
            return Err("the timer failed".into());
        }
        Ok(cx.forward(Record::new("timer".into(), format!("{name} at {now}"), now))?)
    }
}

fn driver(plan: &[Plan]) -> (TopologyTestDriver, Heard) {
    let (plan, heard) = (plan.to_vec(), Heard::default());
    let app = StreamsBuilder::new("demo");
    let told = heard.clone();
    app.stream::<String, String>("in", Text)
        .process("ticks", (), move |()| Ticks { plan: plan.clone(), timers: Vec::new(), heard: told.clone() })
        .to("out", Text);
    (TopologyTestDriver::new(app.build().unwrap()).unwrap(), heard)
}

fn pipe(driver: &mut TopologyTestDriver, value: &str, time: Timestamp) -> headwater::Result<()> {
    driver.input::<String, String>("in", Text).pipe(driver, "k".into(), value.into(), time)
}

fn out(driver: &mut TopologyTestDriver) -> Vec<String> {
    driver.output::<String, String>("out", Text).read_values(driver).unwrap()
}

#[test]
fn a_stream_timer_first_fires_after_the_first_record_and_then_on_multiples_of_its_interval() {
    let (mut driver, heard) = driver(&[("t", StreamTime, 100, None)]);
    driver.advance_wall_clock(10_000).unwrap();
    assert_eq!(heard.lock().unwrap().len(), 0);
    for time in [37, 99, 100, 150, 199, 200, 1] {
        pipe(&mut driver, "r", time).unwrap();
    }
    assert_eq!(*heard.lock().unwrap(), [("t", 37), ("t", 100), ("t", 200)]);
}

#[test]
fn a_timer_fires_after_the_record_that_made_it_due_and_forwards_at_its_time() {
    let (mut driver, _) = driver(&[("t", StreamTime, 100, None)]);
    pipe(&mut driver, "a", 5).unwrap();
    pipe(&mut driver, "b", 120).unwrap();
    let records = driver.output::<String, String>("out", Text).read(&mut driver).unwrap();
    let seen: Vec<_> = records.iter().map(|r| (r.value.as_str(), r.timestamp)).collect();
    assert_eq!(seen, [("a", 5), ("t at 5", 5), ("b", 120), ("t at 120", 120)]);
}

#[test]
fn however_large_the_gap_a_timer_fires_once_and_stays_aligned() {
    let (mut driver, heard) = driver(&[("t", StreamTime, 100, None), ("w", WallClock, 30, None)]);
    for time in [0, 1_050, 1_099, 1_100] {
        pipe(&mut driver, "r", time).unwrap();
    }
    assert_eq!(*heard.lock().unwrap(), [("t", 0), ("t", 1_050), ("t", 1_100)]);
    heard.lock().unwrap().clear();
    for by in [29, 1, 100, 19, 1] {
        driver.advance_wall_clock(by).unwrap();
    }
    assert_eq!(*heard.lock().unwrap(), [("w", 30), ("w", 130), ("w", 150)]);
}

#[test]
fn a_wall_clock_timer_first_fires_after_one_interval_without_any_record() {
    let (driver, heard) = driver(&[("w", WallClock, 30, None)]);
    let mut driver = driver.with_wall_clock(1_000).unwrap();
    for by in [29, 1, 29, 1] {
        driver.advance_wall_clock(by).unwrap();
    }
    assert_eq!(*heard.lock().unwrap(), [("w", 1_030), ("w", 1_060)]);
    assert_eq!(out(&mut driver), ["w at 1030", "w at 1060"]);
}

#[test]
fn of_several_timers_the_one_that_was_due_first_fires_first() {
    let (mut driver, heard) =
        driver(&[("slow", StreamTime, 70, None), ("quick", StreamTime, 20, None), ("late", StreamTime, 50, Some(15))]);
    pipe(&mut driver, "r", 10).unwrap();
    pipe(&mut driver, "r", 200).unwrap();
    // Due were: late at 15, quick at 20, slow at 70.
    let expected = [("slow", 10), ("quick", 10), ("late", 200), ("quick", 200), ("slow", 200)];
    assert_eq!(*heard.lock().unwrap(), expected);
}

#[test]
fn an_anchored_timer_keeps_its_anchor_and_skips_what_has_passed() {
    let (driver, heard) = driver(&[("past", WallClock, 100, Some(30)), ("future", WallClock, 100, Some(1_060))]);
    let mut driver = driver.with_wall_clock(1_000).unwrap();
    for by in [30, 30, 70, 30] {
        driver.advance_wall_clock(by).unwrap();
    }
    let expected = [("past", 1_030), ("future", 1_060), ("past", 1_130), ("future", 1_160)];
    assert_eq!(*heard.lock().unwrap(), expected);
}

#[test]
fn a_cancelled_timer_fires_no_more_also_when_it_cancels_itself() {
    let (mut driver, heard) = driver(&[("t", StreamTime, 10, None)]);
    pipe(&mut driver, "r", 0).unwrap();
    pipe(&mut driver, "once", 10).unwrap();
    pipe(&mut driver, "cancel t", 15).unwrap();
    pipe(&mut driver, "r", 1_000).unwrap();
    // A stream timer scheduled in mid-stream is due at once, as its ticks began at 0: longest due, it goes first.
    assert_eq!(*heard.lock().unwrap(), [("t", 0), ("once", 10), ("t", 10)]);
}

#[test]
fn timers_are_scheduled_again_when_a_task_starts_again() {
    let (driver, heard) = driver(&[("t", StreamTime, 100, None), ("w", WallClock, 30, None)]);
    let mut driver = driver.stepping();
    let task = driver.tasks()[0];
    pipe(&mut driver, "r", 50).unwrap();
    pipe(&mut driver, "r", 60).unwrap();
    assert!(driver.step(task).unwrap());
    driver.commit_task(task).unwrap();
    driver.advance_wall_clock(20).unwrap();
    driver.restart_task(task).unwrap();
    driver.advance_wall_clock(29).unwrap();
    driver.advance_wall_clock(1).unwrap();
    assert!(driver.step(task).unwrap());
    pipe(&mut driver, "r", 100).unwrap();
    assert!(driver.step(task).unwrap());
    // The stream timer's tick of 0 came before the restart, and does not come again.
    assert_eq!(*heard.lock().unwrap(), [("t", 50), ("w", 50), ("t", 100)]);
}

#[test]
fn a_failing_timer_names_its_step_and_nothing_of_it_is_seen() {
    let (mut driver, _) = driver(&[("fails", StreamTime, 10, None)]);
    pipe(&mut driver, "a", 5).unwrap();
    let error = pipe(&mut driver, "b", 20).unwrap_err();
    assert_eq!((error.code(), error.context().node.as_deref()), ("HW0221", Some("ticks")));
    assert_eq!(out(&mut driver), ["a", "fails at 5"]);
}

#[test]
fn an_interval_below_a_millisecond_is_a_named_error() {
    let app = StreamsBuilder::new("demo");
    let ticks = || Ticks { plan: vec![("t", WallClock, 0, None)], timers: Vec::new(), heard: Heard::default() };
    app.stream::<String, String>("in", Text).process("ticks", (), move |()| ticks()).to("out", Text);
    let error = TopologyTestDriver::new(app.build().unwrap()).unwrap_err();
    assert_eq!((error.code(), error.context().node.as_deref()), ("HW0242", Some("ticks")));
}

#[test]
fn timers_go_by_the_stream_time_of_their_own_task() {
    let (driver, heard) = driver(&[("t", StreamTime, 100, None)]);
    let mut driver = driver.with_partitions(2).unwrap();
    let mut send = |partition, time| {
        let mut input = driver.input::<String, String>("in", Text).to_partition(partition);
        input.pipe(&mut driver, "k".into(), "r".into(), time).unwrap();
    };
    send(0, 1_000);
    send(1, 10);
    send(1, 20);
    send(0, 1_050);
    send(1, 120);
    assert_eq!(*heard.lock().unwrap(), [("t", 1_000), ("t", 10), ("t", 120)]);
}

#[test]
fn no_timer_fires_after_the_end_of_a_bounded_run_and_the_next_run_starts_them_anew() {
    let (mut driver, heard) = driver(&[("w", WallClock, 10, None)]);
    pipe(&mut driver, "r", 0).unwrap();
    driver.end_of_input().unwrap();
    driver.advance_wall_clock(50).unwrap();
    assert_eq!(heard.lock().unwrap().len(), 0);
    pipe(&mut driver, "r", 1).unwrap();
    driver.advance_wall_clock(10).unwrap();
    assert_eq!(*heard.lock().unwrap(), [("w", 60)]);
}

/// Where timers of stream time fire depends on the records alone, so a restart must not bring a tick again.
#[test]
fn ticks_that_passed_before_a_restart_do_not_come_again() {
    let plan = [("aligned", StreamTime, 100, None), ("from-149", StreamTime, 100, Some(149))];
    let (mut driver, heard) = driver(&plan);
    let mut input = driver.input::<String, String>("in", Text);
    input.pipe(&mut driver, "k".into(), "first".into(), 149).unwrap();
    for task in driver.tasks() {
        driver.restart_task(task).unwrap();
    }
    for time in [149, 180, 200, 249] {
        input.pipe(&mut driver, "k".into(), "next".into(), time).unwrap();
    }
    assert_eq!(*heard.lock().unwrap(), [("aligned", 149), ("from-149", 149), ("aligned", 200), ("from-149", 249)]);
}
