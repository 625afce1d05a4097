//! Records as they come in life: not in the order of their times, and some of them late, though not too late.

use headwater_core::{BatchBuilder, Headers, RecordBatch};

use crate::Outcome;

/// Different keys.
pub const KEYS: u64 = 1_000;
/// By how much a record may be late. Less than any grace, so that none is dropped.
pub const LATE_MS: u64 = 20_000;
/// The grace of the windows measured.
pub const GRACE_MS: i64 = 30_000;
/// Records per batch.
const BATCH: usize = 500;
/// The first record's time, about: no time is negative.
const EPOCH_MS: i64 = 1_700_000_000_000;

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    pub time: i64,
    pub key: i64,
    pub value: i64,
}

/// Record `number`: one a millisecond, up to 50 ms out of order, and every twentieth up to 20 s late.
pub fn event(number: usize) -> Event {
    let mixed = mix(number as u64);
    let late = mixed.is_multiple_of(20);
    let lag = (mixed >> 32) % if late { LATE_MS } else { 50 };
    let key = (mixed >> 8) % KEYS;
    Event { time: EPOCH_MS + number as i64 - lag as i64, key: key as i64, value: number as i64 }
}

/// The records `numbers` in batches, as a log hands them out.
///
/// # Errors
/// Never: a batch of records is a batch.
pub fn batches(numbers: impl Iterator<Item = usize>, event: impl Fn(usize) -> Event) -> Outcome<Vec<RecordBatch>> {
    let none = Headers::new();
    let (mut done, mut open, mut base) = (Vec::new(), BatchBuilder::new(), 0);
    let mut numbers = numbers.peekable();
    while let Some(number) = numbers.next() {
        let Event { time, key, value } = event(number);
        open.push(time, Some(&key.to_be_bytes()), Some(&value.to_be_bytes()), &none);
        if open.len() == BATCH || numbers.peek().is_none() {
            let batch = open.take().ok_or("an empty batch")?.at(base);
            base = batch.next_offset();
            done.push(batch);
        }
    }
    Ok(done)
}

/// The record that these bytes are.
///
/// # Errors
/// If they are not those of a record from here.
pub fn read(record: &headwater_core::RecordRef<'_>) -> Outcome<Event> {
    let number = |bytes: Option<&[u8]>| -> Outcome<i64> { Ok(i64::from_be_bytes(bytes.ok_or("a null")?.try_into()?)) };
    Ok(Event { time: record.timestamp, key: number(record.key)?, value: number(record.value)? })
}

/// Calls `visit` with every record.
///
/// # Errors
/// As [`read`].
pub fn for_each(batches: &[RecordBatch], mut visit: impl FnMut(Event)) -> Outcome<()> {
    for batch in batches {
        let mut position = batch.start();
        while let Some((record, after)) = batch.read_at(position)? {
            visit(read(&record)?);
            position = after;
        }
    }
    Ok(())
}

/// SplitMix64: numbers that look random, the same in every run.
pub fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
