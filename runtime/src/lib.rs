//! Headwater's runtime: tasks, commits, restore, replay and the command line.
