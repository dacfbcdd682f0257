//! Dialing through a proxy: who it is, and how it is asked for a way to the server.

mod connect;
mod credentials;
mod error;
mod route;
mod socks5;
#[cfg(test)]
mod tests;
mod url;

use npws_core::ConfigError;

use self::credentials::Credentials;
pub use self::error::ProxyError;
pub(crate) use self::route::Route;
use crate::address;
use crate::client::DialTarget;
use crate::tls::ClientTls;

/// A proxy through which a client pool dials: [HTTP `CONNECT`](Self::http) or [SOCKS5](Self::socks5).
///
/// The proxy looks up the server's name. TLS and WebSocket run through it end to end: it sees no more than the server's
/// name and port, and what TLS shows. Credentials are shown neither by `Debug` nor in errors.
///
/// ```
/// use npws_driver::{ClientPoolBuilder, ConfigError, Proxy, Runtime};
///
/// fn configure<R: Runtime>(builder: ClientPoolBuilder<R>, password: &str) -> Result<ClientPoolBuilder<R>, ConfigError> {
///     Ok(builder.proxy(Proxy::socks5("proxy.example:1080")?.credentials("pool", password)))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Proxy {
    protocol: Protocol,
    address: DialTarget,
    credentials: Option<Credentials>,
    tls: ClientTls,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Connect,
    Socks5,
}

impl Proxy {
    /// An HTTP proxy that is asked by `CONNECT` (RFC 9110 section 9.3.6), whether or not the server speaks TLS. The
    /// address is a host name or IP address and a port, as [`ClientPool::builder`](crate::ClientPool::builder) takes it.
    ///
    /// ```
    /// use npws_driver::Proxy;
    ///
    /// let proxy = Proxy::http("proxy.example:3128")?;
    /// assert!(Proxy::http("proxy.example").is_err());
    /// # Ok::<(), npws_driver::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When the address is not host and port.
    pub fn http(address: impl AsRef<str>) -> Result<Self, ConfigError> {
        Self::new(Protocol::Connect, address.as_ref())
    }

    /// A SOCKS5 proxy (RFC 1928). The address is that of [`http`](Self::http).
    ///
    /// ```
    /// use npws_driver::Proxy;
    ///
    /// let proxy = Proxy::socks5("[2001:db8::1]:1080")?;
    /// # Ok::<(), npws_driver::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When the address is not host and port.
    pub fn socks5(address: impl AsRef<str>) -> Result<Self, ConfigError> {
        Self::new(Protocol::Socks5, address.as_ref())
    }

    /// A proxy as operators write it: `http://`, `https://`, `socks5://` or `socks5h://`, then `user:password@` if it
    /// wants them, then host and port. Without a port it is 80, 443 or 1080. What a URL may not hold as it is stands in
    /// it percent-encoded. `https` is [`http`](Self::http) over [verified](ClientTls::verified) TLS; `socks5` and
    /// `socks5h` mean the same.
    ///
    /// ```
    /// use npws_driver::Proxy;
    ///
    /// let proxy = Proxy::from_url("socks5://pool:s%40cret@proxy.example:1080")?;
    /// assert!(!format!("{proxy:?}").contains("cret"));
    /// assert!(Proxy::from_url("ftp://proxy.example").is_err());
    /// # Ok::<(), npws_driver::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When it is anything else. The error does not repeat it, as it may hold a password.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        url::parse(url)
    }

    /// Shows these to the proxy: HTTP `Basic` (RFC 7617), or SOCKS5 username and password (RFC 1929) if the proxy chooses
    /// that. Everybody on the way to the proxy can read them unless there is [TLS](Self::tls).
    ///
    /// At most 255 bytes each, the user not empty. HTTP allows no colon in the user and no control characters.
    ///
    /// ```
    /// use npws_driver::Proxy;
    ///
    /// let proxy = Proxy::http("proxy.example:3128")?.credentials("pool", "secret");
    /// assert!(!format!("{proxy:?}").contains("secret"));
    /// # Ok::<(), npws_driver::ConfigError>(())
    /// ```
    #[must_use]
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some(Credentials::new(user.into(), password.into()));
        self
    }

    /// Speaks TLS with the proxy itself, below what is spoken with the server. Plain unless told, or unless the URL says
    /// `https`.
    ///
    /// ```
    /// use npws_driver::{ClientTls, Proxy};
    ///
    /// let proxy = Proxy::http("proxy.example:3129")?.tls(ClientTls::verified());
    /// # Ok::<(), npws_driver::ConfigError>(())
    /// ```
    #[must_use]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.tls = tls;
        self
    }

    fn new(protocol: Protocol, address: &str) -> Result<Self, ConfigError> {
        // What was meant to be a URL may hold a password.
        let invalid = |_| ConfigError::new("proxy", "no host and port", "host:port, without scheme, user or path");
        let address = address::parse(address).map_err(invalid)?;
        Ok(Self { protocol, address, credentials: None, tls: ClientTls::plain() })
    }
}
