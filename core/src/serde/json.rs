//! Json
/// Json
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;
