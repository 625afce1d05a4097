//! The directory of a program's state, held by one process at a time.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{ErrorKind as IoErrorKind, Read, Seek, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use headwater_core::{Error, ErrorKind, Result, TaskId, check_name};

use crate::errors;

const LOCK_FILE: &str = ".lock";
const TASKS: &str = "tasks";
const GLOBALS: &str = "globals";

/// A program's state directory, locked until this is dropped (also by a crash: the operating system lets go).
///
/// ```text
/// DIR/.lock            who holds it
/// DIR/tasks/0_3/       the stores of task 0_3
/// DIR/globals/NAME/    the global table NAME
/// ```
#[derive(Debug)]
pub struct StateDirectory {
    path: PathBuf,
    /// Holds the lock as long as it is open.
    _lock: File,
}

impl StateDirectory {
    /// Creates `dir` if it is missing (readable by its owner only) and takes its lock.
    ///
    /// # Errors
    /// `HW0401` with the holder's process id if another program has it, `HW0402` if it cannot be written.
    pub fn lock(dir: &Path) -> Result<Self> {
        create_private_dir(dir)?;
        let path = dir.join(LOCK_FILE);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| errors::storage("open", &path, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(dir, &mut file)),
            Err(TryLockError::Error(error)) => return Err(errors::storage("lock", &path, error)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(|error| errors::storage("write", &path, error))?;
        Ok(Self { path: dir.to_owned(), _lock: file })
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the stores of `task` are, or will be.
    pub fn task_dir(&self, task: TaskId) -> PathBuf {
        self.path.join(TASKS).join(task.to_string())
    }

    /// Where the global table `name` is, or will be.
    ///
    /// # Errors
    /// `HW0101` if `name` is not a usable name.
    pub fn global_dir(&self, name: &str) -> Result<PathBuf> {
        check_name("global table", name)?;
        Ok(self.path.join(GLOBALS).join(name))
    }

    /// The tasks that have a directory, in order.
    ///
    /// # Errors
    /// `HW0402` if the directory cannot be read.
    pub fn tasks(&self) -> Result<Vec<TaskId>> {
        let dir = self.path.join(TASKS);
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(errors::storage("read", &dir, error)),
        };
        let mut tasks = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| errors::storage("read", &dir, error))?;
            tasks.extend(entry.file_name().to_str().and_then(parse_task));
        }
        tasks.sort();
        Ok(tasks)
    }

    /// Deletes the stores of `task`, which must not be open. No error if there are none.
    ///
    /// # Errors
    /// `HW0402` if they cannot be deleted.
    pub fn remove_task(&self, task: TaskId) -> Result<()> {
        remove_dir(&self.task_dir(task))
    }

    /// Deletes the global table `name`, which must not be open. No error if there is none.
    ///
    /// # Errors
    /// `HW0101` if `name` is not a usable name, `HW0402` if it cannot be deleted.
    pub fn remove_global(&self, name: &str) -> Result<()> {
        remove_dir(&self.global_dir(name)?)
    }
}

fn held(dir: &Path, file: &mut File) -> Error {
    let mut holder = String::new();
    let _ = file.read_to_string(&mut holder);
    let holder = match holder.trim() {
        "" => "another process".to_owned(),
        pid => format!("process {pid}"),
    };
    Error::new(ErrorKind::State, "HW0401", format!("{} is in use by {holder}", dir.display()))
        .help("stop that process, or give another directory")
}

fn parse_task(name: &str) -> Option<TaskId> {
    let (subtopology, partition) = name.split_once('_')?;
    let task = TaskId { subtopology: subtopology.parse().ok()?, partition: partition.parse().ok()? };
    (task.to_string() == name).then_some(task)
}

/// Removes a directory in one step as far as a later start can see: first out of its name, then file by file.
fn remove_dir(dir: &Path) -> Result<()> {
    let mut gone = dir.as_os_str().to_owned();
    // No name of a task or table has this character.
    gone.push("~removed");
    let gone = PathBuf::from(gone);
    // What an interrupted removal left behind.
    if gone.exists() {
        fs::remove_dir_all(&gone).map_err(|error| errors::storage("delete", &gone, error))?;
    }
    match fs::rename(dir, &gone) {
        Ok(()) => fs::remove_dir_all(&gone).map_err(|error| errors::storage("delete", &gone, error)),
        Err(error) if error.kind() == IoErrorKind::NotFound => Ok(()),
        Err(error) => Err(errors::storage("delete", dir, error)),
    }
}

/// Creates `dir` and its parents, for the owner only; leaves existing ones as they are.
pub(crate) fn create_private_dir(dir: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| errors::storage("create", dir, error))
}
