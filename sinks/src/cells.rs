//! Values as text, the same text for the same value wherever it was stored.

use arrow_array::{
    Array, BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int32Array, Int64Array,
    LargeBinaryArray, LargeStringArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use headwater_core::{TableRow, days, format_timestamp};

/// Appends the rows of `batch` as text cells: instants as RFC 3339 in UTC, days as `2013-01-31`, floating point numbers
/// in the shortest form that reads back the same, bytes in hexadecimal.
pub(crate) fn append_rows(batch: &RecordBatch, rows: &mut Vec<TableRow>) {
    let columns: Vec<Vec<Option<String>>> = batch.columns().iter().map(|column| texts(column.as_ref())).collect();
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    for _ in 0..batch.num_rows() {
        rows.push(columns.iter_mut().map(|column| column.next().flatten()).collect());
    }
}

fn texts(column: &dyn Array) -> Vec<Option<String>> {
    macro_rules! as_text {
        ($($kind:ty => $text:expr),* $(,)?) => {
            $(if let Some(array) = column.as_any().downcast_ref::<$kind>() {
                return array.iter().map(|value| value.map($text)).collect();
            })*
        };
    }
    as_text! {
        BooleanArray => |value| value.to_string(),
        Int32Array => |value| value.to_string(),
        Int64Array => |value| value.to_string(),
        Float32Array => |value| value.to_string(),
        Float64Array => |value| value.to_string(),
        StringArray => str::to_owned,
        LargeStringArray => str::to_owned,
        Date32Array => day_text,
        TimestampMicrosecondArray => instant,
        BinaryArray => hexadecimal,
        LargeBinaryArray => hexadecimal,
    }
    let kind = column.data_type().to_string();
    (0..column.len()).map(|row| column.is_valid(row).then(|| format!("<{kind}>"))).collect()
}

fn instant(micros: i64) -> String {
    let whole = format_timestamp(micros.div_euclid(1_000));
    match micros.rem_euclid(1_000) {
        0 => whole,
        rest => {
            let millis = micros.div_euclid(1_000).rem_euclid(1_000);
            let seconds = whole.split(['.', 'Z']).next().unwrap_or_default();
            format!("{seconds}.{millis:03}{rest:03}Z")
        }
    }
}

/// `2013-01-31` for a day counted from 1970-01-01.
pub(crate) fn day_text(day: i32) -> String {
    let text = format_timestamp(i64::from(day) * days(1));
    text.split('T').next().unwrap_or_default().to_owned()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_keep_their_microseconds() {
        assert_eq!(instant(1_357_034_400_000_000), "2013-01-01T10:00:00Z");
        assert_eq!(instant(1_357_034_400_250_000), "2013-01-01T10:00:00.250Z");
        assert_eq!(instant(1_357_034_400_250_007), "2013-01-01T10:00:00.250007Z");
        assert_eq!(instant(-1), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn numbers_and_bytes_have_one_form() {
        assert_eq!(
            texts(&Float64Array::from(vec![Some(0.1), Some(2.0), None])),
            [Some("0.1".to_owned()), Some("2".to_owned()), None]
        );
        assert_eq!(texts(&BinaryArray::from(vec![&b"\x00\xff"[..]])), [Some("00ff".to_owned())]);
        assert_eq!(texts(&Date32Array::from(vec![15_706])), [Some("2013-01-01".to_owned())]);
    }
}
