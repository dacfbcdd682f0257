//! Ending a TCP connection so that the other end cannot take it for complete.

use std::ops::{Deref, DerefMut};

use tokio::net::TcpStream;

/// A stream that ends with a reset when it is dropped before it is [complete](Self::complete).
#[derive(Debug)]
pub(crate) struct Unfinished {
    stream: TcpStream,
    is_complete: bool,
}

impl Unfinished {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, is_complete: false }
    }

    /// All has been said.
    pub(crate) fn complete(&mut self) {
        self.is_complete = true;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_complete {
            // Refused for a socket that is dead already.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl Deref for Unfinished {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        &self.stream
    }
}

impl DerefMut for Unfinished {
    fn deref_mut(&mut self) -> &mut TcpStream {
        &mut self.stream
    }
}
