//! One HTTP download.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::files::Hash;

/// Why a download failed.
#[derive(Debug)]
pub(super) enum DownloadError {
    Connect(std::io::Error),
    Http(hyper::Error),
    Request(hyper::http::Error),
    Status(StatusCode),
    WrongContent,
    Slow,
}

impl fmt::Display for DownloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::Http(error) => match std::error::Error::source(error) {
                Some(source) => write!(f, "{error}: {source}"),
                None => error.fmt(f),
            },
            Self::Request(error) => error.fmt(f),
            Self::Status(status) => write!(f, "the answer is {status}"),
            Self::WrongContent => f.write_str("the content is not that of the file"),
            Self::Slow => f.write_str("it took too long"),
        }
    }
}

impl std::error::Error for DownloadError {}

impl From<hyper::Error> for DownloadError {
    fn from(error: hyper::Error) -> Self {
        Self::Http(error)
    }
}

/// Downloads the file of `size` from `address` over a connection of its own, and checks it against `hash` if there is one.
/// Returns how long the answer took to begin, from before connecting.
pub(super) async fn download(address: SocketAddr, size: usize, hash: Option<Hash>) -> Result<Duration, DownloadError> {
    let began = Instant::now();
    let stream = TcpStream::connect(address).await.map_err(DownloadError::Connect)?;
    stream.set_nodelay(true).map_err(DownloadError::Connect)?;
    download_over(stream, began, size, hash).await
}

/// The same over a stream that is there already.
pub(super) async fn download_over(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    began: Instant,
    size: usize,
    hash: Option<Hash>,
) -> Result<Duration, DownloadError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(format!("/{size}"))
        .header(header::HOST, "demo")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(DownloadError::Request)?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let first_byte = began.elapsed();
        if response.status() != StatusCode::OK {
            return Err(DownloadError::Status(response.status()));
        }
        let mut body = response.into_body();
        let mut digest = hash.map(|_| Sha256::new());
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            if let Some(data) = frame?.data_ref() {
                length += data.len();
                if let Some(digest) = &mut digest {
                    digest.update(data);
                }
            }
        }
        let is_right = length == size && digest.map(|digest| Hash::from(digest.finalize())) == hash;
        if is_right { Ok(first_byte) } else { Err(DownloadError::WrongContent) }
    };
    // In one task: the exchange ends first, since it is what drives the connection to its end.
    tokio::pin!(connection);
    tokio::pin!(exchange);
    tokio::select! {
        outcome = &mut exchange => outcome,
        ended = &mut connection => {
            ended?;
            exchange.await
        }
    }
}
