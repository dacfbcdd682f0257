//! A runtime of one thread that runs when it is told to, with time that stands still until it is moved.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::io::AllowStdIo;
use npws_driver::Runtime;
use socket2::SockRef;

/// So many polls without a pause are a task that wakes itself for ever.
const MOST_POLLS: usize = 1_000_000;

type Queue = Mutex<VecDeque<Arc<Task>>>;

struct Task {
    future: Mutex<Option<BoxFuture<'static, ()>>>,
    /// Not its own: a task in the queue would keep the queue, and that the task.
    ready: Weak<Queue>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if let Some(ready) = self.ready.upgrade() {
            ready.lock().unwrap().push_back(self);
        }
    }
}

struct Time {
    now: Instant,
    sleepers: Vec<(Instant, Waker)>,
}

/// Tasks in the order in which they were woken. There are no sockets.
#[derive(Clone)]
pub struct Stepped {
    ready: Arc<Queue>,
    time: Arc<Mutex<Time>>,
    /// The tasks that have not ended. A runtime does not forget one because nothing will wake it.
    alive: Arc<Mutex<Vec<Arc<Task>>>>,
}

impl Stepped {
    /// Nothing to run, and a time that stands still.
    #[expect(clippy::new_without_default, reason = "two of them are two times")]
    #[must_use]
    pub fn new() -> Self {
        let time = Time { now: Instant::now(), sleepers: Vec::new() };
        Self { ready: Arc::default(), time: Arc::new(Mutex::new(time)), alive: Arc::default() }
    }

    /// Runs tasks until none is ready.
    ///
    /// # Panics
    /// When that takes so long that a task must be waking itself for ever.
    pub fn run(&self) {
        for _ in 0..MOST_POLLS {
            let Some(task) = self.ready.lock().unwrap().pop_front() else { return };
            let mut slot = task.future.lock().unwrap();
            let Some(mut future) = slot.take() else { continue };
            let waker = Waker::from(task.clone());
            if future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                *slot = Some(future);
            } else {
                self.alive.lock().unwrap().retain(|other| !Arc::ptr_eq(other, &task));
            }
        }
        panic!("a task never rests");
    }

    /// Runs tasks and `future` until it ends, or until nothing is ready: then it gives `None`.
    pub fn settle<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        for _ in 0..MOST_POLLS {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return Some(output);
            }
            if self.ready.lock().unwrap().is_empty() {
                return None;
            }
            self.run();
        }
        panic!("tasks keep each other busy");
    }

    /// Lets time pass, and what is due then run.
    pub fn advance(&self, by: Duration) {
        let mut time = self.time.lock().unwrap();
        time.now += by;
        let now = time.now;
        let (due, later): (Vec<_>, Vec<_>) = time.sleepers.drain(..).partition(|(deadline, _)| *deadline <= now);
        time.sleepers = later;
        drop(time);
        due.into_iter().for_each(|(_, sleeper)| sleeper.wake());
        self.run();
    }

    /// How many tasks have not ended.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.alive.lock().unwrap().len()
    }
}

impl fmt::Debug for Stepped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stepped").field("tasks", &self.tasks()).finish_non_exhaustive()
    }
}

impl Runtime for Stepped {
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
        let task = Arc::new(Task { future: Mutex::new(Some(Box::pin(future))), ready: Arc::downgrade(&self.ready) });
        self.alive.lock().unwrap().push(task.clone());
        task.wake();
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
