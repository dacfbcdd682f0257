//! Blocks of addresses.

use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// One address or a block of them, as `192.0.2.7`, `10.0.0.0/8` or `2001:db8::/32`.
///
/// IPv4-mapped IPv6 counts as IPv4, in the block as well as in the address that is looked up, because a socket that
/// serves both families shows IPv4 peers that way. Apart from that the families are separate: `::/0` is all of IPv6 and
/// none of IPv4.
///
/// ```
/// use npws_core::IpRange;
///
/// let block: IpRange = "192.0.2.0/24".parse()?;
/// assert!(block.contains("192.0.2.7".parse().unwrap()));
/// assert!(block.contains("::ffff:192.0.2.7".parse().unwrap()));
/// assert!(!block.contains("192.0.3.7".parse().unwrap()));
/// assert_eq!("::ffff:192.0.2.0/120".parse::<IpRange>()?, block);
/// # Ok::<(), npws_core::ParseRangeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpRange {
    // Canonical: never IPv4-mapped, no bit set beyond the prefix. So equal blocks are equal values.
    first: IpAddr,
    prefix: u8,
}

impl IpRange {
    /// The block of all addresses whose first `prefix` bits are those of `first`.
    ///
    /// # Errors
    /// When `prefix` is longer than the address, or `first` has bits set beyond it: then it is not the beginning of the
    /// block, and guessing which of the two was mistyped could let in too many.
    ///
    /// ```
    /// # use npws_core::IpRange;
    /// let block = IpRange::new("10.0.0.0".parse().unwrap(), 8)?;
    /// assert_eq!(block.to_string(), "10.0.0.0/8");
    /// assert!(IpRange::new("10.0.0.1".parse().unwrap(), 8).is_err());
    /// # Ok::<(), npws_core::ParseRangeError>(())
    /// ```
    pub fn new(first: IpAddr, prefix: u8) -> Result<Self, ParseRangeError> {
        Self::checked(first, prefix, || alloc::format!("{first}/{prefix}"))
    }

    fn checked(first: IpAddr, prefix: u8, given: impl Fn() -> String) -> Result<Self, ParseRangeError> {
        if prefix > bits(first) {
            return Err(ParseRangeError::Prefix(given()));
        }
        let canonical = first.to_canonical();
        // A mapped address with a shorter prefix begins no block: it always has the bits before its last 32 set.
        let mapped = if first == canonical { 0 } else { 96 };
        let whole = match prefix.checked_sub(mapped) {
            Some(prefix) => Self { first: canonical, prefix },
            None => Self { first, prefix },
        };
        let range = Self { first: mask(whole.first, whole.prefix), ..whole };
        if range == whole { Ok(range) } else { Err(ParseRangeError::HostBits { block: given(), meant: range }) }
    }

    /// Whether the address is in the block.
    ///
    /// ```
    /// # use npws_core::IpRange;
    /// let block: IpRange = "2001:db8::/32".parse()?;
    /// assert!(block.contains("2001:db8:1::1".parse().unwrap()));
    /// # Ok::<(), npws_core::ParseRangeError>(())
    /// ```
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        mask(address.to_canonical(), self.prefix) == self.first
    }
}

const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address with all bits beyond the prefix cleared.
pub(super) fn mask(address: IpAddr, prefix: u8) -> IpAddr {
    // A shift by the whole width, which a prefix of 0 asks for, leaves nothing.
    let shift = u32::from(bits(address).saturating_sub(prefix));
    match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(shift).unwrap_or(0)).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(shift).unwrap_or(0)).into()),
    }
}

impl From<IpAddr> for IpRange {
    fn from(address: IpAddr) -> Self {
        let first = address.to_canonical();
        Self { first, prefix: bits(first) }
    }
}

impl From<Ipv4Addr> for IpRange {
    fn from(address: Ipv4Addr) -> Self {
        IpAddr::V4(address).into()
    }
}

impl From<Ipv6Addr> for IpRange {
    fn from(address: Ipv6Addr) -> Self {
        IpAddr::V6(address).into()
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == bits(self.first) { self.first.fmt(f) } else { write!(f, "{}/{}", self.first, self.prefix) }
    }
}

impl FromStr for IpRange {
    type Err = ParseRangeError;

    fn from_str(text: &str) -> Result<Self, ParseRangeError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ParseRangeError::Address(text.into()))?;
        let Some(digits) = prefix else { return Ok(address.into()) };
        // The standard parser takes a sign and leading zeros.
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
        match digits.parse() {
            Ok(prefix) if plain => Self::checked(address, prefix, || text.into()),
            _ => Err(ParseRangeError::Prefix(text.into())),
        }
    }
}

/// A text is not an address or a block of addresses. Every variant names what was given.
///
/// ```
/// use npws_core::IpRange;
///
/// let error = "10.1.2.3/8".parse::<IpRange>().unwrap_err();
/// assert_eq!(error.to_string(), "10.1.2.3/8 has bits set beyond its prefix; is 10.0.0.0/8 meant?");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseRangeError {
    /// What stands before the `/` is not an IP address.
    Address(String),
    /// What stands after the `/` is not a decimal number up to 32 for IPv4 or 128 for IPv6.
    Prefix(String),
    /// The address does not begin the block: it has bits set that belong to the hosts.
    HostBits {
        /// What was given.
        block: String,
        /// The block with that prefix that the address is in.
        meant: IpRange,
    },
}

impl fmt::Display for ParseRangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(text) => write!(f, "{text:?} is neither an IP address nor a block of them"),
            Self::Prefix(text) => {
                write!(f, "{text:?} has no prefix length of 0 to 32 for IPv4 or 0 to 128 for IPv6 after the /")
            }
            Self::HostBits { block, meant } => {
                write!(f, "{block} has bits set beyond its prefix; is {meant} meant?")
            }
        }
    }
}

impl core::error::Error for ParseRangeError {}

#[cfg(test)]
mod tests;
