//! What a server reads of a peer before it lets it in, and of its configuration about that.

use std::net::IpAddr;

use npws_core::{AllowList, Credentials, ForwardedHeader, IpRange, Origin, OriginPolicy, Tokens, client_address};

use super::reader::Reader;

/// Reads `data` as header fields, as a chain of proxies or as an entry of the configuration, and checks that what was
/// understood reads back, that a naive reading understands the same, and that no client can speak for a proxy.
///
/// The first byte says which: `a` a block and an address, `b` lines of `Forwarded`, `c` lines of `X-Forwarded-For`, `d`
/// a chain of proxies, `e` a token or fields with one, `f` an origin.
///
/// ```
/// npws_sim::fuzz::admission(b"any bytes at all");
/// ```
pub fn admission(data: &[u8]) {
    let mut reader = Reader::new(data);
    let kind = reader.or_zero().wrapping_sub(b'a') % 6;
    let rest = reader.bytes(usize::MAX);
    match kind {
        0 => ip_range(&String::from_utf8_lossy(rest)),
        1 => forwarded(ForwardedHeader::Forwarded, rest),
        2 => forwarded(ForwardedHeader::XForwardedFor, rest),
        3 => chain(rest),
        4 => token(rest),
        _ => origin(rest),
    }
}

fn bits(address: IpAddr) -> (u32, u128) {
    match address {
        IpAddr::V4(v4) => (32, v4.to_bits().into()),
        IpAddr::V6(v6) => (128, v6.to_bits()),
    }
}

/// A block, a space and an address to look for.
fn ip_range(text: &str) {
    let (block, sought) = text.split_once(' ').unwrap_or((text, "192.0.2.7"));
    let Ok(range) = block.parse::<IpRange>() else { return };
    let shown = range.to_string();
    assert_eq!(shown.parse(), Ok(range));
    let (first, prefix) = shown.split_once('/').map_or((shown.as_str(), None), |(first, prefix)| (first, Some(prefix)));
    let first = first.parse::<IpAddr>();
    assert!(first.is_ok(), "{shown} begins with no address");
    let Ok(first) = first else { return };
    let (width, value) = bits(first);
    let prefix = prefix.map_or(Ok(width), str::parse);
    assert_eq!(
        prefix.as_ref().map(|prefix| IpRange::new(first, u8::try_from(*prefix).unwrap_or(u8::MAX))),
        Ok(Ok(range))
    );
    assert!(range.contains(first));

    let Ok(sought) = sought.parse::<IpAddr>() else { return };
    let (sought_width, sought_value) = bits(sought.to_canonical());
    let differs = (value ^ sought_value).checked_shr(width - prefix.unwrap_or(width)).is_some_and(|bits| bits != 0);
    let is_inside = width == sought_width && !differs;
    assert_eq!(range.contains(sought), is_inside, "{sought} in {range}");
    assert_eq!(AllowList::from([range]).allows(Some(sought)), is_inside);
}

fn trusted() -> AllowList {
    let blocks = ["10.0.0.0/8", "2001:db8:f::/48"].map(str::parse::<IpRange>);
    blocks.into_iter().flatten().collect()
}

const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

/// Every line of `data` is one line of the field.
fn forwarded(header: ForwardedHeader, data: &[u8]) {
    let fields = || data.split(|byte| *byte == b'\n').map(|line| (header.name(), line));
    let stranger = IpAddr::from([192, 0, 2, 9]);
    assert_eq!(client_address(stranger, &trusted(), header, fields()), Ok(stranger));
    assert_eq!(client_address(PROXY, &AllowList::default(), header, fields()), Ok(PROXY));

    let Ok(client) = client_address(PROXY, &trusted(), header, fields()) else { return };
    assert_eq!(client, client.to_canonical());
    // Longer ones would be refused with the claim and accepted without it.
    if data.len() < 8000 && !trusted().allows(Some(client)) {
        for claim in ["198.51.100.1", "for=198.51.100.1", "for=198.51.100.1;by=\"", "\"", ""] {
            let fields = [(header.name(), claim.as_bytes())].into_iter().chain(fields());
            assert_eq!(client_address(PROXY, &trusted(), header, fields), Ok(client), "the claim {claim:?} counts");
        }
    }
}

/// Every byte is one address of a chain of proxies; both fields say the same of it, in any spelling.
fn chain(data: &[u8]) {
    let data = data.get(..200).unwrap_or(data);
    let mut client = PROXY;
    for byte in data.iter().rev() {
        client = hop(*byte).0;
        if !trusted().allows(Some(client)) {
            break;
        }
    }
    for (header, spelling) in [
        (ForwardedHeader::XForwardedFor, (|byte| hop(byte).1) as fn(u8) -> String),
        (ForwardedHeader::Forwarded, |byte| hop(byte).2),
    ] {
        let texts: Vec<String> = data.iter().map(|byte| spelling(*byte)).collect();
        let lines = texts.iter().map(|text| (header.name(), text.as_str()));
        assert_eq!(client_address(PROXY, &trusted(), header, lines), Ok(client), "{texts:?}");
        if !texts.is_empty() {
            let line = texts.join(if data.len() % 2 == 0 { "," } else { " ,\t" });
            let fields = [(header.name(), line.as_str())];
            assert_eq!(client_address(PROXY, &trusted(), header, fields), Ok(client), "{line:?}");
        }
    }
}

/// An address, as `X-Forwarded-For` has it, and as `Forwarded` has it.
fn hop(byte: u8) -> (IpAddr, String, String) {
    let number = u16::from(byte >> 3);
    let [_, low] = number.to_be_bytes();
    let address = match byte & 3 {
        0 | 1 => IpAddr::from([10, 0, 0, low]),
        2 => IpAddr::from([192, 0, 2, low]),
        _ => IpAddr::from([0x2001, 0xdb8, if byte & 4 == 0 { 0xf } else { 0 }, 0, 0, 0, 0, number]),
    };
    let has_port = byte & 8 != 0;
    match address {
        IpAddr::V4(_) if has_port => {
            (address, format!("{address}:{number}"), format!("proto=https; For=\"{address}:_{number}\""))
        }
        IpAddr::V4(_) => (address, format!("::ffff:{address}"), format!("for={address};by=\"a,b\\\";c\"")),
        IpAddr::V6(_) if has_port => {
            (address, format!("[{address}]:{number}"), format!("for=\"[{address}]:{number}\""))
        }
        IpAddr::V6(_) => (address, address.to_string(), format!("FOR=\"\\[{address}]\"")),
    }
}

/// A token, or lines of both fields that may hold one.
fn token(data: &[u8]) {
    for name in ["Authorization", "Sec-WebSocket-Protocol"] {
        let credentials = Credentials::of(data.split(|byte| *byte == b'\n').map(|line| (name, line)));
        assert!(credentials.subprotocol().is_none_or(|subprotocol| subprotocol == Credentials::SUBPROTOCOL));
        if let Some(token) = credentials.token() {
            assert!(!token.is_empty() && data.windows(token.len()).any(|part| part == token));
            assert!(token.iter().all(u8::is_ascii_graphic));
            let own = Tokens::new(str::from_utf8(token));
            assert!(own.map_or(token.len() > 512, |own| own.accepts(token)), "what is read can be a token");
        }
    }

    let text = String::from_utf8_lossy(data);
    let Ok(tokens) = Tokens::new(["another", &text]) else { return };
    assert!(tokens.accepts(data) && tokens.accepts(b"another"));
    assert!(!tokens.accepts(&[data, b"x"].concat()) && !tokens.accepts(b""));
    assert_eq!(format!("{tokens:?}"), "Tokens(2)");
    let value = format!("bEaReR {text}");
    assert_eq!(Credentials::of([("authorization", &value)]).token(), Some(data));
    let value = format!("npws, {}{text}", Credentials::BEARER_PREFIX);
    let credentials = Credentials::of([("sec-websocket-protocol", &value)]);
    assert_eq!(credentials.subprotocol(), Some("npws"));
    let fits = !data.iter().any(|byte| b"+/=".contains(byte));
    assert_eq!(credentials.token(), fits.then_some(data));
}

fn origin(data: &[u8]) {
    let fields = [("Origin", data)];
    assert!(OriginPolicy::Any.admits(fields) && !OriginPolicy::NoBrowsers.admits(fields));
    let Some(origin) = str::from_utf8(data).ok().and_then(|text| text.parse::<Origin>().ok()) else {
        let listed = "https://app.example".parse::<Origin>().into_iter().collect();
        // Spaces around the value are no part of it.
        assert!(!OriginPolicy::Allow(listed).admits(fields) || data.trim_ascii() != data);
        return;
    };
    let shown = origin.to_string();
    assert_eq!(shown.parse().as_ref(), Ok(&origin));
    assert!(shown.len() <= data.len() + 64, "{shown}");
    let policy = OriginPolicy::Require([origin].into());
    assert!(policy.admits(fields) && policy.admits([("origin", &shown)]));
    assert!(!policy.admits([("origin", &format!("{shown}.evil"))]));
}
