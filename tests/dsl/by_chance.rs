//! Running a driver's tasks in an order chosen by chance, for tests of what must not depend on it.

use headwater::testing::TopologyTestDriver as Driver;

/// Splitmix64: enough for choosing, and the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Runs everything to the end of input, choosing by chance who does what next. One task is slow. With `crashes`, a task
/// is now and then set back to its last commit.
pub(crate) fn run(driver: &mut Driver, seed: u64, crashes: bool) {
    let mut random = Random(seed);
    let tasks = driver.tasks();
    let slow = random.below(tasks.len());
    let mut ended = vec![false; tasks.len()];
    let mut crashes_left = if crashes { 20 } else { 0 };
    let mut patience = 2_000_000;
    while ended.contains(&false) {
        patience -= 1;
        assert!(patience > 0, "seed {seed}: nothing moves any more; ended: {ended:?}");
        let place = random.below(tasks.len());
        if place == slow && random.below(10) != 0 {
            continue;
        }
        let task = tasks[place];
        match random.below(20) {
            0..=13 => drop(driver.step(task).unwrap()),
            14 | 15 => driver.commit_task(task).unwrap(),
            16 if crashes_left > 0 => {
                crashes_left -= 1;
                driver.restart_task(task).unwrap();
                ended[place] = false;
            }
            // Nothing is left unread for good: ending asks again until the upstream tasks have ended.
            _ => ended[place] |= driver.end_task(task).unwrap(),
        }
    }
}
