//! What stands between tungstenite and the transport.

mod claim_filter;
mod frames;
mod head;
mod mask;
mod outbox;
mod transcript;

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use futures::{AsyncRead, AsyncWrite};

use self::claim_filter::ClaimFilter;
pub(crate) use self::frames::Direct;
use self::frames::Frames;
use self::head::Head;
use self::outbox::Outbox;
use self::transcript::Transcript;
use crate::transport::Transport;

/// What may wait for more to leave with.
const TOGETHER: usize = 4 * 1024;

/// The byte stream below a connection's WebSocket, as [`Connection::into_websocket`](crate::Connection::into_websocket)
/// hands it out: plain or TLS, over whatever the pool connected.
///
/// ```
/// use npws_driver::{Connection, Gate};
/// use async_tungstenite::WebSocketStream;
///
/// async fn whole_messages(connection: Connection) -> Option<WebSocketStream<Gate>> {
///     connection.into_websocket().await.ok()
/// }
/// ```
///
/// Inside the pool it does what tungstenite's own limits, which are fixed for life, cannot: it sees bytes arrive before
/// they are a message, stops reading at a budget, and knows what tungstenite has read but not handed out.
pub struct Gate {
    transport: Transport,
    arrived: u64,
    /// How many bytes may lie in tungstenite without being a whole message.
    budget: Option<usize>,
    stopped: Option<Waker>,
    /// `None` once nobody can ask for it any more.
    transcript: Option<Transcript>,
    /// Goes before what tungstenite writes.
    outbox: Outbox,
    /// So many bytes that are still to be written have been written by other means.
    skip: usize,
    muted: bool,
    /// What is read first is given at once.
    head: Option<Head>,
    filter: Option<ClaimFilter>,
    /// Once payloads may go around tungstenite. Boxed, for most connections are idle.
    frames: Option<Box<Frames>>,
    guard: Option<Box<dyn Send + Sync>>,
}

impl Gate {
    /// A gate whose reader was given `already_read` by other means.
    pub(crate) fn new(transport: Transport, already_read: &[u8]) -> Self {
        let mut transcript = Transcript::default();
        transcript.record(already_read);
        Self {
            transport,
            arrived: already_read.len() as u64,
            budget: None,
            stopped: None,
            transcript: Some(transcript),
            outbox: Outbox::default(),
            skip: 0,
            muted: false,
            head: None,
            filter: None,
            frames: None,
            guard: None,
        }
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(crate) fn transport_mut(&mut self) -> &mut Transport {
        &mut self.transport
    }

    /// How many bytes have arrived in all.
    pub(crate) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Bounds how much of unfinished messages is read; reading waits while there is more. `None` is no bound.
    pub(crate) fn set_budget(&mut self, budget: Option<usize>) {
        self.budget = budget;
        self.transport.set_read_ahead(budget.is_none());
        self.resume();
    }

    /// Whether reading waits for a larger budget.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// What arrives first is the answer to an upgrade, to be read when it is whole.
    pub(crate) fn expect_head(&mut self) {
        self.head = Some(Head::default());
    }

    /// The first `n` bytes read were no frames.
    pub(crate) fn forget_first(&mut self, n: usize) {
        self.settle(|transcript| transcript.forget_first(n));
    }

    /// What of the bytes read so far is no frame yet: the answer to an upgrade.
    pub(crate) fn unsettled(&self) -> &[u8] {
        self.transcript.as_ref().map(Transcript::bytes).unwrap_or_default()
    }

    /// The reader has handled the earliest data message that was not settled before.
    pub(crate) fn settle_data(&mut self) {
        self.settle(Transcript::settle_data);
    }

    /// The reader has handled the earliest control frame that was not settled before.
    pub(crate) fn settle_control(&mut self) {
        self.settle(Transcript::settle_control);
    }

    /// The transcript, which ends with this; the budget, which is counted by it, does too.
    pub(crate) fn end_transcript(&mut self) -> Vec<u8> {
        self.set_budget(None);
        self.transcript.take().map(Transcript::into_bytes).unwrap_or_default()
    }

    /// Ends the transcript. From here on [`poll_payload`](Self::poll_payload) may be asked.
    pub(crate) fn read_direct(&mut self, direct: Direct) {
        let given = self.end_transcript();
        self.frames = Some(Box::new(Frames::behind(&given, direct)));
    }

    /// Reads data of the next message, past tungstenite. `None` if that is not the next to read, 0 at the end.
    pub(crate) fn poll_payload(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<Option<usize>>> {
        let Some(frames) = &mut self.frames else { return Poll::Ready(Ok(None)) };
        let polled = ready!(frames.poll_payload(&mut self.transport, cx, buf))?;
        self.arrived += polled.unwrap_or(0) as u64;
        Poll::Ready(Ok(polled))
    }

    /// Whether to expect that a read finds something.
    pub(crate) fn has_more(&self) -> bool {
        self.transport.has_more()
    }

    /// The first `n` bytes that will be written have left already.
    pub(crate) fn skip(&mut self, n: usize) {
        self.skip = n;
    }

    /// Has `bytes` leave with what is written next.
    pub(crate) fn prepend(&mut self, bytes: &[u8]) {
        self.outbox.push(bytes);
    }

    /// Sends of `bufs` what may leave at once, and ends with how many bytes that are. What does not leave at once does with
    /// the next flush. All that was written before must have left.
    pub(crate) fn send_data(
        &mut self,
        cx: &mut Context<'_>,
        mask: Option<[u8; 4]>,
        bufs: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        self.outbox.send_data(cx, &mut self.transport, mask, bufs)
    }

    /// Gives back the memory that writing took.
    pub(crate) fn shrink(&mut self) {
        self.outbox.shrink();
    }

    /// From now on nothing is written, and whoever writes does not notice: all that may be said has been said.
    pub(crate) fn mute(&mut self) {
        self.muted = true;
    }

    /// From here on the word `claim` is no message, if it is the first to come. `read` comes before what is read.
    pub(crate) fn filter_claim(&mut self, read: &[u8]) {
        let mut filter = ClaimFilter::default();
        filter.push(read);
        self.filter = Some(filter);
    }

    /// Keeps `guard` until the gate is dropped.
    pub(crate) fn keep(&mut self, guard: Option<Box<dyn Send + Sync>>) {
        self.guard = guard;
    }

    fn settle(&mut self, settle: impl FnOnce(&mut Transcript)) {
        if let Some(transcript) = &mut self.transcript {
            settle(transcript);
            self.resume();
        }
        if let Some(frames) = &mut self.frames {
            frames.settle();
        }
    }

    fn resume(&mut self) {
        if self.room() > 0
            && let Some(waker) = self.stopped.take()
        {
            waker.wake();
        }
    }

    fn poll_filtered(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        while let Some(filter) = self.filter.as_mut() {
            let n = filter.read(buf);
            if filter.is_over() {
                self.filter = None;
            } else if n == 0 && !buf.is_empty() {
                let mut arrived = [0; 1024];
                match ready!(Pin::new(&mut self.transport).poll_read(cx, &mut arrived))? {
                    0 => filter.finish(),
                    read => filter.push(&arrived[..read]),
                }
                continue;
            }
            if n > 0 || buf.is_empty() {
                return Poll::Ready(Ok(n));
            }
        }
        Pin::new(&mut self.transport).poll_read(cx, buf)
    }

    fn room(&self) -> usize {
        self.budget.map_or(usize::MAX, |budget| budget.saturating_sub(self.unsettled().len()))
    }
}

impl AsyncRead for Gate {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.filter.is_some() {
            return self.poll_filtered(cx, buf);
        }
        let limit = self.room().min(buf.len());
        if limit == 0 && !buf.is_empty() {
            self.stopped = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let this = &mut *self;
        let gathered = match &mut this.head {
            Some(head) => ready!(head.poll_read(&mut this.transport, cx, &mut buf[..limit]))?,
            None => None,
        };
        let n = match gathered {
            Some(n) => n,
            None => {
                this.head = None;
                match &mut this.frames {
                    Some(frames) => ready!(frames.poll_read(&mut this.transport, cx, &mut buf[..limit]))?,
                    None => ready!(Pin::new(&mut this.transport).poll_read(cx, &mut buf[..limit]))?,
                }
            }
        };
        self.arrived += n as u64;
        if let Some(transcript) = &mut self.transcript {
            transcript.record(&buf[..n]);
        }
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for Gate {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.muted {
            return Poll::Ready(Ok(buf.len()));
        }
        let this = &mut *self;
        if this.skip > 0 {
            let n = this.skip.min(buf.len());
            this.skip -= n;
            return Poll::Ready(Ok(n));
        }
        if this.outbox.len() == 0 {
            return Pin::new(&mut this.transport).poll_write(cx, buf);
        }
        // What fits leaves together, in one system call and one record of TLS.
        let fits = this.outbox.len().saturating_add(buf.len()) <= TOGETHER;
        if !fits {
            ready!(this.outbox.poll_send(cx, &mut this.transport))?;
            return Pin::new(&mut this.transport).poll_write(cx, buf);
        }
        this.outbox.push(buf);
        match this.outbox.poll_send(cx, &mut this.transport) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(buf.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.outbox.poll_send(cx, &mut this.transport))?;
        Pin::new(&mut this.transport).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.outbox.poll_send(cx, &mut this.transport))?;
        Pin::new(&mut this.transport).poll_close(cx)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("transport", &self.transport)
            .field("arrived", &self.arrived)
            .finish_non_exhaustive()
    }
}
