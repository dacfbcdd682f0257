//! One certificate for all servers, and an issuer that everybody trusts who asks the environment.

use npws::{ClientTls, ServerTls};

use crate::tools::installed;

/// How a connection is made, in the original's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `ws`.
    Plain,
    /// `wss`, and the client trusts everybody: code "1".
    Trusting,
    /// `wss`, and the client verifies by the system's roots: code "2".
    Verifying,
}

impl Mode {
    /// The original's code for it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Trusting => "1",
            Self::Verifying => "2",
        }
    }

    /// The scheme of a URL.
    pub fn scheme(self) -> &'static str {
        if self == Self::Plain { "ws" } else { "wss" }
    }

    /// Our server's part in it.
    ///
    /// # Panics
    /// When there is no certificate.
    pub fn server(self) -> ServerTls {
        if self == Self::Plain {
            return ServerTls::plain();
        }
        let [certificate, key] = server_files();
        ServerTls::from_pem_files(certificate, key).expect("certificate and key are there")
    }

    /// Our client's part in it.
    ///
    /// # Panics
    /// When the roots that the system names are not those of the tests.
    pub fn client(self) -> ClientTls {
        if self == Self::Verifying {
            let roots = std::env::var("SSL_CERT_FILE").unwrap_or_default();
            assert_eq!(roots, issuer_file(), "SSL_CERT_FILE names the issuer: tests/peers/run sets it");
        }
        ClientTls::from_code(self.code()).expect("it is one of the original's codes")
    }
}

/// The certificate of all servers and its key, in PEM.
pub fn server_files() -> [String; 2] {
    ["authority/server.pem", "authority/server.key"].map(|name| installed(name).display().to_string())
}

/// The certificate of its issuer, in PEM.
pub fn issuer_file() -> String {
    installed("authority/issuer.pem").display().to_string()
}
