//! A runtime whose tasks are interleaved by shuttle.

use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use futures::io::AllowStdIo;
use npws_driver::Runtime;
use shuttle::sync::Mutex;
use socket2::SockRef;

/// Tasks run when shuttle says so, and time passes when a test says so. There are no sockets.
#[derive(Clone)]
pub struct Scheduled {
    time: Arc<Mutex<Time>>,
    tasks: Arc<Mutex<Tasks>>,
}

struct Time {
    now: Instant,
    sleepers: Vec<(Instant, Waker)>,
}

#[derive(Default)]
struct Tasks {
    running: usize,
    all_done: Option<Waker>,
}

impl Scheduled {
    /// A time that stands still.
    #[expect(clippy::new_without_default, reason = "two of them are two times")]
    #[must_use]
    pub fn new() -> Self {
        let time = Time { now: Instant::now(), sleepers: Vec::new() };
        Self { time: Arc::new(Mutex::new(time)), tasks: Arc::default() }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut time = self.time.lock().unwrap();
        time.now += by;
        let now = time.now;
        let (due, later) = time.sleepers.drain(..).partition(|(deadline, _)| *deadline <= now);
        time.sleepers = later;
        drop(time);
        let due: Vec<(Instant, Waker)> = due;
        due.into_iter().for_each(|(_, sleeper)| sleeper.wake());
    }

    /// Ends when every task has ended.
    pub async fn all_done(&self) {
        poll_fn(|cx| {
            let mut tasks = self.tasks.lock().unwrap();
            if tasks.running == 0 {
                return Poll::Ready(());
            }
            tasks.all_done = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl fmt::Debug for Scheduled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduled").finish_non_exhaustive()
    }
}

impl Runtime for Scheduled {
    type Stream = AllowStdIo<TcpStream>;
    type Listener = TcpListener;

    fn current() -> io::Result<Self> {
        Err(io::Error::other("a test brings its own"))
    }

    fn now(&self) -> Instant {
        self.time.lock().unwrap().now
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + 'static {
        let time = self.time.clone();
        poll_fn(move |cx| {
            let mut time = time.lock().unwrap();
            if time.now >= deadline {
                return Poll::Ready(());
            }
            time.sleepers.push((deadline, cx.waker().clone()));
            Poll::Pending
        })
    }

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap().running += 1;
        let tasks = self.tasks.clone();
        drop(shuttle::future::spawn(async move {
            future.await;
            let mut state = tasks.lock().unwrap();
            state.running -= 1;
            let all_done = if state.running == 0 { state.all_done.take() } else { None };
            drop(state);
            if let Some(waker) = all_done {
                waker.wake();
            }
        }));
    }

    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(Vec::new())
    }

    async fn connect(&self, _: SocketAddr) -> io::Result<Self::Stream> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn listen(&self, listener: TcpListener) -> io::Result<Self::Listener> {
        Ok(listener)
    }

    async fn accept(&self, _: &Self::Listener) -> io::Result<(Self::Stream, SocketAddr)> {
        pending().await
    }

    fn socket(stream: &Self::Stream) -> SockRef<'_> {
        SockRef::from(stream.get_ref())
    }
}
