//! Makes an issuer of certificates, its certificate for 127.0.0.1, and one of an issuer that nobody knows:
//! `authority DIRECTORY`. Afterwards the directory has `issuer.pem`, `server.pem`, `server.key`, `stranger.pem` and
//! `stranger.key`.
#![allow(clippy::expect_used, reason = "all of this is tests")]

use std::fs;
use std::path::PathBuf;

use npws_tests::certificates::Authority;

fn main() {
    let directory = PathBuf::from(std::env::args_os().nth(1).expect("usage: authority DIRECTORY"));
    let authority = Authority::default();
    let server = authority.server("127.0.0.1");
    let stranger = Authority::default().server("127.0.0.1");
    fs::create_dir_all(&directory).expect("the directory can be made");
    for (name, content) in [
        ("issuer.pem", authority.pem()),
        ("server.pem", server.certificate.as_bytes()),
        ("server.key", server.key.as_bytes()),
        ("stranger.pem", stranger.certificate.as_bytes()),
        ("stranger.key", stranger.key.as_bytes()),
    ] {
        fs::write(directory.join(name), content).expect("it can be written to");
    }
}
