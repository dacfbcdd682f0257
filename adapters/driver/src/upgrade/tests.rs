//! Both ends of the upgrade, against raw HTTP and against each other.

use std::task::Poll;

use futures::{AsyncReadExt, StreamExt};
use npws_core::{HeadLimits, PeerGeneration, PeerHeader, Rejection};
use tungstenite::Message;
use tungstenite::http::HeaderMap;

use super::client::{UpgradeError, UpgradeRequest, upgrade};
use super::server::{HeadError, Request, accept, read_request, reject};
use super::websocket_config;
use crate::gate::Gate;
use crate::testing::{End, MAX_MESSAGE, frame, masked, pipe, poll_once, transport};

const FIELDS: [&str; 5] = [
    "Host: pool.example",
    "Connection: keep-alive, Upgrade",
    "Upgrade: WebSocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

fn header(is_v2: bool) -> PeerHeader {
    let generation = if is_v2 { PeerGeneration::V2 } else { PeerGeneration::V1 };
    PeerHeader { generation, opens: false }
}

fn head(first: &str, fields: &[&str]) -> String {
    format!("{first}\r\n{}\r\n\r\n", fields.join("\r\n"))
}

/// The standard request with the field that begins like `field` replaced, or removed if `field` ends there.
fn with(field: &str) -> String {
    let name = field.split(':').next().unwrap();
    let is_other = |other: &&str| !other.starts_with(name);
    let mut fields: Vec<_> = FIELDS.into_iter().filter(is_other).collect();
    if field.contains(": ") {
        fields.push(field);
    }
    head("GET / HTTP/1.1", &fields)
}

fn read(bytes: &[u8], limits: HeadLimits) -> Result<Request, HeadError> {
    let (near, mut far) = pipe(1 << 20);
    far.send(bytes);
    drop(far);
    smol::block_on(read_request(&mut transport(near), limits))
}

fn check(request: &str) -> Result<(), Rejection> {
    match read(request.as_bytes(), HeadLimits::default()) {
        Ok(request) => request.check_upgrade(),
        Err(HeadError::Malformed) => Err(Rejection::Malformed),
        Err(error) => panic!("{error:?}"),
    }
}

fn gate(end: End) -> Gate {
    Gate::new(transport(end), &[])
}

fn request(offer_v2: bool) -> UpgradeRequest {
    UpgradeRequest::new("pool.example:8443", "/pool?x=1", HeaderMap::new(), header(offer_v2)).unwrap()
}

#[test]
fn a_head_is_understood_however_it_dribbles_in() {
    let stream = [b"\r\n", head("GET /a/b?c HTTP/1.1", &FIELDS).as_bytes(), &masked(0x82, b"early")].concat();
    let end = stream.windows(4).rposition(|four| four == b"\r\n\r\n").unwrap() + 4;
    let (near, mut far) = pipe(1 << 20);
    let mut transport = transport(near);
    let mut reading = Box::pin(read_request(&mut transport, HeadLimits::default()));
    for byte in &stream[..end - 1] {
        far.send(&[*byte]);
        assert!(poll_once(&mut reading).is_pending());
    }
    far.send(&stream[end - 1..]);
    let Poll::Ready(Ok(request)) = poll_once(&mut reading) else { panic!("no request") };
    assert_eq!(request.path(), "/a/b");
    assert_eq!(request.check_upgrade(), Ok(()));
}

#[test]
fn only_an_upgrade_to_version_13_is_one() {
    use Rejection::{Malformed, UpgradeRequired};

    let cases = [
        (head("GET / HTTP/1.1", &FIELDS), Ok(())),
        (with("Connection: keep-alive\r\nConnection: Upgrade"), Ok(())),
        (with("Connection: upgrade"), Ok(())),
        (head("POST / HTTP/1.1", &FIELDS), Err(UpgradeRequired)),
        (head("GET / HTTP/1.0", &FIELDS), Err(UpgradeRequired)),
        (head("GET / HTTP/1.1", &["Host: pool.example"]), Err(UpgradeRequired)),
        (with("Connection: close"), Err(UpgradeRequired)),
        (with("Upgrade: h2c"), Err(UpgradeRequired)),
        (with("Sec-WebSocket-Version: 8"), Err(UpgradeRequired)),
        (with("Sec-WebSocket-Version"), Err(UpgradeRequired)),
        (with("Sec-WebSocket-Key"), Err(Malformed)),
        (with("Sec-WebSocket-Key: short"), Err(Malformed)),
        (with("Host"), Err(Malformed)),
        (head("GET / HTTP/1.1", &["no colon"]), Err(Malformed)),
        (head("GET /\u{7f} HTTP/1.1", &FIELDS), Err(Malformed)),
        ("\x16\x03\x01\x02\x00\x01\x00".into(), Err(Malformed)),
    ];
    for (request, expected) in cases {
        assert_eq!(check(&request), expected, "{request}");
    }
}

#[test]
fn a_head_is_bounded_and_must_be_whole() {
    let limits = HeadLimits { max_bytes: 1000, max_fields: 6 };
    let padded = |n: usize| head("GET / HTTP/1.1", &[&FIELDS[..], &[&format!("X: {}", "x".repeat(n))]].concat());
    let overhead = padded(0).len();
    assert!(read(padded(1000 - overhead).as_bytes(), limits).is_ok());
    assert!(matches!(read(padded(1001 - overhead).as_bytes(), limits), Err(HeadError::TooLarge)));
    let fields = [&FIELDS[..], &["A: 1", "B: 2"]].concat();
    assert!(matches!(read(head("GET / HTTP/1.1", &fields).as_bytes(), limits), Err(HeadError::TooLarge)));
    assert!(matches!(read(b"GET / HT", limits), Err(HeadError::Ended)));
    assert!(matches!(read(b"", limits), Err(HeadError::Ended)));
}

#[test]
fn a_rejection_is_a_whole_http_answer_that_a_slow_peer_can_read() {
    for rejection in
        [Rejection::Unauthorized, Rejection::Forbidden, Rejection::UpgradeRequired, Rejection::TooMany, Rejection::Full]
    {
        let (near, mut far) = pipe(1 << 20);
        far.send(b"a body that nobody asked for");
        let mut rejecting = Box::pin(reject(transport(near), rejection));
        assert!(poll_once(&mut rejecting).is_pending(), "the peer has not closed");
        assert_eq!(far.unread(), 0);
        let mut answer = String::new();
        smol::block_on(far.read_to_string(&mut answer)).unwrap();
        drop(far);
        assert!(matches!(poll_once(&mut rejecting), Poll::Ready(Ok(()))));

        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {rejection}\r\n")), "{head}");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
        assert!(head.contains("Connection: close"), "{head}");
        let is_426 = rejection == Rejection::UpgradeRequired;
        assert_eq!(head.contains("Sec-WebSocket-Version: 13"), is_426, "{head}");
        assert_eq!(head.contains("WWW-Authenticate: Bearer\r\n"), rejection == Rejection::Unauthorized, "{head}");
        assert_eq!(head.contains("Retry-After: 1\r\n"), rejection == Rejection::TooMany, "{head}");
    }
}

#[test]
fn the_ends_upgrade_each_other_and_agree_on_the_generation() {
    use PeerGeneration::{V1, V2};
    for (offer, answer, of_client, of_server) in
        [(false, false, V1, V1), (true, false, V1, V2), (false, true, V1, V1), (true, true, V2, V2)]
    {
        let (near, far) = pipe(1 << 20);
        let config = websocket_config(MAX_MESSAGE, None);
        let serving = async {
            let mut transport = transport(far);
            let request = read_request(&mut transport, HeadLimits::default()).await.unwrap();
            assert_eq!((request.path(), request.peer().generation), ("/pool", of_server));
            assert_eq!(request.headers().get("host").unwrap(), "pool.example:8443");
            request.check_upgrade().unwrap();
            let mut socket = accept(transport, request, header(answer), None, config).await.unwrap();
            socket.send(Message::binary(&b"name"[..])).await.unwrap();
            socket
        };
        let request = request(offer);
        let dialing = upgrade(gate(near), request.with_new_key().unwrap(), config);
        let ((mut client, generation), mut server) =
            smol::block_on(async { futures::join!(async { dialing.await.unwrap() }, serving) });
        assert_eq!(generation.generation, of_client);
        smol::block_on(async {
            assert_eq!(client.next().await.unwrap().unwrap(), Message::binary(&b"name"[..]));
            client.send(Message::binary(&b"ping"[..])).await.unwrap();
            assert_eq!(server.next().await.unwrap().unwrap(), Message::binary(&b"ping"[..]));
        });
    }
}

#[test]
fn data_right_behind_a_head_is_kept() {
    let (near, mut far) = pipe(1 << 20);
    far.send(
        &[head("GET / HTTP/1.1", &FIELDS).as_bytes(), &masked(0x82, b"early"), &masked(0x82, b"part")[..5]].concat(),
    );
    let mut socket = smol::block_on(async {
        let mut transport = transport(near);
        let request = read_request(&mut transport, HeadLimits::default()).await.unwrap();
        accept(transport, request, header(true), None, websocket_config(MAX_MESSAGE, None)).await.unwrap()
    });
    assert_eq!(socket.get_ref().unsettled(), [&masked(0x82, b"early")[..], &masked(0x82, b"part")[..5]].concat());
    assert_eq!(smol::block_on(socket.next()).unwrap().unwrap(), Message::binary(&b"early"[..]));
    assert!(poll_once(socket.next()).is_pending());
    far.send(&masked(0x82, b"part")[5..]);
    assert_eq!(smol::block_on(socket.next()).unwrap().unwrap(), Message::binary(&b"part"[..]));
}

#[test]
fn an_answer_is_understood_however_it_dribbles_in() {
    let (near, mut far) = pipe(1 << 20);
    let request = request(true);
    let mut upgrading =
        Box::pin(upgrade(gate(near), request.with_new_key().unwrap(), websocket_config(MAX_MESSAGE, None)));
    assert!(poll_once(&mut upgrading).is_pending());
    let asked = String::from_utf8(far.receive()).unwrap();
    let key = asked.lines().filter_map(|line| line.split_once(": "));
    let key =
        key.filter(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Key")).map(|(_, value)| value).next().unwrap();
    let filler = format!("X-Filler: {}", "-".repeat(900));
    let accept = format!("Sec-WebSocket-Accept: {}", tungstenite::handshake::derive_accept_key(key.as_bytes()));
    let fields = ["Connection: Upgrade", "Upgrade: websocket", "Npws-Version: 2", &filler, &accept];
    let answer = [head("HTTP/1.1 101 Switching Protocols", &fields).as_bytes(), &frame(0x82, b"data")].concat();
    let end = answer.len() - 6;
    for byte in &answer[..end - 1] {
        far.send(&[*byte]);
        assert!(poll_once(&mut upgrading).is_pending());
    }
    far.send(&answer[end - 1..]);
    let Poll::Ready(Ok((mut socket, peer))) = poll_once(&mut upgrading) else { panic!("no upgrade") };
    assert_eq!(peer.generation, PeerGeneration::V2);
    assert_eq!(socket.get_ref().unsettled(), frame(0x82, b"data"), "what came behind the head is not lost");
    assert_eq!(smol::block_on(socket.next()).unwrap().unwrap(), Message::binary(&b"data"[..]));
}

#[test]
fn frames_right_behind_the_answer_are_all_that_counts_as_read() {
    for (offer, generation) in [(true, PeerGeneration::V2), (false, PeerGeneration::V1)] {
        let (near, mut far) = pipe(1 << 20);
        let request = request(offer);
        let mut upgrading =
            Box::pin(upgrade(gate(near), request.with_new_key().unwrap(), websocket_config(MAX_MESSAGE, None)));
        assert!(poll_once(&mut upgrading).is_pending());
        let asked = String::from_utf8(far.receive()).unwrap();
        assert!(asked.starts_with("GET /pool?x=1 HTTP/1.1\r\n"), "{asked}");
        let field = |name: &str| {
            let fields = asked.lines().filter_map(|line| line.split_once(": "));
            fields.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
        };
        assert_eq!(field("Npws-Version"), offer.then_some("2"));
        let key = field("Sec-WebSocket-Key").unwrap();
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\nNpws-Version: 2\r\n\r\n",
            tungstenite::handshake::derive_accept_key(key.as_bytes())
        );
        let id = frame(0x82, &[1, 2, 3, 4]);
        far.send(&[answer.as_bytes(), &id].concat());
        let Poll::Ready(Ok((socket, answered))) = poll_once(&mut upgrading) else { panic!("not upgraded") };
        assert_eq!(answered.generation, generation, "an answer to what was not asked means nothing");
        assert_eq!(socket.get_ref().unsettled(), id);
    }
}

#[test]
fn a_failed_upgrade_says_why() {
    let upgrade_with = |answer: &[u8]| {
        let (near, mut far) = pipe(1 << 20);
        far.send(answer);
        let request = request(true);
        far.end();
        smol::block_on(upgrade(gate(near), request.with_new_key().unwrap(), websocket_config(MAX_MESSAGE, None)))
            .unwrap_err()
    };
    let full = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    assert!(matches!(upgrade_with(full), UpgradeError::Rejected { status: 503 }));
    assert!(matches!(upgrade_with(b"SSH-2.0-server\r\n"), UpgradeError::Protocol(_)));
    let (near, mut far) = pipe(1 << 20);
    far.send(b"220 mail.example\r\n");
    let asking = request(true);
    let outcome =
        poll_once(Box::pin(upgrade(gate(near), asking.with_new_key().unwrap(), websocket_config(MAX_MESSAGE, None))));
    assert!(matches!(outcome, Poll::Ready(Err(UpgradeError::Protocol(_)))), "what is no HTTP is not waited for");
    let cut = upgrade_with(b"HTTP/1.1 101 Swi");
    assert!(matches!(&cut, UpgradeError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof), "{cut:?}");
}

#[test]
fn a_users_fields_travel_and_cannot_break_the_upgrade() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("authorization", "Bearer x"),
        ("host", "front.example"),
        ("connection", "close"),
        ("sec-websocket-version", "8"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("npws-version", "2"),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    let request = UpgradeRequest::new("pool.example", "/", headers, header(false)).unwrap();
    let (near, far) = pipe(1 << 20);
    let mut upgrading =
        Box::pin(upgrade(gate(near), request.with_new_key().unwrap(), websocket_config(MAX_MESSAGE, None)));
    assert!(poll_once(&mut upgrading).is_pending());
    let asked = smol::block_on(read_request(&mut transport(far), HeadLimits::default())).unwrap();
    assert_eq!(asked.check_upgrade(), Ok(()));
    assert_eq!(asked.peer().generation, PeerGeneration::V1);
    let field = |name: &str| asked.headers().get(name).map(|value| value.to_str().unwrap());
    assert_eq!(field("authorization"), Some("Bearer x"));
    assert_eq!(field("host"), Some("front.example"));
    assert_eq!(field("sec-websocket-extensions"), None);
}

#[test]
fn what_is_no_authority_or_path_is_refused_before_any_dial() {
    for (authority, path) in [("", "/"), ("a b", "/"), ("pool.example", "no slash at all, but spaces")] {
        assert!(
            UpgradeRequest::new(authority, path, HeaderMap::new(), header(true)).is_err(),
            "{authority:?} {path:?}"
        );
    }
}
