//! One writer at a time. Commits that arrive while another is being written wait together and are then written as
//! one, so that many threads share one sync of the disk.

use std::sync::{Arc, Condvar, Mutex};

use super::locks::{lock, wait};

/// Hands out the writer's turn.
pub(super) struct Turns<W, R> {
    state: Mutex<State<W, R>>,
    ended: Condvar,
}

struct State<W, R> {
    taken: bool,
    waiting: Vec<(W, Arc<Mutex<Option<R>>>)>,
}

impl<W, R> Turns<W, R> {
    pub fn new() -> Self {
        Self { state: Mutex::new(State { taken: false, waiting: Vec::new() }), ended: Condvar::new() }
    }

    /// Does `work` while nobody writes.
    pub fn alone<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut state = lock(&self.state);
        while state.taken {
            state = wait(&self.ended, state);
        }
        state.taken = true;
        drop(state);
        let _turn = Turn(self);
        work()
    }

    /// Has `work` done by `write`, perhaps by another thread's, together with what else waits. `write` gives one
    /// result for each piece of work, in order. `None` if the thread that did it gave none.
    pub fn together(&self, work: W, write: impl FnOnce(&[W]) -> Vec<R>) -> Option<R> {
        let slot = Arc::new(Mutex::new(None));
        let mut state = lock(&self.state);
        state.waiting.push((work, Arc::clone(&slot)));
        while state.taken {
            state = wait(&self.ended, state);
            if let Some(result) = lock(&slot).take() {
                return Some(result);
            }
        }
        state.taken = true;
        let (work, slots): (Vec<W>, Vec<_>) = std::mem::take(&mut state.waiting).into_iter().unzip();
        drop(state);
        let turn = Turn(self);
        for (slot, result) in slots.iter().zip(write(&work)) {
            *lock(slot) = Some(result);
        }
        drop(turn);
        lock(&slot).take()
    }
}

/// Ends the turn, also when the work panics.
struct Turn<'a, W, R>(&'a Turns<W, R>);

impl<W, R> Drop for Turn<'_, W, R> {
    fn drop(&mut self) {
        lock(&self.0.state).taken = false;
        self.0.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
    };

    use super::*;

    #[test]
    fn every_piece_of_work_is_done_once_and_gets_its_own_result() {
        let turns = Turns::<u64, u64>::new();
        let (calls, inside) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for thread in 0..4 {
                let (turns, calls, inside) = (&turns, &calls, &inside);
                scope.spawn(move || {
                    for i in 0..2_000 {
                        let n = thread * 10_000 + i;
                        let result = turns.together(n, |work| {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two writers");
                            calls.fetch_add(1, Ordering::SeqCst);
                            let done = work.iter().map(|n| n + 1).collect();
                            inside.fetch_sub(1, Ordering::SeqCst);
                            done
                        });
                        assert_eq!(result, Some(n + 1));
                        if i % 50 == 0 {
                            turns.alone(|| assert_eq!(inside.load(Ordering::SeqCst), 0));
                        }
                    }
                });
            }
        });
        assert!(calls.load(Ordering::SeqCst) <= 8_000);
    }
}
