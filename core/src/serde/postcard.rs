//! Postcard
/// Postcard
#[derive(Debug, Clone, Copy, Default)]
pub struct Postcard;
