//! The dialing end's upgrade.

use std::fmt;
use std::io;

use async_tungstenite::{WebSocketStream, client_async_with_config};
use npws_core::{PeerGeneration, PeerHeader};
use tungstenite::error::ProtocolError;
use tungstenite::handshake::client::{Request, generate_key, generate_request};
use tungstenite::http::header::{self, HeaderValue};
use tungstenite::http::{self, HeaderMap, Uri};
use tungstenite::protocol::{Role, WebSocketConfig};

use crate::gate::Gate;

/// What to ask for, checked once for all dials of a pool.
#[derive(Debug, Clone)]
pub(crate) struct UpgradeRequest {
    uri: Uri,
    headers: HeaderMap,
    offer: PeerHeader,
}

impl UpgradeRequest {
    /// `authority` goes into the `Host` field unless `headers` has one; `path` may have a query.
    ///
    /// Fields that belong to the upgrade itself are overwritten, and extensions dropped, since none is understood.
    pub(crate) fn new(
        authority: &str,
        path: &str,
        mut headers: HeaderMap,
        offer: PeerHeader,
    ) -> Result<Self, http::Error> {
        let uri = Uri::builder().scheme("ws").authority(authority).path_and_query(path).build()?;
        if !headers.contains_key(header::HOST) {
            headers.insert(header::HOST, HeaderValue::from_str(authority)?);
        }
        headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
        headers.remove(PeerGeneration::HEADER);
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        if let Some(value) = offer.to_header() {
            headers.insert(PeerGeneration::HEADER, HeaderValue::from_static(value));
        }
        Ok(Self { uri, headers, offer })
    }

    /// A request of its own for one dial.
    pub(crate) fn with_new_key(&self) -> Result<KeyedRequest, UpgradeError> {
        let request = self.keyed().map_err(tungstenite::Error::from)?;
        Ok(KeyedRequest { request, offer: self.offer })
    }

    fn keyed(&self) -> Result<Request, http::Error> {
        let mut request = Request::new(());
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(header::SEC_WEBSOCKET_KEY, HeaderValue::from_str(&generate_key())?);
        Ok(request)
    }
}

/// What one dial asks for.
#[derive(Debug)]
pub(crate) struct KeyedRequest {
    request: Request,
    offer: PeerHeader,
}

impl KeyedRequest {
    /// What [`upgrade`] will write first.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, UpgradeError> {
        Ok(generate_request(self.request.clone())?.0)
    }
}

/// Upgrades `gate`'s transport. Whoever calls sets the deadline.
pub(crate) async fn upgrade(
    mut gate: Gate,
    request: KeyedRequest,
    config: WebSocketConfig,
) -> Result<(WebSocketStream<Gate>, PeerHeader), UpgradeError> {
    gate.expect_head();
    let (socket, response) = client_async_with_config(request.request, gate, Some(config)).await?;
    let mut gate = socket.into_inner();
    gate.forget_first(head_length(gate.unsettled()));
    // Another one, since the first goes on for life with the buffer of its handshake, which is larger than configured.
    let rest = gate.unsettled().to_vec();
    let socket = WebSocketStream::from_partially_read(gate, rest, Role::Client, Some(config)).await;
    let answered = response.headers().get(PeerGeneration::HEADER).and_then(|value| value.to_str().ok());
    // An answer to what was not asked means nothing.
    let is_v2 = request.offer.generation == PeerGeneration::V2;
    Ok((socket, PeerHeader::from_header(answered.filter(|_| is_v2))))
}

/// How long the answer's head is at the front of `read`, of which tungstenite has parsed it already.
fn head_length(read: &[u8]) -> usize {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    match httparse::Response::new(&mut fields).parse(read) {
        Ok(httparse::Status::Complete(length)) => length,
        _ => read.len(),
    }
}

/// Why a server did not upgrade to WebSocket.
///
/// ```
/// use npws_driver::UpgradeError;
///
/// fn is_full(error: &UpgradeError) -> bool {
///     matches!(error, UpgradeError::Rejected { status: 503 })
/// }
/// assert!(is_full(&UpgradeError::Rejected { status: 503 }));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum UpgradeError {
    /// The server answered with this HTTP status instead of 101.
    Rejected {
        /// The status code.
        status: u16,
    },
    /// The transport failed, or ended before the whole answer had come.
    Io(io::Error),
    /// What came is no answer to an upgrade.
    Protocol(Box<tungstenite::Error>),
}

impl From<tungstenite::Error> for UpgradeError {
    fn from(error: tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Http(response) => Self::Rejected { status: response.status().as_u16() },
            tungstenite::Error::Io(error) => Self::Io(error),
            tungstenite::Error::Protocol(ProtocolError::HandshakeIncomplete) => {
                Self::Io(io::ErrorKind::UnexpectedEof.into())
            }
            other => Self::Protocol(Box::new(other)),
        }
    }
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected { status } => write!(f, "the server answered the upgrade with status {status}"),
            Self::Io(_) => f.write_str("the transport failed during the upgrade"),
            Self::Protocol(_) => f.write_str("the server's answer is no WebSocket upgrade"),
        }
    }
}

impl std::error::Error for UpgradeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Rejected { .. } => None,
            Self::Io(error) => Some(error),
            Self::Protocol(error) => Some(error),
        }
    }
}
