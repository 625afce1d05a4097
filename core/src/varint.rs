//! LEB128 integers, the building block of the batch format.

/// Appends `value` in 1 to 10 bytes, least significant group first.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a value written by [`put_varint`], advancing `input`. `None` if it is cut short or too long.
#[inline]
pub fn get_varint(input: &mut &[u8]) -> Option<u64> {
    // Nearly every length, count and delta is of one or two bytes.
    match **input {
        [first, ref rest @ ..] if first < 0x80 => {
            *input = rest;
            Some(u64::from(first))
        }
        [first, second, ref rest @ ..] if second < 0x80 => {
            *input = rest;
            Some(u64::from(first & 0x7f) | u64::from(second) << 7)
        }
        _ => get_long_varint(input),
    }
}

fn get_long_varint(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Appends a signed value; small magnitudes of either sign stay short.
#[inline]
pub fn put_zigzag(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Reads a value written by [`put_zigzag`], advancing `input`.
#[inline]
pub fn get_zigzag(input: &mut &[u8]) -> Option<i64> {
    let raw = get_varint(input)?;
    Some(((raw >> 1) as i64) ^ -((raw & 1) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_magnitude_comes_back() {
        for value in [0, 1, -1, 63, -64, 64, 1 << 20, i64::MAX, i64::MIN, i64::MIN + 1] {
            let mut bytes = Vec::new();
            put_zigzag(&mut bytes, value);
            let mut input = bytes.as_slice();
            assert_eq!(get_zigzag(&mut input), Some(value));
            assert!(input.is_empty());
        }
    }

    #[test]
    fn cut_or_endless_input_is_refused() {
        assert_eq!(get_varint(&mut [0x80_u8].as_slice()), None);
        assert_eq!(get_varint(&mut [0xff_u8; 11].as_slice()), None);
    }
}
