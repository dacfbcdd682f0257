//! The list of the suite is complete.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn every_case_is_listed_and_so_runs_on_every_runtime() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let suite = fs::read_to_string(source.join("suite.rs")).unwrap();
    let mut listed = BTreeSet::new();
    let mut module = "";
    for word in suite.split_whitespace() {
        match word.strip_suffix(':') {
            Some(name) => module = name,
            None => drop(listed.insert(format!("{module}::{}", word.trim_end_matches(';')))),
        }
    }
    let mut count = 0;
    for file in fs::read_dir(source.join("conformance")).unwrap() {
        let path = file.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let cases = text.lines().filter_map(|line| line.strip_prefix("pub async fn "));
        for case in cases.filter_map(|line| line.split_once("<R: Testbed>()")).map(|(name, _)| name) {
            assert!(listed.contains(&format!("{module}::{case}")), "{module}::{case} is not in the list of suite.rs");
            count += 1;
        }
    }
    assert!(count > 100, "only {count} cases were found");
}
