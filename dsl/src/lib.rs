//! Headwater's DSL: typed streams and tables, and the plan they become.
