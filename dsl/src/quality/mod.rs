//! Data quality by row: named rules, each with a severity and a route.

mod rules;
mod validate;

pub use rules::{Rule, Rules, Severity, not_null, one_of, range};
pub use validate::Validated;
