//! Auto
/// Auto
#[derive(Debug, Clone, Copy, Default)]
pub struct Auto;
