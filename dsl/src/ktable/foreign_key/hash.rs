//! The hash by which a left row is recognised: Murmur3, 128 bits, as Kafka Streams has it.

const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;
const SEED: u64 = 104_729;

/// The hash of `bytes`: the same on every machine and in every version.
pub(super) fn murmur3(bytes: &[u8]) -> u128 {
    let (mut h1, mut h2) = (SEED, SEED);
    let mut blocks = bytes.chunks_exact(16);
    for block in &mut blocks {
        let (k1, k2) = words(block);
        h1 = (h1 ^ mixed(k1, C1, 31, C2)).rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 = (h2 ^ mixed(k2, C2, 33, C1)).rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let mut tail = [0; 16];
    for (to, from) in tail.iter_mut().zip(blocks.remainder()) {
        *to = *from;
    }
    let (k1, k2) = words(&tail);
    let length = bytes.len() as u64;
    h1 ^= mixed(k1, C1, 31, C2) ^ length;
    h2 ^= mixed(k2, C2, 33, C1) ^ length;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    h1 = finished(h1);
    h2 = finished(h2);
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    u128::from(h1) << 64 | u128::from(h2)
}

fn words(block: &[u8]) -> (u64, u64) {
    let word = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    (word(block.first_chunk()), word(block.last_chunk()))
}

fn mixed(k: u64, by: u64, rotation: u32, then: u64) -> u64 {
    k.wrapping_mul(by).rotate_left(rotation).wrapping_mul(then)
}

fn finished(mut h: u64) -> u64 {
    h ^= h >> 33;
    h = h.wrapping_mul(0xff51_afd7_ed55_8ccd);
    h ^= h >> 33;
    h = h.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ (h >> 33)
}
