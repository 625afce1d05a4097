//! Bincode
/// Bincode
#[derive(Debug, Clone, Copy, Default)]
pub struct Bincode;
