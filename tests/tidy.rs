//! The house rules that no compiler and no linter asserts.

#![expect(clippy::unwrap_used, reason = "a test stops at whatever it cannot read")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const CRATES: [&str; 7] = ["", "core", "dsl", "state", "sinks", "runtime/log", "runtime"];
/// Modules that a `lib.rs` may make public: a folder of words with a name of its own, and a suite for other crates.
const PUBLIC_MODULES: [(&str, &str); 5] =
    [("core", "serde"), ("runtime/log", "testkit"), ("", "cli"), ("", "prelude"), ("", "testing")];
const LINES_AT_MOST: usize = 800;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder` whose names end in `.ending`, build output and hidden folders left out.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" {
                files(&path, ending, found);
            }
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
}

fn rust_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(root(), "rs", &mut found);
    assert!(found.len() > 30, "the tree was not found at {}", root().display());
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The path from the root, for messages.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// The `HWnnnn` codes that stand in `text` right after `before`.
fn codes<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    let marker = format!("{before}HW");
    text.match_indices(&marker)
        .filter_map(|(at, _)| text.get(at + before.len()..at + before.len() + 6))
        .filter(|code| code[2..].bytes().all(|byte| byte.is_ascii_digit()))
        .collect()
}

/// The codes that library code uses, with a file that uses each. Inline tests may use codes of their own invention.
fn used_codes() -> BTreeMap<String, String> {
    let mut used = BTreeMap::new();
    for krate in CRATES {
        let mut found = Vec::new();
        files(&root().join(krate).join("src"), "rs", &mut found);
        for path in found.iter().filter(|path| path.file_name().is_some_and(|name| name != "tests.rs")) {
            let text = read(path);
            let library = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            for code in codes(library, "\"") {
                used.entry(code.to_owned()).or_insert_with(|| shown(path));
            }
        }
    }
    used
}

#[test]
fn no_file_is_longer_than_800_lines() {
    let long: Vec<_> = rust_files()
        .iter()
        .map(|path| (shown(path), read(path).lines().count()))
        .filter(|(_, lines)| *lines > LINES_AT_MOST)
        .collect();
    assert!(long.is_empty(), "split these by role: {long:?}");
}

#[test]
fn every_error_code_has_exactly_one_page_and_every_page_a_code() {
    let mut pages = Vec::new();
    files(&root().join("docs/errors"), "md", &mut pages);
    let mut explained = BTreeSet::new();
    for page in &pages {
        for code in codes(&format!("\n{}", read(page)), "\n## ") {
            assert!(explained.insert(code.to_owned()), "{code} is explained twice, the second time in {}", shown(page));
        }
    }
    let used = used_codes();
    assert!(!used.is_empty(), "no codes were found at all");
    let missing: Vec<_> = used.iter().filter(|(code, _)| !explained.contains(*code)).collect();
    assert!(missing.is_empty(), "no section `## HWnnnn` in docs/errors for: {missing:?}");
    let unused: Vec<_> = explained.iter().filter(|code| !used.contains_key(*code)).collect();
    assert!(unused.is_empty(), "docs/errors explains codes that nothing uses: {unused:?}");
}

#[test]
fn every_page_of_the_book_is_in_its_summary_and_its_samples_are_tested() {
    let mut pages = Vec::new();
    files(&root().join("docs/book/src"), "md", &mut pages);
    let (summary, tested) = (read(&root().join("docs/book/src/SUMMARY.md")), read(&root().join("src/book.rs")));
    let missing: Vec<_> = pages
        .iter()
        .map(|page| page.file_name().unwrap().to_str().unwrap())
        .filter(|page| *page != "SUMMARY.md")
        .filter(|page| !summary.contains(&format!("({page})")) || !tested.contains(&format!("\"{page}\"")))
        .collect();
    assert!(pages.len() > 5 && missing.is_empty(), "not in SUMMARY.md or src/book.rs: {missing:?}");
}

#[test]
fn links_and_paths_in_the_book_and_the_readme_lead_somewhere() {
    let mut pages = vec![root().join("README.md")];
    files(&root().join("docs/book/src"), "md", &mut pages);
    let mut broken = Vec::new();
    for page in &pages {
        for link in read(page).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = page.parent().unwrap().join(link.split('#').next().unwrap());
            if !link.contains("://") && !target.exists() {
                broken.push((shown(page), link.to_owned()));
            }
        }
        let code = read(page).split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let paths = code.iter().filter(|code| code.starts_with("examples/") || code.starts_with("docs/"));
        broken.extend(paths.filter(|path| !root().join(path).exists()).map(|path| (shown(page), path.clone())));
    }
    assert!(broken.is_empty(), "{broken:?}");
}

#[test]
fn nothing_is_left_unfinished() {
    // Put together here, so that this file does not find itself.
    let marks = ["todo", "unimplemented"].map(|name| format!("{name}!("));
    let unfinished: Vec<_> = rust_files()
        .iter()
        .filter(|path| marks.iter().any(|mark| read(path).contains(mark.as_str())))
        .map(|path| shown(path))
        .collect();
    assert!(unfinished.is_empty(), "{unfinished:?}");
}

#[test]
fn modules_are_private_and_the_api_is_one_list() {
    for krate in CRATES {
        let text = read(&root().join(krate).join("src/lib.rs"));
        let public = text.lines().filter_map(|line| line.trim_start().strip_prefix("pub mod "));
        for module in public.map(|rest| rest.trim_end_matches([';', ' ', '{'])) {
            assert!(PUBLIC_MODULES.contains(&(krate, module)), "{krate}/src/lib.rs makes {module} public");
        }
    }
}

#[test]
fn compile_error_tests_stay_where_they_do_not_build_rocksdb_again() {
    let marker = concat!("trybuild", "::TestCases");
    for path in rust_files().iter().filter(|path| read(path).contains(marker)) {
        let path = shown(path);
        assert!(path.starts_with("dsl/") || path.starts_with("core/"), "{path}: see docs/adr/0001-one-profile.md");
    }
}
