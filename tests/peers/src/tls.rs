//! Certificates for all servers: one whose issuer everybody trusts who asks the environment, and one of a stranger.

use npws::{ClientTls, ServerTls};

use crate::tools::installed;

/// How a connection is made, in the original's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `ws`.
    Plain,
    /// `wss` with a stranger, and the client trusts everybody: code "1".
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

    /// A server's certificate and its key, in PEM.
    pub fn server_files(self) -> Option<[String; 2]> {
        let name = match self {
            Self::Plain => return None,
            Self::Trusting => "stranger",
            Self::Verifying => "server",
        };
        Some(["pem", "key"].map(|kind| installed(format!("authority/{name}.{kind}")).display().to_string()))
    }

    /// Our server's part in it.
    ///
    /// # Panics
    /// When there is no certificate.
    pub fn server(self) -> ServerTls {
        self.server_files().map_or_else(ServerTls::plain, |[certificate, key]| {
            ServerTls::from_pem_files(certificate, key).expect("certificate and key are there")
        })
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

/// The certificate of the issuer that is trusted, in PEM.
pub fn issuer_file() -> String {
    installed("authority/issuer.pem").display().to_string()
}
