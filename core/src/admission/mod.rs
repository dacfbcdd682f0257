//! Whom a server lets in, and how often.
//!
//! The parts are independent of each other and of the pool, and none of them does any IO or reads a clock:
//!
//! - [`client_address`] finds out who is really asking when proxies stand between that speak HTTP, [`ProxyProtocol`]
//!   when they speak the PROXY protocol;
//! - [`AllowList`] says which addresses are served;
//! - [`AddressLimits`] says how many handshakes and connections an address may have, and how fast they may come;
//! - [`OriginPolicy`] says from which web pages a browser may connect;
//! - [`Credentials`] finds the token in a request, and [`Tokens`] says whether it is a valid one.
//!
//! What they read of a request are its header fields: pairs of a name and a value, in the order in which they came.
//! Names are compared without regard to case. A value may be text or bytes.

mod address_limits;
mod allow_list;
mod credentials;
mod forwarded;
mod head_limits;
mod ip_range;
mod limits;
mod origins;
mod proxy_header;
mod tokens;

pub use address_limits::AddressLimits;
pub(crate) use address_limits::group;
pub use allow_list::AllowList;
pub use credentials::Credentials;
pub use forwarded::{ForwardedError, ForwardedHeader, client_address};
pub use head_limits::HeadLimits;
pub use ip_range::{IpRange, ParseRangeError};
pub use limits::{AddressLimitsConfig, HandshakeRate, Limited};
pub use origins::{Origin, OriginPolicy, ParseOriginError};
pub use proxy_header::{ProxyHeader, ProxyHeaderError, ProxyProtocol, ProxyRule};
pub use tokens::Tokens;

/// The values of the fields that have this name, in their order.
fn values<'f, V>(fields: impl IntoIterator<Item = (&'f str, &'f V)>, name: &str) -> impl Iterator<Item = &'f [u8]>
where
    V: AsRef<[u8]> + ?Sized + 'f,
{
    fields.into_iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_ref())
}

/// The value without the optional whitespace around it (RFC 9110 section 5.6.3).
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}
