//! Results, on stdout.

use std::{
    fmt,
    io::{self, BufWriter, StdoutLock, Write},
};

use headwater_core::{Error, ErrorKind};

use super::failure::Failure;

/// Writes result lines to stdout.
pub(super) struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    /// Takes stdout; nobody else in the process can write to it until this is dropped.
    pub(super) fn stdout() -> Self {
        Self(BufWriter::with_capacity(64 << 10, io::stdout().lock()))
    }

    /// Writes a line.
    pub(super) fn line(&mut self, line: impl fmt::Display) -> Result<(), Failure> {
        writeln!(self.0, "{line}").map_err(failed)
    }

    /// Sees to it that everything has been written.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.0.flush().map_err(failed)
    }
}

fn failed(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::ReaderGone;
    }
    Error::new(ErrorKind::Storage, "HW0709", "the results could not be written to stdout")
        .caused_by(error)
        .help("see that the disk or program that stdout leads to takes them")
        .into()
}

/// A number with its thousands grouped: `334,264`.
pub(super) fn grouped(number: impl fmt::Display) -> String {
    let digits = number.to_string();
    let (sign, digits) = digits.split_at(usize::from(digits.starts_with('-')));
    let mut out = String::from(sign);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_grouped_from_the_right() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (-334_264, "-334,264"), (1_234_567, "1,234,567")];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
    }
}
