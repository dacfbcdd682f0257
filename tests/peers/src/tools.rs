//! Where the peers are.

use std::path::{Path, PathBuf};

/// A file below the directory that `tests/peers/run` fills.
///
/// # Panics
/// When it is not there: a missing peer is a failure, never a reason to skip.
pub fn installed(name: impl AsRef<Path>) -> PathBuf {
    let path = directory().join(name);
    assert!(path.exists(), "{} is not there: tests/peers/run installs it", path.display());
    path
}

/// A file of this package.
pub fn source(name: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// An empty directory, in which the test that is called `name` keeps its files.
///
/// # Panics
/// When it cannot be made.
pub fn scratch(name: &str) -> PathBuf {
    let path = directory().join("scratch").join(name);
    if path.exists() {
        std::fs::remove_dir_all(&path).expect("it is a directory of ours");
    }
    std::fs::create_dir_all(&path).expect("target can be written to");
    path
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/ci/peers").canonicalize().unwrap_or_default()
}
