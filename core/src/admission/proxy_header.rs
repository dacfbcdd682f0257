//! What a proxy says in front of a connection: the PROXY protocol, versions 1 and 2.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

use super::AllowList;

const V1: &[u8] = b"PROXY ";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The longest line of version 1, with its end.
const V1_MAX: usize = 107;
/// Signature, command, family and length of version 2.
const V2_FIXED: usize = 16;
/// More than proxies write behind the addresses; so what a handshake may cost is bounded.
const V2_REST_MAX: usize = 4096;

/// The proxies that say in front of each connection where it comes from, and whether each must.
///
/// Only pass connections on from these proxies that they have put their word in front of: with
/// [`optional`](Self::optional), who connects through one that writes nothing can write the header on its own.
///
/// ```
/// use npws_core::{IpRange, ProxyProtocol, ProxyRule};
///
/// let proxies = ProxyProtocol::required(["10.0.0.0/8".parse::<IpRange>()?]);
/// assert_eq!(proxies.rule("10.1.2.3".parse().ok()), ProxyRule::Required);
/// assert_eq!(proxies.rule("192.0.2.1".parse().ok()), ProxyRule::Forbidden);
/// # Ok::<(), npws_core::ParseRangeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyProtocol {
    trusted: AllowList,
    is_required: bool,
}

impl ProxyProtocol {
    /// From `trusted`, every connection must begin with a header.
    ///
    /// ```
    /// use npws_core::ProxyProtocol;
    /// use core::net::Ipv4Addr;
    ///
    /// let proxies = ProxyProtocol::required([Ipv4Addr::new(10, 0, 0, 1)]);
    /// assert!(!proxies.trusted().is_empty());
    /// ```
    #[must_use]
    pub fn required(trusted: impl Into<AllowList>) -> Self {
        Self { trusted: trusted.into(), is_required: true }
    }

    /// From `trusted`, a connection may begin with a header; one that does not comes from where its socket does.
    ///
    /// ```
    /// use npws_core::{ProxyProtocol, ProxyRule};
    /// use core::net::Ipv4Addr;
    ///
    /// let proxies = ProxyProtocol::optional([Ipv4Addr::LOCALHOST]);
    /// assert_eq!(proxies.rule("127.0.0.1".parse().ok()), ProxyRule::Optional);
    /// ```
    #[must_use]
    pub fn optional(trusted: impl Into<AllowList>) -> Self {
        Self { trusted: trusted.into(), is_required: false }
    }

    /// The proxies that are believed.
    ///
    /// ```
    /// # use npws_core::{AllowList, ProxyProtocol};
    /// assert!(ProxyProtocol::optional(AllowList::default()).trusted().is_empty());
    /// ```
    #[must_use]
    pub fn trusted(&self) -> &AllowList {
        &self.trusted
    }

    /// What holds for a socket from this address.
    ///
    /// ```
    /// # use npws_core::{ProxyProtocol, ProxyRule};
    /// # use core::net::Ipv4Addr;
    /// let proxies = ProxyProtocol::required([Ipv4Addr::new(10, 0, 0, 1)]);
    /// assert_eq!(proxies.rule(None), ProxyRule::Forbidden, "a socket without an address is nobody's");
    /// ```
    #[must_use]
    pub fn rule(&self, socket: Option<IpAddr>) -> ProxyRule {
        match (self.trusted.allows(socket), self.is_required) {
            (false, _) => ProxyRule::Forbidden,
            (true, false) => ProxyRule::Optional,
            (true, true) => ProxyRule::Required,
        }
    }
}

/// Whether a connection begins with a PROXY header.
///
/// ```
/// use npws_core::{ProxyHeaderError, ProxyRule};
///
/// let said = b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 443\r\n";
/// let header = ProxyRule::Required.read(said)?.expect("it is complete");
/// assert_eq!(header.source, Some(([192, 0, 2, 7], 40_000).into()));
/// assert_eq!(ProxyRule::Required.read(b"GET / HTTP/1.1\r\n"), Err(ProxyHeaderError::Missing));
/// assert_eq!(ProxyRule::Forbidden.read(said), Err(ProxyHeaderError::Untrusted));
/// # Ok::<(), ProxyHeaderError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyRule {
    /// Nobody asked for headers, so none is looked for.
    Ignored,
    /// It comes from somebody who is not believed, and is refused if it begins with a header.
    Forbidden,
    /// It may.
    Optional,
    /// It must.
    Required,
}

impl ProxyRule {
    /// Reads the header at the front of `read`, which is all that has come so far; `None` if more must come.
    ///
    /// Where there is no header and none is needed, the outcome is one of length 0: all of `read` belongs to whatever
    /// comes next. Never asks for more than [`ProxyHeader::MAX`] bytes.
    ///
    /// ```
    /// use npws_core::ProxyRule;
    ///
    /// assert_eq!(ProxyRule::Optional.read(b"PRO"), Ok(None));
    /// let header = ProxyRule::Optional.read(b"GET").unwrap().expect("it is none");
    /// assert_eq!((header.length, header.source), (0, None));
    /// ```
    ///
    /// # Errors
    /// Why the connection is to be closed.
    pub fn read(self, read: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
        let none = Ok(Some(ProxyHeader { length: 0, source: None }));
        if self == Self::Ignored {
            return none;
        }
        match (Start::of(read), self) {
            (Start::Open, _) => Ok(None),
            (Start::Other, Self::Required) => Err(ProxyHeaderError::Missing),
            (Start::Other, _) => none,
            (_, Self::Forbidden) => Err(ProxyHeaderError::Untrusted),
            (Start::V1, _) => v1(read),
            (Start::V2, _) => v2(read),
        }
    }
}

/// What the first bytes can be.
enum Start {
    /// Too few to say.
    Open,
    V1,
    V2,
    Other,
}

impl Start {
    fn of(read: &[u8]) -> Self {
        if read.starts_with(V1) {
            Self::V1
        } else if read.starts_with(V2) {
            Self::V2
        } else if V1.starts_with(read) || V2.starts_with(read) {
            Self::Open
        } else {
            Self::Other
        }
    }
}

/// What a proxy says in front of a connection.
///
/// ```
/// use npws_core::{ProxyHeader, ProxyRule};
///
/// let said = b"PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n";
/// let header = ProxyRule::Required.read(said).unwrap().expect("it is complete");
/// assert_eq!(header, ProxyHeader { length: 15, source: None });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyHeader {
    /// How many bytes it is long.
    pub length: usize,
    /// Where the connection comes from, never IPv4-mapped; `None` when the proxy says that it comes from itself, or from
    /// nowhere that has an IP address: then it comes from where its socket does.
    pub source: Option<SocketAddr>,
}

impl ProxyHeader {
    /// The length of the longest header that is read.
    ///
    /// ```
    /// assert_eq!(npws_core::ProxyHeader::MAX, 4112);
    /// ```
    pub const MAX: usize = V2_FIXED + V2_REST_MAX;
}

/// One line of text.
fn v1(read: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    let start = read.get(..V1_MAX).unwrap_or(read);
    let Some(end) = start.windows(2).position(|pair| pair == b"\r\n") else {
        return if read.len() < V1_MAX { Ok(None) } else { Err(ProxyHeaderError::TooLong) };
    };
    let source = match start.get(V1.len()..end) {
        // What follows is to be ignored, whatever it is.
        Some(line) if line == b"UNKNOWN" || line.starts_with(b"UNKNOWN ") => None,
        line => {
            let source = line.and_then(|line| v1_source(str::from_utf8(line).ok()?));
            Some(source.ok_or(ProxyHeaderError::Malformed)?)
        }
    };
    Ok(Some(ProxyHeader { length: end + 2, source }))
}

/// The source in what stands behind `PROXY `.
fn v1_source(line: &str) -> Option<SocketAddr> {
    let mut parts = line.split(' ');
    let source = match parts.next()? {
        "TCP4" => v1_addresses::<Ipv4Addr>(&mut parts)?,
        "TCP6" => v1_addresses::<Ipv6Addr>(&mut parts)?,
        _ => return None,
    };
    parts.next().is_none().then_some(source)
}

fn v1_addresses<'l, A: FromStr + Into<IpAddr>>(parts: &mut impl Iterator<Item = &'l str>) -> Option<SocketAddr> {
    let [source, _]: [A; 2] = [parts.next()?.parse().ok()?, parts.next()?.parse().ok()?];
    let [port, _] = [v1_port(parts.next()?)?, v1_port(parts.next()?)?];
    Some(canonical(source.into(), port))
}

fn v1_port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// Binary, of a length that it tells.
fn v2(read: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    let Some(fixed) = read.first_chunk::<V2_FIXED>() else { return Ok(None) };
    let [.., command, family, high, low] = *fixed;
    let rest = usize::from(u16::from_be_bytes([high, low]));
    if rest > V2_REST_MAX {
        return Err(ProxyHeaderError::TooLong);
    }
    let Some(body) = read.get(V2_FIXED..V2_FIXED + rest) else { return Ok(None) };
    let source = match command {
        // The proxy for itself, whatever else it says.
        0x20 => None,
        0x21 => v2_source(family, body).ok_or(ProxyHeaderError::Malformed)?,
        _ => return Err(ProxyHeaderError::Malformed),
    };
    Ok(Some(ProxyHeader { length: V2_FIXED + rest, source }))
}

/// The addresses come first, source before destination, then both ports, then what is not looked at.
fn v2_source(family: u8, body: &[u8]) -> Option<Option<SocketAddr>> {
    const UNIX: usize = 216;
    match family {
        0x00 => Some(None),
        0x11 | 0x12 => {
            let [source @ .., _, _, _, _, high, low, _, _] = *body.first_chunk::<12>()?;
            Some(Some(canonical(IpAddr::from(source), u16::from_be_bytes([high, low]))))
        }
        0x21 | 0x22 => {
            let [high, low] = [*body.get(32)?, *body.get(33)?];
            let source = *body.get(..36)?.first_chunk::<16>()?;
            Some(Some(canonical(IpAddr::from(source), u16::from_be_bytes([high, low]))))
        }
        0x31 | 0x32 => (body.len() >= UNIX).then_some(None),
        _ => None,
    }
}

fn canonical(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address.to_canonical(), port)
}

/// Why a connection is refused for how it begins.
///
/// ```
/// use npws_core::{ProxyHeaderError, ProxyRule};
///
/// assert_eq!(ProxyRule::Optional.read(b"PROXY TCP4 nonsense\r\n"), Err(ProxyHeaderError::Malformed));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyHeaderError {
    /// A trusted proxy that must write a header wrote none.
    Missing,
    /// Somebody who is not trusted wrote one.
    Untrusted,
    /// It is not written as it has to be.
    Malformed,
    /// It is longer than [`ProxyHeader::MAX`] bytes, or than the 107 bytes of version 1.
    TooLong,
}

impl fmt::Display for ProxyHeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "a trusted proxy wrote no PROXY header",
            Self::Untrusted => "a PROXY header came from an address that is not trusted to write one",
            Self::Malformed => "a trusted proxy wrote a PROXY header that cannot be read",
            Self::TooLong => "a trusted proxy wrote a PROXY header that is too long",
        })
    }
}

impl core::error::Error for ProxyHeaderError {}

#[cfg(test)]
mod tests;
