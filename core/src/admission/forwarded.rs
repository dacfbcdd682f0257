//! Who is really asking when proxies stand between.

use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{AllowList, trim, values};

/// More than any chain of proxies writes; so the work for one request is bounded.
const MAX_BYTES: usize = 8 * 1024;

/// The header field in which the trusted proxies say for whom they ask.
///
/// Exactly one is believed. A proxy that writes one field passes the other on as the client sent it, so a server that
/// looked at both would believe whatever anyone claims.
///
/// ```
/// use npws_core::ForwardedHeader;
///
/// assert_eq!(ForwardedHeader::XForwardedFor.name(), "X-Forwarded-For");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForwardedHeader {
    /// `Forwarded` (RFC 7239): elements with a `for` parameter.
    Forwarded,
    /// `X-Forwarded-For`: a list of addresses, each optionally with a port.
    XForwardedFor,
}

impl ForwardedHeader {
    /// The name of the field.
    ///
    /// ```
    /// assert_eq!(npws_core::ForwardedHeader::Forwarded.name(), "Forwarded");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "Forwarded",
            Self::XForwardedFor => "X-Forwarded-For",
        }
    }

    /// Everyone whom one field line names, from the left. What stands left of an untrusted address was written by
    /// nobody in particular, so an entry is judged only when the walk comes to it.
    fn entries(self, line: &[u8]) -> Result<Vec<Entry>, ForwardedError> {
        match self {
            Self::Forwarded => Parser(line).elements(),
            Self::XForwardedFor => Ok(line.split(|byte| *byte == b',').map(|entry| bare(trim(entry))).collect()),
        }
    }
}

type Entry = Result<IpAddr, ForwardedError>;

/// The address of the client, behind any number of trusted proxies.
///
/// A peer that is not trusted is the client itself, and nothing it says about itself is looked at. Otherwise the field
/// is read from the right, where the nearest proxy wrote, over all addresses that are trusted, up to the first that is
/// not: that is the client. If all are trusted it is the leftmost one, and without the field it is the peer, so a proxy
/// that asks for itself, as health checks do, is known by its own address. The result is never IPv4-mapped.
///
/// ```
/// use npws_core::{AllowList, ForwardedHeader, IpRange, client_address};
///
/// let trusted: AllowList = ["10.0.0.0/8".parse::<IpRange>()?].into();
/// let fields = [("X-Forwarded-For", "198.51.100.1, 192.0.2.7, 10.0.0.2")];
///
/// let behind = client_address("10.0.0.1".parse()?, &trusted, ForwardedHeader::XForwardedFor, fields)?;
/// assert_eq!(behind.to_string(), "192.0.2.7", "the one that claims to be 198.51.100.1");
///
/// let direct = client_address("203.0.113.9".parse()?, &trusted, ForwardedHeader::XForwardedFor, fields)?;
/// assert_eq!(direct.to_string(), "203.0.113.9", "not a trusted proxy");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When what a trusted proxy says cannot be read, or does not name an address: turn the request away. To take the proxy
/// for the client instead would give the client the proxy's rights.
pub fn client_address<'f, V>(
    peer: IpAddr,
    trusted: &AllowList,
    header: ForwardedHeader,
    fields: impl IntoIterator<Item = (&'f str, &'f V)>,
) -> Result<IpAddr, ForwardedError>
where
    V: AsRef<[u8]> + ?Sized + 'f,
{
    let mut client = peer.to_canonical();
    if !trusted.allows(Some(client)) {
        return Ok(client);
    }
    let mut lines = Vec::new();
    let mut size = 0;
    for line in values(fields, header.name()) {
        // Empty lines are not free either.
        size += line.len() + 1;
        if size > MAX_BYTES {
            return Err(ForwardedError::TooLong);
        }
        lines.push(line);
    }
    for line in lines.into_iter().rev() {
        for entry in header.entries(line)?.into_iter().rev() {
            client = entry?.to_canonical();
            if !trusted.allows(Some(client)) {
                return Ok(client);
            }
        }
    }
    Ok(client)
}

/// An entry of `X-Forwarded-For`: also IPv6 without brackets, which most proxies write.
fn bare(entry: &[u8]) -> Entry {
    let text = str::from_utf8(entry).map_err(|_| ForwardedError::Malformed)?;
    text.parse().or_else(|_| node(text))
}

/// A node identifier (RFC 7239 section 6).
fn node(text: &str) -> Entry {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or(ForwardedError::Malformed)?;
        let address: Ipv6Addr = address.parse().map_err(|_| ForwardedError::Malformed)?;
        let is_whole = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        return if is_whole { Ok(address.into()) } else { Err(ForwardedError::Malformed) };
    }
    let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    if !port.is_none_or(is_port) {
        Err(ForwardedError::Malformed)
    } else if name.eq_ignore_ascii_case("unknown") || is_obfuscated(name) {
        Err(ForwardedError::Unknown)
    } else {
        name.parse::<Ipv4Addr>().map(IpAddr::V4).map_err(|_| ForwardedError::Malformed)
    }
}

fn is_port(text: &str) -> bool {
    is_obfuscated(text) || ((1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_obfuscated(text: &str) -> bool {
    text.strip_prefix('_').is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    })
}

/// Reads a line of `Forwarded` from the left; a quoted string cannot be found from the right.
struct Parser<'a>(&'a [u8]);

impl<'a> Parser<'a> {
    fn elements(mut self) -> Result<Vec<Entry>, ForwardedError> {
        let mut elements = Vec::new();
        let mut current = None;
        loop {
            self.0 = trim(self.0);
            let name = self.token();
            if !name.is_empty() {
                self.expect(b'=')?;
                let value = self.value()?;
                if name.eq_ignore_ascii_case(b"for") {
                    let entry = str::from_utf8(&value).map_err(|_| ForwardedError::Malformed).and_then(node);
                    if current.replace(entry).is_some() {
                        return Err(ForwardedError::Malformed);
                    }
                }
            }
            self.0 = trim(self.0);
            let separator = self.0.split_off_first().copied();
            match separator {
                Some(b';') => {}
                // An element may leave out whom it is for. Then somebody was there of whom nothing is known; passing
                // over it would believe what stands left of it, which anyone may have written.
                None | Some(b',') => elements.push(current.take().unwrap_or(Err(ForwardedError::Unknown))),
                Some(_) => return Err(ForwardedError::Malformed),
            }
            if separator.is_none() {
                return Ok(elements);
            }
        }
    }

    /// The longest token (RFC 9110 section 5.6.2) from here, possibly empty.
    fn token(&mut self) -> &'a [u8] {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let length = self.0.iter().take_while(|byte| is_part(byte)).count();
        let (token, rest) = self.0.split_at(length);
        self.0 = rest;
        token
    }

    fn value(&mut self) -> Result<Vec<u8>, ForwardedError> {
        if self.0.first() == Some(&b'"') {
            return self.quoted_string();
        }
        match self.token() {
            [] => Err(ForwardedError::Malformed),
            token => Ok(token.to_vec()),
        }
    }

    fn quoted_string(&mut self) -> Result<Vec<u8>, ForwardedError> {
        self.expect(b'"')?;
        let mut value = Vec::new();
        loop {
            let byte = match self.next()? {
                b'"' => return Ok(value),
                b'\\' => self.next()?,
                byte => byte,
            };
            if byte.is_ascii_control() && byte != b'\t' {
                return Err(ForwardedError::Malformed);
            }
            value.push(byte);
        }
    }

    fn next(&mut self) -> Result<u8, ForwardedError> {
        self.0.split_off_first().copied().ok_or(ForwardedError::Malformed)
    }

    fn expect(&mut self, wanted: u8) -> Result<(), ForwardedError> {
        if self.next()? == wanted { Ok(()) } else { Err(ForwardedError::Malformed) }
    }
}

/// Why the trusted proxies do not say who the client is.
///
/// ```
/// use npws_core::{AllowList, ForwardedError, ForwardedHeader, client_address};
///
/// let proxy = "192.0.2.1".parse().unwrap();
/// let answer = client_address(proxy, &[proxy].into(), ForwardedHeader::Forwarded, [("forwarded", "for=_hidden")]);
/// assert_eq!(answer, Err(ForwardedError::Unknown));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForwardedError {
    /// The field is not written as it has to be.
    Malformed,
    /// A trusted proxy was asked by somebody whose address it does not tell: `unknown`, an obfuscated identifier such
    /// as `_hidden`, or an element without `for`.
    Unknown,
    /// The field is longer than 8 KiB.
    TooLong,
}

impl fmt::Display for ForwardedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "a trusted proxy passed on a forwarding field that cannot be read",
            Self::Unknown => "a trusted proxy does not tell the address it was asked from",
            Self::TooLong => "a trusted proxy passed on a forwarding field of more than 8 KiB",
        })
    }
}

impl core::error::Error for ForwardedError {}

#[cfg(test)]
mod tests;
