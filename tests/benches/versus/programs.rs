//! The programs that are measured beside this one.

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::row::{GO, RATHOLE, TUNNEL};

const RATHOLE_VERSION: &str = "0.5.0";

/// Where they are, by player.
#[derive(Debug)]
pub(crate) struct Programs(HashMap<&'static str, PathBuf>);

impl Programs {
    /// Builds what `players` need, unless the player's [`variable`] names a program that is built.
    pub(crate) fn build(players: &[&'static str]) -> Self {
        let program = |player: &'static str| {
            let build: fn() -> PathBuf = match player {
                GO => original,
                TUNNEL => tunnel,
                RATHOLE => rathole,
                _ => return None,
            };
            Some((player, env::var_os(variable(player)).map_or_else(build, PathBuf::from)))
        };
        Self(players.iter().copied().filter_map(program).collect())
    }

    /// What measures `row` as `player`.
    pub(crate) fn command(&self, player: &str, row: &str) -> Command {
        let program = self.0.get(player);
        match program {
            Some(program) if player == GO => {
                let mut command = Command::new(program);
                // Else its clients make a second, post-quantum key for each handshake, which ours do not.
                command.arg(row).env("GODEBUG", "tlsmlkem=0");
                command
            }
            _ => {
                let mut command = Command::new(env::current_exe().expect("this program has a path"));
                command.args(["child", player, row]).envs(program.map(|program| (variable(player), program)));
                command
            }
        }
    }
}

/// Names a player's program: `VERSUS_GO`, `VERSUS_TUNNEL` or `VERSUS_RATHOLE`.
pub(crate) fn variable(player: &str) -> String {
    format!("VERSUS_{}", player.trim_start_matches("npws/").to_uppercase())
}

/// The original's behaviour.
fn original() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = target().join("versus-go");
    let mut go = Command::new("go");
    go.args(["build", "-C"]).arg(tests.join("peers/go")).arg("-o").arg(&program).arg("./cmd/bench");
    run(go.env("GOTOOLCHAIN", "local"), GO);
    program
}

/// As this program is built, which is as its users build it.
fn tunnel() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--profile=bench", "--package=npws-tunnel", "--target-dir"]).arg(target());
    run(cargo.current_dir(env!("CARGO_MANIFEST_DIR")), TUNNEL);
    target().join("release/npws-tunnel")
}

/// Without what the row does not use: TLS, Noise, WebSocket, and a watch on its configuration. The dependencies that it
/// was released with do not build any more.
fn rathole() -> PathBuf {
    let root = target().join("versus-rathole");
    let program = root.join("bin/rathole");
    if !program.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["install", "--quiet", "rathole", "--version", RATHOLE_VERSION, "--no-default-features"]);
        run(cargo.args(["--features=server,client", "--root"]).arg(root), RATHOLE);
    }
    program
}

/// What stands two directories above this program's own.
fn target() -> PathBuf {
    let program = env::current_exe().expect("this program has a path");
    program.ancestors().nth(3).expect("cargo put it into target/release/deps").to_owned()
}

fn run(command: &mut Command, player: &str) {
    let is_built = command.status().is_ok_and(|status| status.success());
    assert!(is_built, "cannot be built by {command:?}; --without-{player} does without");
}
