//! Running tasks one record at a time, in any order.

use headwater_core::{Result, TaskId};

use super::{TopologyTestDriver, task::DrivenTask};

/// Hand-driven running, after [`TopologyTestDriver::stepping`].
impl TopologyTestDriver {
    /// All tasks, in order.
    pub fn tasks(&self) -> Vec<TaskId> {
        self.tasks.iter().map(DrivenTask::id).collect()
    }

    /// Lets `task` take one record; false if none waits for it.
    ///
    /// # Errors
    /// If a step fails.
    pub fn step(&mut self, task: TaskId) -> Result<bool> {
        self.or_restart(|driver| driver.place(task).map_or(Ok(false), |place| driver.step_at(place)))
    }

    /// Commits what `task` has done.
    ///
    /// # Errors
    /// If a step fails.
    pub fn commit_task(&mut self, task: TaskId) -> Result<()> {
        self.or_restart(|driver| driver.place(task).map_or(Ok(()), |place| driver.commit_at(place)))
    }

    /// Ends those inputs of `task` that bring no more in this run, and commits. Returns true once all of them have ended;
    /// false if not, or if they had.
    ///
    /// # Errors
    /// If a step fails.
    pub fn end_task(&mut self, task: TaskId) -> Result<bool> {
        self.or_restart(|driver| {
            let Some(place) = driver.place(task) else { return Ok(false) };
            Ok(driver.end_at(place)? && driver.tasks.get(place).is_some_and(DrivenTask::has_ended))
        })
    }

    /// Crashes `task`: what it did since its last commit is forgotten, and it starts again from there.
    ///
    /// # Errors
    /// If its operators cannot be set up.
    pub fn restart_task(&mut self, task: TaskId) -> Result<()> {
        let Some(place) = self.place(task) else { return Ok(()) };
        self.tasks.get_mut(place).map_or(Ok(()), |task| task.restart(&self.around))
    }

    fn place(&self, task: TaskId) -> Option<usize> {
        self.tasks.iter().position(|driven| driven.id() == task)
    }
}
