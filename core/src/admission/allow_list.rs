//! Which addresses are served.

use alloc::collections::BTreeSet;
use core::net::IpAddr;

use super::IpRange;

/// A set of addresses and blocks. An empty one holds nobody.
///
/// ```
/// use npws_core::{AllowList, IpRange};
///
/// let list = ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]
///     .into_iter()
///     .map(str::parse::<IpRange>)
///     .collect::<Result<AllowList, _>>()?;
/// assert!(list.allows("10.1.2.3".parse().ok()));
/// assert!(list.allows("::ffff:192.0.2.7".parse().ok()), "an IPv4-mapped address is the IPv4 address");
/// assert!(!list.allows("192.0.2.8".parse().ok()));
/// # Ok::<(), npws_core::ParseRangeError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList(BTreeSet<IpRange>);

impl AllowList {
    /// Whether the address is in one of the blocks. A peer without an address is in none.
    ///
    /// ```
    /// # use npws_core::{AllowList, IpRange};
    /// let everyone: AllowList = ["0.0.0.0/0", "::/0"].map(|block| block.parse::<IpRange>().unwrap()).into();
    /// assert!(everyone.allows("2001:db8::1".parse().ok()));
    /// assert!(!everyone.allows(None));
    /// assert!(!AllowList::default().allows("2001:db8::1".parse().ok()));
    /// ```
    #[must_use]
    pub fn allows(&self, address: Option<IpAddr>) -> bool {
        address.is_some_and(|address| self.0.iter().any(|range| range.contains(address)))
    }

    /// The blocks in their order, each once.
    ///
    /// ```
    /// # use npws_core::{AllowList, IpRange};
    /// let list: AllowList = ["192.0.2.7", "10.0.0.0/8"].map(|block| block.parse::<IpRange>().unwrap()).into();
    /// let blocks: Vec<_> = list.iter().map(|block| block.to_string()).collect();
    /// assert_eq!(blocks, ["10.0.0.0/8", "192.0.2.7"]);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = IpRange> + '_ {
        self.0.iter().copied()
    }

    /// Whether nobody is allowed.
    ///
    /// ```
    /// assert!(npws_core::AllowList::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<R: Into<IpRange>> FromIterator<R> for AllowList {
    fn from_iter<T: IntoIterator<Item = R>>(ranges: T) -> Self {
        Self(ranges.into_iter().map(Into::into).collect())
    }
}

impl<R: Into<IpRange>> Extend<R> for AllowList {
    fn extend<T: IntoIterator<Item = R>>(&mut self, ranges: T) {
        self.0.extend(ranges.into_iter().map(Into::into));
    }
}

impl<R: Into<IpRange>, const N: usize> From<[R; N]> for AllowList {
    fn from(ranges: [R; N]) -> Self {
        ranges.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_single_addresses_and_blocks_of_both_families() {
        let mut list = AllowList::from(["192.0.2.7".parse::<IpAddr>().unwrap()]);
        list.extend(["2001:db8::/64".parse::<IpRange>().unwrap()]);
        for (address, allowed) in [
            ("192.0.2.7", true),
            ("::ffff:192.0.2.7", true),
            ("192.0.2.6", false),
            ("2001:db8::9", true),
            ("2001:db8:0:1::", false),
        ] {
            assert_eq!(list.allows(address.parse().ok()), allowed, "{address}");
        }
    }

    #[test]
    fn the_same_block_in_another_spelling_is_one_entry() {
        let list = AllowList::from(["::ffff:10.0.0.0/104", "10.0.0.0/8"].map(|text| text.parse::<IpRange>().unwrap()));
        assert_eq!(list.iter().count(), 1);
    }

    #[test]
    fn nobody_unless_told() {
        let list = AllowList::default();
        assert!(list.is_empty() && !list.allows(None) && !list.allows("127.0.0.1".parse().ok()));
    }
}
