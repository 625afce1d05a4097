//! Text
/// Text
#[derive(Debug, Clone, Copy, Default)]
pub struct Text;
