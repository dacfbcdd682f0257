//! The HTTP server that the tunnel leads to.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::files::Files;

/// Serves `files` under their sizes on a port of its own.
pub(super) async fn start(files: Arc<Files>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, files.clone()));
        }
    });
    Ok(address)
}

async fn serve(stream: TcpStream, files: Arc<Files>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let response = respond(&request, &files);
        async { Ok::<_, Infallible>(response) }
    });
    // Fails when the tunnel cuts it, which is a part of the demo.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

fn respond(request: &Request<Incoming>, files: &Files) -> Response<Full<Bytes>> {
    let size = request.uri().path().trim_start_matches('/').parse().ok();
    match size.and_then(|size| files.get(size)) {
        Some((file, _)) => Response::new(Full::new(file)),
        None => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}
