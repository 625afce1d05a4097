//! The order in which Java iterates over a `HashMap` of strings. Kafka's text depends on it in places.

/// Java's `String.hashCode`, spread as `HashMap` does.
fn spread_hash(text: &str) -> u32 {
    let hash = text.encode_utf16().fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
    hash ^ (hash >> 16)
}

/// Sorts `items` as a Java `HashMap` or `HashSet` with these keys iterates, if they were inserted in the order given.
pub(super) fn sort_as_java<T>(items: &mut [T], key: impl Fn(&T) -> String) {
    let buckets = (items.len() * 4).div_ceil(3).next_power_of_two().max(16) as u32;
    items.sort_by_key(|item| spread_hash(&key(item)) & (buckets - 1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_java() {
        // "Aa" and "BB" are the classical collision: both 2112.
        assert_eq!((spread_hash("Aa"), spread_hash("BB")), (2112, 2112));
    }
}
