//! The original's behaviour, as a Go program.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program built from `tests/peers/go`.
#[derive(Debug)]
pub(crate) struct Original {
    program: PathBuf,
}

impl Original {
    /// Builds it, unless `VERSUS_GO` names one that is built.
    pub(crate) fn build() -> Self {
        if let Some(program) = env::var_os("VERSUS_GO") {
            return Self { program: program.into() };
        }
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = tests.join("../target/versus-go");
        let built = Command::new("go")
            .args(["build", "-C"])
            .arg(tests.join("peers/go"))
            .arg("-o")
            .arg(&program)
            .arg("./cmd/bench")
            .env("GOTOOLCHAIN", "local")
            .status();
        assert!(built.is_ok_and(|status| status.success()), "Go is needed; --without-go does without");
        Self { program }
    }

    pub(crate) fn command(&self, row: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(row);
        // Else its clients make a second, post-quantum key for each handshake, which ours do not.
        command.env("GODEBUG", "tlsmlkem=0");
        command
    }
}
