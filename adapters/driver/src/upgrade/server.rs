//! The accepting end's upgrade.

use std::io;

use async_tungstenite::WebSocketStream;
use futures::{AsyncReadExt, AsyncWriteExt};
use npws_core::{HeadLimits, PeerGeneration, PeerHeader, Rejection};
use tungstenite::error::ProtocolError;
use tungstenite::handshake::server::{create_response, write_response};
use tungstenite::http::header::{self, HeaderName, HeaderValue};
use tungstenite::http::{HeaderMap, Method, Version};
use tungstenite::protocol::{Role, WebSocketConfig};

use super::may_end_head;
use crate::gate::Gate;
use crate::transport::Transport;

/// Why there is no request to answer.
#[derive(Debug)]
pub(crate) enum HeadError {
    Io(io::Error),
    /// The transport ended before the whole head had come.
    Ended,
    TooLarge,
    Malformed,
}

/// A request's head, and what came right behind it.
#[derive(Debug)]
pub(crate) struct Request {
    head: tungstenite::handshake::server::Request,
    leftover: Vec<u8>,
}

impl Request {
    pub(crate) fn path(&self) -> &str {
        self.head.uri().path()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.head.headers()
    }

    /// All fields, those of one name in the order in which they came.
    pub(crate) fn fields(&self) -> Vec<(&str, &[u8])> {
        self.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
    }

    /// What the peer says of itself.
    pub(crate) fn peer(&self) -> PeerHeader {
        PeerHeader::from_header(self.headers().get(PeerGeneration::HEADER).and_then(|value| value.to_str().ok()))
    }

    /// Whether this asks for a WebSocket as RFC 6455 section 4.2.1 wants it.
    pub(crate) fn check_upgrade(&self) -> Result<(), Rejection> {
        match create_response(&self.head) {
            Ok(_) if self.headers().contains_key(header::HOST) => Ok(()),
            Err(tungstenite::Error::Protocol(
                ProtocolError::WrongHttpMethod
                | ProtocolError::WrongHttpVersion
                | ProtocolError::MissingConnectionUpgradeHeader
                | ProtocolError::MissingUpgradeWebSocketHeader
                | ProtocolError::MissingSecWebSocketVersionHeader,
            )) => Err(Rejection::UpgradeRequired),
            _ => Err(Rejection::Malformed),
        }
    }
}

/// Reads one head, however it is cut. Whoever calls sets the deadline.
pub(crate) async fn read_request(transport: &mut Transport, limits: HeadLimits) -> Result<Request, HeadError> {
    const STEP: usize = 1024;
    let mut read = Vec::new();
    loop {
        let before = read.len();
        if before >= limits.max_bytes {
            return Err(HeadError::TooLarge);
        }
        read.resize(limits.max_bytes.min(before + STEP), 0);
        let n = transport.read(&mut read[before..]).await.map_err(HeadError::Io)?;
        read.truncate(before + n);
        if n == 0 {
            return Err(HeadError::Ended);
        }
        if may_end_head(&read, before)
            && let Some((head, length)) = parse(&read, limits)?
        {
            return Ok(Request { head, leftover: read.split_off(length) });
        }
    }
}

/// The head at the front of `read`, and its length; `None` if more must come.
fn parse(
    read: &[u8],
    limits: HeadLimits,
) -> Result<Option<(tungstenite::handshake::server::Request, usize)>, HeadError> {
    let mut fields = vec![httparse::EMPTY_HEADER; limits.max_fields];
    let mut raw = httparse::Request::new(&mut fields);
    let length = match raw.parse(read) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooLarge),
        Err(_) => return Err(HeadError::Malformed),
    };
    Ok(Some((convert(&raw).ok_or(HeadError::Malformed)?, length)))
}

fn convert(raw: &httparse::Request<'_, '_>) -> Option<tungstenite::handshake::server::Request> {
    let mut request = tungstenite::handshake::server::Request::new(());
    *request.method_mut() = Method::from_bytes(raw.method?.as_bytes()).ok()?;
    *request.uri_mut() = raw.path?.parse().ok()?;
    *request.version_mut() = if raw.version? == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
    let headers = request.headers_mut();
    for field in raw.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        let mut value = HeaderValue::from_bytes(field.value).ok()?;
        if name == header::CONNECTION
            && let Some(first) = headers.get(&name)
        {
            // A list may come as several fields, and tungstenite looks at the first one only.
            value = HeaderValue::from_bytes(&[first.as_bytes(), b", ", value.as_bytes()].concat()).ok()?;
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    Some(request)
}

/// Answers a request that [`Request::check_upgrade`] has approved, and says what this end is if the peer did. The answer
/// leaves with the first message, which the protocol has this end send.
pub(crate) async fn accept(
    transport: Transport,
    request: Request,
    own: PeerHeader,
    subprotocol: Option<&'static str>,
    config: WebSocketConfig,
) -> io::Result<WebSocketStream<Gate>> {
    let mut response = create_response(&request.head).map_err(io::Error::other)?;
    if request.peer().generation == PeerGeneration::V2
        && let Some(value) = own.to_header()
    {
        response.headers_mut().insert(PeerGeneration::HEADER, HeaderValue::from_static(value));
    }
    if let Some(subprotocol) = subprotocol {
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocol));
    }
    let mut head = Vec::new();
    write_response(&mut head, &response).map_err(io::Error::other)?;
    let mut gate = Gate::new(transport, &request.leftover);
    gate.prepend(&head);
    Ok(WebSocketStream::from_partially_read(gate, request.leftover, Role::Server, Some(config)).await)
}

/// Turns the peer away. Whoever calls sets the deadline.
pub(crate) async fn reject(mut transport: Transport, rejection: Rejection) -> io::Result<()> {
    /// How much of what the peer still sends is waited for.
    const LINGER: usize = 64 * 1024;
    let fields = match rejection {
        // RFC 9110 section 11.6.1 wants to hear how to authenticate.
        Rejection::Unauthorized => "WWW-Authenticate: Bearer\r\n",
        Rejection::TooMany => "Retry-After: 1\r\n",
        // RFC 9110 section 15.5.22 and RFC 6455 section 4.4: name what is asked for.
        Rejection::UpgradeRequired => "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        _ => "",
    };
    let body = format!("{}\n", rejection.phrase());
    let answer = format!(
        "HTTP/1.1 {rejection}\r\nConnection: close\r\n{fields}Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    transport.write_all(answer.as_bytes()).await?;
    transport.close().await?;
    // A socket that is dropped with unread bytes resets the connection, and the peer may lose the answer.
    let mut buf = [0; 1024];
    let mut seen = 0;
    while seen < LINGER {
        match transport.read(&mut buf).await? {
            0 => break,
            n => seen += n,
        }
    }
    Ok(())
}
