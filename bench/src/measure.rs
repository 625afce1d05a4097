//! CPU time, and rivals in interleaved pairs.

use std::time::Duration;

use crate::Outcome;

/// The kernel's unit in `/proc/self/stat`: 1/100 s on every Linux that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of this thread so far.
///
/// # Errors
/// Where there is no Linux `/proc`.
pub fn thread_cpu() -> Outcome<Duration> {
    let text = read("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// CPU time of this process so far, user and system, threads that have ended included. In steps of 10 ms.
///
/// # Errors
/// Where there is no Linux `/proc`.
pub fn process_cpu() -> Outcome<Duration> {
    let text = read("/proc/self/stat")?;
    // The second field is the program's name in brackets and may hold blanks.
    let after = text.rsplit_once(") ").map(|(_, after)| after).ok_or("/proc/self/stat is cut short")?;
    let mut fields = after.split(' ').skip(11);
    let mut ticks = || -> Outcome<u32> { Ok(fields.next().ok_or("/proc/self/stat is cut short")?.parse()?) };
    Ok(TICK * (ticks()? + ticks()?))
}

fn read(path: &str) -> Outcome<String> {
    Ok(std::fs::read_to_string(path).map_err(|error| format!("CPU time is read from Linux's {path}: {error}"))?)
}

/// The CPU time this thread spends in `work`.
///
/// # Errors
/// What `work` returns.
pub fn on_thread(work: impl FnOnce() -> Outcome<()>) -> Outcome<Duration> {
    let mut work = Some(work);
    let before = thread_cpu()?;
    counted(&mut || work.take().map_or(Ok(()), |work| work()))?;
    Ok(thread_cpu()? - before)
}

/// Between its beginning and its end callgrind counts: it knows this function by its name.
#[inline(never)]
fn counted(work: &mut dyn FnMut() -> Outcome<()>) -> Outcome<()> {
    work()
}

/// The CPU time all threads spend while `work` runs.
///
/// # Errors
/// What `work` returns.
pub fn in_process(work: impl FnOnce() -> Outcome<()>) -> Outcome<Duration> {
    let before = process_cpu()?;
    work()?;
    Ok(process_cpu()? - before)
}

/// Times of two rivals, pair by pair.
#[derive(Debug, Default)]
pub struct Pairs {
    /// Headwater's times in seconds.
    pub ours: Vec<f64>,
    /// The rival's.
    pub rival: Vec<f64>,
}

/// Measures A B A B ..., once more than `pairs`: the first pair only warms up.
///
/// # Errors
/// What the rivals return.
pub fn interleave(
    pairs: usize,
    mut ours: impl FnMut() -> Outcome<Duration>,
    mut rival: impl FnMut() -> Outcome<Duration>,
) -> Outcome<Pairs> {
    ours()?;
    rival()?;
    let mut times = Pairs::default();
    for _ in 0..pairs {
        times.ours.push(ours()?.as_secs_f64());
        times.rival.push(rival()?.as_secs_f64());
    }
    Ok(times)
}

/// The times of `work` in seconds, once more than `times` done: the first only warms up.
///
/// # Errors
/// What `work` returns.
pub fn repeat(times: usize, mut work: impl FnMut() -> Outcome<Duration>) -> Outcome<Vec<f64>> {
    work()?;
    (0..times).map(|_| Ok(work()?.as_secs_f64())).collect()
}

impl Pairs {
    /// How many times the rival's CPU Headwater takes.
    pub fn cost(&self) -> Spread {
        Spread::of(self.ours.iter().zip(&self.rival).map(|(ours, rival)| ours / rival))
    }

    /// Headwater's throughput per CPU second as a part of the rival's.
    pub fn share(&self) -> Spread {
        Spread::of(self.ours.iter().zip(&self.rival).map(|(ours, rival)| rival / ours))
    }
}

/// A median with what it was taken from.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub greatest: f64,
}

impl Spread {
    /// The spread of `values`; not a number if there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
        Self { median: (at(low) + at(high)) / 2.0, least: at(0), greatest: at(values.len().saturating_sub(1)) }
    }

    /// Nanoseconds per record of times in seconds.
    pub fn ns_per_record(seconds: &[f64], records: usize) -> Self {
        Self::of(seconds.iter().map(|time| time * 1e9 / records as f64))
    }

    /// Millions of records per second of times in seconds.
    pub fn millions_per_second(seconds: &[f64], records: usize) -> Self {
        Self::of(seconds.iter().map(|time| records as f64 / time / 1e6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_of_an_even_number_lies_between_the_middle_two() {
        let spread = Spread::of([4.0, 1.0, 2.0, 9.0]);
        assert_eq!(spread, Spread { median: 3.0, least: 1.0, greatest: 9.0 });
        assert_eq!(Spread::of([5.0, 1.0, 2.0]).median, 2.0);
    }

    #[test]
    fn work_shows_in_the_cpu_time_of_thread_and_process() {
        let spin = || {
            let until = std::time::Instant::now() + Duration::from_secs(20);
            let (thread, process) = (thread_cpu()?, process_cpu()?);
            while thread_cpu()? - thread < Duration::from_millis(50) || process_cpu()? - process < 2 * TICK {
                assert!(std::time::Instant::now() < until, "no CPU time was seen");
            }
            Ok(())
        };
        assert!(on_thread(spin).unwrap() >= Duration::from_millis(50));
    }
}
