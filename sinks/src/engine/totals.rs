//! The counts in a snapshot's summary that readers and other tools expect.

use std::collections::HashMap;

use iceberg::spec::{DataFile, Summary};

/// Pairs of a running total and what an append adds to it.
const RUNNING: [(&str, &str); 6] = [
    ("total-records", "added-records"),
    ("total-data-files", "added-data-files"),
    ("total-files-size", "added-files-size"),
    ("total-delete-files", "added-delete-files"),
    ("total-position-deletes", "added-position-deletes"),
    ("total-equality-deletes", "added-equality-deletes"),
];

/// The `added-*` and `total-*` entries of a snapshot that appends `files`. A total that the parent does not carry is
/// unknown and left out.
pub(crate) fn append(parent: Option<&Summary>, files: &[DataFile]) -> HashMap<String, String> {
    let mut summary = HashMap::from([
        ("added-data-files".to_owned(), files.len().to_string()),
        ("added-records".to_owned(), sum(files, DataFile::record_count)),
        ("added-files-size".to_owned(), sum(files, DataFile::file_size_in_bytes)),
    ]);
    for (total, added) in RUNNING {
        let before = match parent {
            None => Some(0),
            Some(parent) => parent.additional_properties.get(total).and_then(|text| text.parse::<u64>().ok()),
        };
        let added = summary.get(added).and_then(|text| text.parse().ok()).unwrap_or(0);
        if let Some(before) = before {
            summary.insert(total.to_owned(), before.saturating_add(added).to_string());
        }
    }
    summary
}

fn sum(files: &[DataFile], count: impl Fn(&DataFile) -> u64) -> String {
    files.iter().map(count).sum::<u64>().to_string()
}

#[cfg(test)]
mod tests {
    use iceberg::spec::Operation;

    use super::*;

    #[test]
    fn totals_go_on_from_the_parent_and_unknown_ones_stay_unknown() {
        assert_eq!(append(None, &[])["total-records"], "0");
        let parent = Summary {
            operation: Operation::Append,
            additional_properties: HashMap::from([("total-records".to_owned(), "7".to_owned())]),
        };
        let summary = append(Some(&parent), &[]);
        assert_eq!(summary["total-records"], "7");
        assert_eq!(summary.get("total-data-files"), None);
    }
}
