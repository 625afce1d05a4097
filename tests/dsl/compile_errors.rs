//! What the compiler says to a wrong program is part of the API: it is said in the DSL's words.
//!
//! Each file of `tests/compile_fail` names in its first lines what the compiler must say. The files are compiled against
//! what this test was built with, so nothing is built for it.

use std::{
    cmp::Reverse,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of this test's own program, where cargo puts what it was linked with.
fn built() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_owned()
}

/// All builds of the library, the newest first.
fn libraries() -> Vec<PathBuf> {
    let files = fs::read_dir(built()).unwrap().map(|entry| entry.unwrap().path());
    let is_library = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.strip_prefix("libheadwater-").is_some_and(|rest| rest.ends_with(".rlib"))
    };
    let mut found: Vec<_> = files.filter(is_library).collect();
    found.sort_by_key(|path| Reverse(fs::metadata(path).unwrap().modified().unwrap()));
    found
}

/// Compiles one file without writing anything of use; returns what the compiler said, `None` if it was content.
fn complaints(file: &Path, library: &Path) -> Option<String> {
    let out = tempfile::tempdir().unwrap();
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(rustc)
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--crate-name=wrong", "--color=never"])
        .arg("--extern")
        .arg(format!("headwater={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", built().display()))
        .arg("--out-dir")
        .arg(out.path())
        .arg(file)
        .output()
        .unwrap();
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_wrong_program_is_told_what_is_wrong_in_the_dsls_words() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail");
    // Builds with other features may lie about whose parts are gone: one that compiles a right program will do.
    let control = folder.join("control.rs");
    let library = libraries().into_iter().find(|library| complaints(&control, library).is_none());
    let library = library.expect("a build of the library with which a right program compiles");
    let mut tried = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        let expected: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("// error: ")).collect();
        if expected.is_empty() {
            continue;
        }
        let said = complaints(&file, &library).unwrap_or_else(|| panic!("{} compiles", file.display()));
        for part in expected {
            assert!(said.contains(part), "{}: expected {part:?} in:\n{said}", file.display());
        }
        tried += 1;
    }
    assert_eq!(tried, 7);
}
