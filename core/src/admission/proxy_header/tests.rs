use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::*;

fn v2_header(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [V2, &[command, family], &length, body].concat()
}

/// The addresses of a family: source, destination and both ports.
fn v2_addresses(source: IpAddr) -> Vec<u8> {
    let ports = [0x12, 0x34, 0x01, 0xbb];
    match source {
        IpAddr::V4(source) => [&source.octets()[..], &[10, 0, 0, 1], &ports].concat(),
        IpAddr::V6(source) => [&source.octets()[..], &[0xfd; 16], &ports].concat(),
    }
}

fn source(text: &str) -> Option<SocketAddr> {
    Some(text.parse().unwrap())
}

/// The outcome for a whole header, the same however it arrives and whatever stands behind it.
#[track_caller]
fn outcome(header: &[u8]) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    for end in 0..header.len() {
        match ProxyRule::Required.read(&header[..end]) {
            Ok(None) => {}
            Ok(Some(found)) => panic!("{found:?} after {end} of {} bytes", header.len()),
            Err(error) => return Err(error),
        }
    }
    let found = ProxyRule::Required.read(header)?.expect("it is complete");
    assert_eq!(found.length, header.len());
    for behind in [&b"\x16\x03\x01"[..], b"PROXY TCP4 1.1.1.1 2.2.2.2 3 4\r\n", b"\r\n", &[0; 5000]] {
        assert_eq!(ProxyRule::Optional.read(&[header, behind].concat()), Ok(Some(found)));
    }
    Ok(found.source)
}

#[test]
fn version_1_is_read() {
    for (line, expected) in [
        ("TCP4 192.0.2.7 10.0.0.1 40000 443", source("192.0.2.7:40000")),
        ("TCP4 255.255.255.255 255.255.255.255 65535 65535", source("255.255.255.255:65535")),
        ("TCP4 192.0.2.7 10.0.0.1 0 443", source("192.0.2.7:0")),
        ("TCP6 2001:db8::7 ::1 40000 443", source("[2001:db8::7]:40000")),
        ("TCP6 ::ffff:192.0.2.7 ::ffff:10.0.0.1 40000 443", source("192.0.2.7:40000")),
        (
            "TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
            source("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
        ),
        ("UNKNOWN", None),
        ("UNKNOWN ffff::ffff ffff::ffff 65535 65535", None),
        ("UNKNOWN whatever  it says", None),
    ] {
        assert_eq!(outcome(format!("PROXY {line}\r\n").as_bytes()), Ok(expected), "{line}");
    }
    assert_eq!(outcome(b"PROXY UNKNOWN \xff\0\r\r\n"), Ok(None), "whatever it is");
}

#[test]
fn version_1_is_refused_unless_it_is_written_to_the_letter() {
    for line in [
        "",
        "TCP4",
        "TCP5 192.0.2.7 10.0.0.1 40000 443",
        "tcp4 192.0.2.7 10.0.0.1 40000 443",
        "UNKNOWNS",
        "TCP4 192.0.2.7 10.0.0.1 40000",
        "TCP4 192.0.2.7 10.0.0.1 40000 443 ",
        "TCP4 192.0.2.7 10.0.0.1 40000 443 more",
        "TCP4  192.0.2.7 10.0.0.1 40000 443",
        " TCP4 192.0.2.7 10.0.0.1 40000 443",
        "TCP4\t192.0.2.7 10.0.0.1 40000 443",
        "TCP4 2001:db8::7 ::1 40000 443",
        "TCP6 192.0.2.7 10.0.0.1 40000 443",
        "TCP4 192.0.2.07 10.0.0.1 40000 443",
        "TCP4 192.0.2.256 10.0.0.1 40000 443",
        "TCP4 192.0.2 10.0.0.1 40000 443",
        "TCP4 192.0.2.7 nonsense 40000 443",
        "TCP4 192.0.2.7 10.0.0.1 65536 443",
        "TCP4 192.0.2.7 10.0.0.1 +1 443",
        "TCP4 192.0.2.7 10.0.0.1 -1 443",
        "TCP4 192.0.2.7 10.0.0.1 01 443",
        "TCP4 192.0.2.7 10.0.0.1  443",
        "TCP4 192.0.2.7 10.0.0.1 1 x",
        "TCP4 192.0.2.7 10.0.0.1 1 2\n",
        "TCP6 [2001:db8::7] ::1 40000 443",
        "TCP6 fe80::7%eth0 ::1 40000 443",
        "TCP4 192.0.2.\u{667} 10.0.0.1 40000 443",
    ] {
        assert_eq!(outcome(format!("PROXY {line}\r\n").as_bytes()), Err(ProxyHeaderError::Malformed), "{line:?}");
    }
    assert_eq!(outcome(b"PROXY TCP4 \xff\r\n"), Err(ProxyHeaderError::Malformed));
}

#[test]
fn version_1_ends_within_107_bytes() {
    for (length, expected) in [(105, Ok(None)), (106, Err(ProxyHeaderError::TooLong))] {
        let line = format!("{:x<length$}", "PROXY UNKNOWN ");
        assert_eq!(outcome(&[line.as_bytes(), b"\r\n"].concat()), expected, "{length}");
    }
    let endless = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 5000]].concat();
    assert_eq!(ProxyRule::Required.read(&endless), Err(ProxyHeaderError::TooLong));
}

#[test]
fn version_2_is_read() {
    let v4: IpAddr = "192.0.2.7".parse().unwrap();
    let v6: IpAddr = "2001:db8::7".parse().unwrap();
    let mapped: IpAddr = "::ffff:192.0.2.7".parse().unwrap();
    let extra = [&v2_addresses(v4)[..], &[0x04, 0, 2, 0, 0], &[0xea; 100]].concat();
    for (command, family, body, expected) in [
        (0x21, 0x11, v2_addresses(v4), source("192.0.2.7:4660")),
        (0x21, 0x12, v2_addresses(v4), source("192.0.2.7:4660")),
        (0x21, 0x21, v2_addresses(v6), source("[2001:db8::7]:4660")),
        (0x21, 0x22, v2_addresses(v6), source("[2001:db8::7]:4660")),
        (0x21, 0x21, v2_addresses(mapped), source("192.0.2.7:4660")),
        (0x21, 0x11, extra, source("192.0.2.7:4660")),
        (0x21, 0x00, vec![], None),
        (0x21, 0x00, vec![7; 50], None),
        (0x21, 0x31, vec![b'/'; 216], None),
        (0x21, 0x32, vec![b'/'; 300], None),
        (0x20, 0x00, vec![], None),
        (0x20, 0x11, v2_addresses(v4), None),
        (0x20, 0xff, vec![1], None),
        (0x21, 0x11, [&v2_addresses(v4)[..], &[0; V2_REST_MAX - 12]].concat(), source("192.0.2.7:4660")),
    ] {
        let name = format!("{command:x} {family:x} {}", body.len());
        assert_eq!(outcome(&v2_header(command, family, &body)), Ok(expected), "{name}");
    }
}

#[test]
fn version_2_is_refused_unless_it_is_written_to_the_letter() {
    let v4 = v2_addresses("192.0.2.7".parse().unwrap());
    let v6 = v2_addresses("2001:db8::7".parse().unwrap());
    for (command, family, body) in [
        (0x11, 0x11, &v4[..]),
        (0x31, 0x11, &v4),
        (0x01, 0x11, &v4),
        (0x22, 0x11, &v4),
        (0x2f, 0x11, &v4),
        (0x21, 0x10, &v4),
        (0x21, 0x13, &v4),
        (0x21, 0x01, &[]),
        (0x21, 0x41, &v4),
        (0x21, 0xff, &v4),
        (0x21, 0x11, &v4[..11]),
        (0x21, 0x11, &[]),
        (0x21, 0x21, &v6[..35]),
        (0x21, 0x22, &v4),
        (0x21, 0x31, &[b'/'; 215]),
    ] {
        let name = format!("{command:x} {family:x} {}", body.len());
        assert_eq!(outcome(&v2_header(command, family, body)), Err(ProxyHeaderError::Malformed), "{name}");
    }
}

#[test]
fn version_2_says_how_long_it_is_and_that_is_bounded() {
    let mut header = v2_header(0x21, 0x11, &[]);
    header[14..].copy_from_slice(&4097_u16.to_be_bytes());
    assert_eq!(ProxyRule::Required.read(&header), Err(ProxyHeaderError::TooLong));
    header[14..].copy_from_slice(&4096_u16.to_be_bytes());
    assert_eq!(ProxyRule::Required.read(&header), Ok(None));
    header.resize(ProxyHeader::MAX, 0);
    assert_eq!(ProxyRule::Required.read(&header).unwrap().unwrap().length, ProxyHeader::MAX);
}

#[test]
fn who_is_not_trusted_is_refused_with_the_signature_alone() {
    for signature in [V1, V2] {
        for end in 0..signature.len() {
            assert_eq!(ProxyRule::Forbidden.read(&signature[..end]), Ok(None));
        }
        assert_eq!(ProxyRule::Forbidden.read(signature), Err(ProxyHeaderError::Untrusted));
    }
}

#[test]
fn what_is_no_header_is_left_alone_or_missed_as_soon_as_it_shows() {
    let none = Ok(Some(ProxyHeader { length: 0, source: None }));
    for other in [
        &b"G"[..],
        b"\x16",
        b"\n",
        b"PO",
        b"PROXY\tTCP4 192.0.2.7 10.0.0.1 40000 443\r\n",
        b"proxy TCP4",
        b"\r\n\r\n\r",
        b"\r\n\r\n\0\r\nQUIT\r",
    ] {
        assert_eq!(ProxyRule::Required.read(other), Err(ProxyHeaderError::Missing), "{other:?}");
        for rule in [ProxyRule::Optional, ProxyRule::Forbidden, ProxyRule::Ignored] {
            assert_eq!(rule.read(other), none, "{rule:?} {other:?}");
        }
    }
    assert_eq!(ProxyRule::Ignored.read(b"PROXY UNKNOWN\r\n"), none, "whoever does not ask gets it as it is");
    assert_eq!(ProxyRule::Ignored.read(b""), none, "without waiting for a byte");
}

#[test]
fn the_socket_says_which_rule_holds() {
    let trusted = || [Ipv4Addr::new(10, 0, 0, 1)];
    for (proxies, near) in [
        (ProxyProtocol::required(trusted()), ProxyRule::Required),
        (ProxyProtocol::optional(trusted()), ProxyRule::Optional),
    ] {
        for (socket, rule) in [("10.0.0.1", near), ("::ffff:10.0.0.1", near), ("10.0.0.2", ProxyRule::Forbidden)] {
            assert_eq!(proxies.rule(socket.parse().ok()), rule, "{socket}");
        }
        assert_eq!(proxies.rule(None), ProxyRule::Forbidden);
    }
}
