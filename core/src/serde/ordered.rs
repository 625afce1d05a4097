//! ordered
/// to
pub fn to_ordered_vec() {}
/// from
pub fn from_ordered_slice() {}
