//! User and password for a proxy.

use std::fmt;

use data_encoding::BASE64;
use npws_core::ConfigError;

use super::Protocol;

/// RFC 1929 has one byte for each length.
const MAX_LENGTH: usize = 255;

#[derive(Clone)]
pub(super) struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    pub(super) fn new(user: String, password: String) -> Self {
        Self { user, password }
    }

    pub(super) fn validate(&self, protocol: Protocol) -> Result<(), ConfigError> {
        let fits = !self.user.is_empty() && self.user.len() <= MAX_LENGTH && self.password.len() <= MAX_LENGTH;
        let is_basic =
            !self.user.contains(':') && !self.user.chars().chain(self.password.chars()).any(char::is_control);
        if fits && (protocol == Protocol::Socks5 || is_basic) {
            return Ok(());
        }
        Err(ConfigError::new(
            "credentials",
            format!("a user of {} and a password of {} bytes", self.user.len(), self.password.len()),
            "at most 255 bytes each, a user that is not empty, and for HTTP no colon in it and no control characters",
        ))
    }

    /// The value of `Proxy-Authorization`.
    pub(super) fn to_basic(&self) -> String {
        format!("Basic {}", BASE64.encode(format!("{}:{}", self.user, self.password).as_bytes()))
    }

    /// The request of RFC 1929.
    pub(super) fn to_subnegotiation(&self) -> Vec<u8> {
        let mut request = vec![1];
        for text in [&self.user, &self.password] {
            // Checked when the pool was made.
            request.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            request.extend_from_slice(text.as_bytes());
        }
        request
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}
