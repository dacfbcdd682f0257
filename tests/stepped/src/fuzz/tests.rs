//! The bodies under a few hundred inputs and the corpora, so that the fuzz targets are known to pass before anyone fuzzes.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

fn corpus(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        body(&std::fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}

#[test]
fn the_corpora_pass() {
    corpus("connection_stream", super::connection_stream);
    corpus("upgrade_request", super::upgrade_request);
    corpus("upgrade_response", super::upgrade_response);
    corpus("settings", super::settings);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn streams_are_whole(data in vec(any::<u8>(), 0..400)) {
        super::connection_stream(&data);
    }

    #[test]
    fn requests_have_one_answer(data in vec(any::<u8>(), 0..200)) {
        super::upgrade_request(&data);
    }

    #[test]
    fn answers_end_a_dial_once(data in vec(any::<u8>(), 0..200)) {
        super::upgrade_response(&data);
    }

    #[test]
    fn settings_are_refused_or_read_as_they_print(text in "\\PC{0,40}") {
        super::settings(text.as_bytes());
    }
}
