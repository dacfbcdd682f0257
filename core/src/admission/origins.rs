//! From which web pages a browser may connect.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;

use super::values;

/// The origin of a web page as browsers send it (RFC 6454 section 6.2): scheme, host and port.
///
/// Scheme and host are compared without regard to case, and the port that belongs to the scheme may be left out. A host
/// in another script than ASCII is written in its `xn--` form, as browsers send it.
///
/// ```
/// use npws_core::Origin;
///
/// let origin: Origin = "https://app.example".parse()?;
/// assert_eq!("HTTPS://App.Example:443".parse::<Origin>()?, origin);
/// assert_ne!("http://app.example".parse::<Origin>()?, origin);
/// assert_ne!("https://app.example:8443".parse::<Origin>()?, origin);
/// # Ok::<(), npws_core::ParseOriginError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    scheme: String,
    host: String,
    /// `None` when it is the one that belongs to the scheme.
    port: Option<u16>,
}

impl FromStr for Origin {
    type Err = ParseOriginError;

    fn from_str(text: &str) -> Result<Self, ParseOriginError> {
        parse(text).ok_or_else(|| ParseOriginError(text.to_string()))
    }
}

fn parse(text: &str) -> Option<Origin> {
    let (scheme, rest) = text.split_once("://")?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let (host, port) = if let Some(rest) = rest.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        (alloc::format!("[{address}]"), port)
    } else {
        let (host, port) = rest.split_at(rest.find(':').unwrap_or(rest.len()));
        let is_host = !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&byte));
        (is_host.then(|| host.to_ascii_lowercase())?, port)
    };
    let scheme = is_scheme.then(|| scheme.to_ascii_lowercase())?;
    let port = match port.strip_prefix(':') {
        Some(digits) => Some(read_port(digits)?),
        None => port.is_empty().then_some(None)?,
    };
    let usual = match scheme.as_str() {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    Some(Origin { port: port.filter(|port| Some(*port) != usual), scheme, host })
}

fn read_port(digits: &str) -> Option<u16> {
    // The standard parser takes a sign and leading zeros.
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    digits.parse().ok().filter(|_| is_plain)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// A text is not an origin.
///
/// ```
/// use npws_core::Origin;
///
/// let error = "https://app.example/".parse::<Origin>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#""https://app.example/" is not an origin, which is a scheme, :// and a host, with a port unless it is the usual one"#
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseOriginError(String);

impl fmt::Display for ParseOriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not an origin, which is a scheme, :// and a host, with a port unless it is the usual one",
            self.0
        )
    }
}

impl core::error::Error for ParseOriginError {}

/// Which web pages may connect.
///
/// A browser sends `Origin` with every WebSocket and no script can change it, so this keeps the pages of others from
/// using a visitor's access. Other programs send none or whatever they like: it is no defence against them, and they are
/// let in unless the policy requires an origin. The opaque origin `null` and a request with several origins are let in
/// by [`Any`](Self::Any) only.
///
/// ```
/// use npws_core::OriginPolicy;
///
/// let policy = OriginPolicy::Allow(["https://app.example".parse()?].into());
/// assert!(policy.admits([("Origin", "https://app.example")]));
/// assert!(!policy.admits([("Origin", "https://evil.example")]));
/// assert!(policy.admits([("Host", "pool.example")]), "not a browser");
/// # Ok::<(), npws_core::ParseOriginError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginPolicy {
    /// Every page, and every program that is no browser. What applies unless told.
    #[default]
    Any,
    /// Pages of these origins, and every program that is no browser.
    Allow(BTreeSet<Origin>),
    /// Pages of these origins and nothing else: a request without an origin is turned away.
    Require(BTreeSet<Origin>),
    /// No page: a request with an origin is turned away.
    NoBrowsers,
}

impl OriginPolicy {
    /// Whether a request with these header fields may come in.
    ///
    /// ```
    /// # use npws_core::OriginPolicy;
    /// assert!(OriginPolicy::Any.admits([("Origin", "null")]));
    /// assert!(!OriginPolicy::NoBrowsers.admits([("Origin", "https://app.example")]));
    /// let policy = OriginPolicy::Require(["https://app.example".parse()?].into());
    /// assert!(!policy.admits([("Host", "pool.example")]));
    /// # Ok::<(), npws_core::ParseOriginError>(())
    /// ```
    #[must_use]
    pub fn admits<'f, V>(&self, fields: impl IntoIterator<Item = (&'f str, &'f V)>) -> bool
    where
        V: AsRef<[u8]> + ?Sized + 'f,
    {
        let (listed, admits_absent) = match self {
            Self::Any => return true,
            Self::Allow(origins) => (Some(origins), true),
            Self::Require(origins) => (Some(origins), false),
            Self::NoBrowsers => (None, true),
        };
        let mut origins = values(fields, "Origin");
        match (origins.next(), origins.next()) {
            (None, _) => admits_absent,
            (Some(origin), None) => listed.is_some_and(|listed| is_listed(listed, origin)),
            (Some(_), Some(_)) => false,
        }
    }
}

fn is_listed(listed: &BTreeSet<Origin>, origin: &[u8]) -> bool {
    str::from_utf8(super::trim(origin)).ok().and_then(parse).is_some_and(|origin| listed.contains(&origin))
}

#[cfg(test)]
mod tests;
