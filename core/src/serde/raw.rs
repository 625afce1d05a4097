//! Raw
/// Raw
#[derive(Debug, Clone, Copy, Default)]
pub struct Raw;
