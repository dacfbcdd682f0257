//! Why the program ends without having done what it was asked to.

use std::fmt;
use std::io;

use npws::{BuildError, TlsConfigError};

/// What is said to the operator, and the exit status.
#[derive(Debug)]
pub enum Failure {
    /// The flags ask for something that cannot be. Exit status 2.
    Usage(String),
    /// What was asked for could not be done. Exit status 1.
    Runtime(String),
    /// A second signal came while the program was finishing. Exit status 130, as a shell gives for Ctrl-C.
    Aborted,
}

impl Failure {
    /// The exit status of the program.
    ///
    /// ```
    /// assert_eq!(npws_tunnel::Failure::Usage("--key is missing".into()).exit_code(), 2);
    /// ```
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Runtime(_) => 1,
            Self::Aborted => 130,
        }
    }

    /// An address that cannot be listened on.
    pub(crate) fn bind(flag: &str, address: &str, error: &io::Error) -> Self {
        Self::Runtime(format!("cannot listen on {flag} {address}: {error}"))
    }

    /// A pool that cannot be made; `flag` gave its address.
    pub(crate) fn build(flag: &str, address: &str, error: BuildError) -> Self {
        match error {
            BuildError::Config(error) => Self::Usage(error.to_string()),
            BuildError::Tls(error) => error.into(),
            BuildError::Bind(error) => Self::bind(flag, address, &error),
            error => Self::Runtime(error.to_string()),
        }
    }
}

impl From<TlsConfigError> for Failure {
    fn from(error: TlsConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Runtime(message) => f.write_str(message),
            Self::Aborted => f.write_str("stopped at once, users may have been cut"),
        }
    }
}

impl std::error::Error for Failure {}
