use alloc::string::ToString;

use proptest::prelude::*;

use super::*;

fn range(text: &str) -> IpRange {
    text.parse().unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn borders_of_blocks() {
    let cases = [
        ("10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"),
        ("192.0.2.128/25", "192.0.2.128", "192.0.2.255", "192.0.2.127", "192.0.3.0"),
        ("192.0.2.6/31", "192.0.2.6", "192.0.2.7", "192.0.2.5", "192.0.2.8"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.6", "192.0.2.8"),
        (
            "2001:db8::/32",
            "2001:db8::",
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db9::",
        ),
        ("2001:db8::/127", "2001:db8::", "2001:db8::1", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::2"),
    ];
    for (block, first, last, before, after) in cases {
        let block = range(block);
        for inside in [first, last] {
            assert!(block.contains(address(inside)), "{inside} is in {block}");
        }
        for outside in [before, after] {
            assert!(!block.contains(address(outside)), "{outside} is not in {block}");
        }
    }
}

#[test]
fn mapped_addresses_are_ipv4_on_both_sides() {
    assert_eq!(range("::ffff:192.0.2.0/120"), range("192.0.2.0/24"));
    assert_eq!(range("::ffff:192.0.2.7"), range("192.0.2.7"));
    assert_eq!(range("::ffff:192.0.2.7/128"), range("192.0.2.7/32"));
    assert_eq!(range("::ffff:0:0/96"), range("0.0.0.0/0"));
    assert_eq!(IpRange::from(address("::ffff:192.0.2.7")), range("192.0.2.7"));
    assert!(range("::ffff:192.0.2.0/120").contains(address("192.0.2.9")));
    assert!(range("192.0.2.0/24").contains(address("::ffff:192.0.2.9")));
}

#[test]
fn a_block_of_one_family_holds_none_of_the_other() {
    assert!(!range("::/0").contains(address("192.0.2.7")));
    assert!(!range("::/0").contains(address("::ffff:192.0.2.7")));
    assert!(!range("0.0.0.0/0").contains(address("2001:db8::1")));
    assert!(!range("0.0.0.0/0").contains(address("::")));
    assert!(range("::/0").contains(address("ffff::")));
    assert!(range("0.0.0.0/0").contains(address("255.255.255.255")));
    // The deprecated "compatible" form is not the mapped one.
    assert!(!range("192.0.2.7").contains(address("::192.0.2.7")));
}

#[test]
fn a_block_wider_than_the_mapped_ones_is_one_of_ipv6() {
    assert!(!range("::fffe:0:0/95").contains(address("192.0.2.7")));
    assert!(range("::fffe:0:0/95").contains(address("::fffe:0:1")));
}

#[test]
fn host_bits_are_refused_and_named() {
    for (text, meant) in [
        ("10.0.0.1/8", "10.0.0.0/8"),
        ("192.0.2.7/0", "0.0.0.0/0"),
        ("2001:db8::1/64", "2001:db8::/64"),
        ("::ffff:192.0.2.7/120", "192.0.2.0/24"),
        ("::ffff:0:0/95", "::fffe:0:0/95"),
    ] {
        let error = text.parse::<IpRange>().unwrap_err();
        assert_eq!(error, ParseRangeError::HostBits { block: text.into(), meant: range(meant) });
        assert!(error.to_string().contains(text) && error.to_string().contains(meant), "{error}");
    }
}

#[test]
fn what_is_no_address_is_refused() {
    for text in ["", "/8", "10.0.0/8", "10.0.0.0.0/8", "010.0.0.0/8", "example.org", "fe80::1%eth0", "[::1]", " ::1"] {
        assert_eq!(text.parse::<IpRange>(), Err(ParseRangeError::Address(text.into())));
    }
}

#[test]
fn what_is_no_prefix_length_is_refused() {
    for text in [
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/08",
        "10.0.0.0/+8",
        "10.0.0.0/-1",
        "10.0.0.0/ 8",
        "10.0.0.0/8/8",
        "10.0.0.0/256",
        "10.0.0.0/255.0.0.0",
        "::/129",
        "::/00",
        "::/99999999999999999999",
    ] {
        assert_eq!(text.parse::<IpRange>(), Err(ParseRangeError::Prefix(text.into())));
    }
}

#[test]
fn order_is_by_family_then_address_then_prefix() {
    let mut ranges = ["::/0", "10.0.0.0/16", "192.0.2.1", "10.0.0.0/8"].map(range);
    ranges.sort();
    assert_eq!(ranges.map(|range| range.to_string()), ["10.0.0.0/8", "10.0.0.0/16", "192.0.2.1", "::/0"]);
}

/// Whether the first bits are the same, one by one.
fn shares(a: IpAddr, b: IpAddr, prefix: u8) -> bool {
    let bit = |address: IpAddr, index: u8| match address {
        IpAddr::V4(v4) => v4.octets()[usize::from(index / 8)] >> (7 - index % 8) & 1,
        IpAddr::V6(v6) => v6.octets()[usize::from(index / 8)] >> (7 - index % 8) & 1,
    };
    a.is_ipv4() == b.is_ipv4() && (0..prefix).all(|index| bit(a, index) == bit(b, index))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn contains_compares_the_first_bits_and_the_text_reads_back(
        base: IpAddr, other: IpAddr, flips in 0_u8..128, prefix in 0_u8..=128,
    ) {
        let prefix = prefix % (bits(base) + 1);
        prop_assume!(base.to_canonical() == base);
        let range = IpRange::new(mask(base, prefix), prefix).unwrap();
        prop_assert_eq!(range.to_string().parse::<IpRange>().unwrap(), range);
        let near = match base {
            IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() ^ 1 << (flips % 32)).into()),
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() ^ 1 << flips).into()),
        };
        for address in [base, other, near] {
            prop_assert_eq!(range.contains(address), shares(base, address.to_canonical(), prefix));
            if let IpAddr::V4(v4) = address {
                prop_assert_eq!(range.contains(v4.to_ipv6_mapped().into()), range.contains(address));
            }
        }
    }
}
