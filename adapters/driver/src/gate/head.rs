//! The answer to an upgrade, gathered until it is whole.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::AsyncRead;

/// tungstenite takes a head that arrives in many small pieces for an attack and gives the handshake up. So it gets the
/// head at once, and the dial's deadline is what ends a server that never comes to the end of it.
#[derive(Debug, Default)]
pub(super) struct Head {
    bytes: Vec<u8>,
    is_whole: bool,
    given: usize,
}

impl Head {
    /// What is longer is for tungstenite to judge.
    const LIMIT: usize = 16 * 1024;

    /// Gives bytes of what was gathered, once that is a whole head or never will be. `None` when all was given.
    pub(super) fn poll_read(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<Option<usize>>> {
        while !self.is_whole {
            let before = self.bytes.len();
            self.bytes.resize(before + 1024, 0);
            let polled = Pin::new(&mut *from).poll_read(cx, &mut self.bytes[before..]);
            let read = if let Poll::Ready(Ok(read)) = polled { read } else { 0 };
            self.bytes.truncate(before + read);
            let read = ready!(polled)?;
            let new = &self.bytes[before.saturating_sub(3)..];
            let is_over = new.windows(4).any(|end| end == b"\r\n\r\n") || new.windows(2).any(|end| end == b"\n\n");
            let is_http = self.bytes.iter().zip(b"HTTP/").all(|(byte, expected)| byte == expected);
            self.is_whole = read == 0 || is_over || !is_http || self.bytes.len() >= Self::LIMIT;
        }
        let rest = &self.bytes[self.given..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.given += n;
        Poll::Ready(Ok((n > 0).then_some(n)))
    }
}
