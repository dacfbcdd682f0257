//! What a proxy says in front of a connection, and what somebody else makes of it.

use std::net::{IpAddr, SocketAddr};

use npws_core::{ProxyHeader, ProxyHeaderError, ProxyRule};
use proxy_header::{ParseConfig, ProxiedAddress, ProxyHeader as Reference};

use super::reader::Reader;

const SIGNATURES: [&[u8]; 2] = [b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"];

/// Reads `data` as what a connection begins with. What is read must not depend on how it arrives or what follows, and a
/// parser that somebody else wrote must read the same; what is refused is told apart by its first bytes alone.
///
/// The first byte says which: `a` the beginning as it is, `b` that of version 1, `c` that of version 2, `d` two addresses
/// for somebody else to write down.
///
/// ```
/// npws_sim::fuzz::proxy_header(b"any bytes at all");
/// ```
pub fn proxy_header(data: &[u8]) {
    let mut reader = Reader::new(data);
    let kind = reader.or_zero().wrapping_sub(b'a') % 4;
    if kind == 3 {
        return written_by_another(&mut reader);
    }
    let rest = reader.bytes(usize::MAX);
    let begin = kind.checked_sub(1).map_or(&b""[..], |version| SIGNATURES[usize::from(version)]);
    let said = [begin, rest].concat();
    let outcome = as_it_arrives(&said);
    by_rule(&said, outcome);
    if let Ok(Some(header)) = outcome {
        as_another_reads_it(&said, header);
    }
}

type Outcome = Result<Option<ProxyHeader>, ProxyHeaderError>;

/// The outcome of all that was said, which each beginning of it announces.
fn as_it_arrives(said: &[u8]) -> Outcome {
    let mut first = None;
    for end in 0..=said.len().min(ProxyHeader::MAX + 300) {
        match (ProxyRule::Required.read(&said[..end]), first) {
            (Ok(None), None) => assert!(end < ProxyHeader::MAX, "more than it may be"),
            (outcome, None) => {
                if let Ok(Some(header)) = outcome {
                    assert_eq!(header.length, end, "it is read as soon as it is there, and takes no more");
                    assert!((15..=ProxyHeader::MAX).contains(&header.length));
                    let source = header.source.map(|source| source.ip());
                    assert_eq!(source.map(|ip| ip.to_canonical()), source);
                }
                first = Some(outcome);
            }
            (outcome, Some(first)) => assert_eq!(outcome, first, "what follows changes it"),
        }
    }
    first.unwrap_or(Ok(None))
}

fn by_rule(said: &[u8], outcome: Outcome) {
    let none = Ok(Some(ProxyHeader { length: 0, source: None }));
    assert_eq!(ProxyRule::Ignored.read(said), none);
    let is_signed = SIGNATURES.iter().any(|signature| said.starts_with(signature));
    let may_be_signed = SIGNATURES.iter().any(|signature| signature.starts_with(said));
    let (optional, forbidden) = (ProxyRule::Optional.read(said), ProxyRule::Forbidden.read(said));
    if is_signed {
        assert_ne!(outcome, Err(ProxyHeaderError::Missing));
        assert_eq!((optional, forbidden), (outcome, Err(ProxyHeaderError::Untrusted)));
    } else if may_be_signed {
        assert_eq!([outcome, optional, forbidden], [Ok(None); 3]);
    } else {
        assert_eq!([outcome, optional, forbidden], [Err(ProxyHeaderError::Missing), none, none]);
    }
}

/// The other parser is more generous than the protocol, so what it reads need not be read here.
fn as_another_reads_it(said: &[u8], header: ProxyHeader) {
    // Where it does not ignore all that is to be ignored.
    let is_nobody = said.starts_with(b"PROXY UNKNOWN ") || said.starts_with(b"\r\n\r\n\0\r\nQUIT\n\x20");
    match Reference::parse(said, ParseConfig::default()) {
        Ok((other, length)) => {
            assert_eq!(
                (other.proxied_address().map(|named| canonical(named.source)), length),
                (header.source, header.length)
            );
        }
        Err(error) => assert!(is_nobody, "{error}"),
    }
}

fn written_by_another(reader: &mut Reader<'_>) {
    let [source, destination] = [address(reader), address(reader)];
    let named = ProxiedAddress::stream(source, destination);
    let header = Reference::with_address(named);
    let mut written = [0; 256];
    let lengths = [header.encode_to_slice_v1(&mut written.clone()), header.encode_to_slice_v2(&mut written)];
    if source.is_ipv4() != destination.is_ipv4() {
        return assert!(lengths.iter().all(Result::is_err));
    }
    for (version, length) in lengths.into_iter().enumerate() {
        let mut written = [0; 256];
        let again = if version == 0 {
            header.encode_to_slice_v1(&mut written)
        } else {
            header.encode_to_slice_v2(&mut written)
        };
        assert!(length.is_ok() && again.is_ok(), "{header:?} cannot be written");
        let Ok(length) = length else { continue };
        let expected = ProxyHeader { length, source: Some(canonical(source)) };
        assert_eq!(ProxyRule::Required.read(&written), Ok(Some(expected)));
    }
}

fn address(reader: &mut Reader<'_>) -> SocketAddr {
    let kind = reader.or_zero();
    let mut byte = || reader.or_zero();
    let ip = if kind & 1 == 0 {
        IpAddr::from([byte(), byte(), byte(), byte()])
    } else {
        let mut octets = [0; 16];
        octets.iter_mut().for_each(|octet| *octet = byte());
        if kind & 2 != 0 {
            octets[..12].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
        }
        IpAddr::from(octets)
    };
    SocketAddr::new(ip, u16::from_be_bytes([byte(), byte()]))
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
