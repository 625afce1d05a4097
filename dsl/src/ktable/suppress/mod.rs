//! Changes of a table held back: until a window's result is final, or for some time.

mod keys;
mod operator;
mod until_closed;
mod until_time_limit;
