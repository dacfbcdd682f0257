//! What a case needs of the runtime that it runs on.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::thread;
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{Either, select};
use npws::Runtime;

/// How long a case may take before it counts as stuck. Every other deadline is shorter.
const CASE: Duration = Duration::from_secs(45);

/// How long to wait for what is bound to happen.
pub const SOON: Duration = Duration::from_secs(20);

/// A runtime that the suite runs on.
pub trait Testbed: Runtime {
    /// Runs `future` to its end on a runtime of its own, if this kind has such.
    fn block_on<F: Future>(future: F) -> F::Output;
}

impl Testbed for npws::tokio::Tokio {
    fn block_on<F: Future>(future: F) -> F::Output {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().expect("tokio starts").block_on(future)
    }
}

impl Testbed for npws::smol::Smol {
    fn block_on<F: Future>(future: F) -> F::Output {
        smol::block_on(future)
    }
}

impl Testbed for npws::async_std::AsyncStd {
    fn block_on<F: Future>(future: F) -> F::Output {
        async_std::task::block_on(future)
    }
}

/// Runs one case.
pub fn run<R: Testbed, F: Future<Output = ()>>(case: impl FnOnce() -> F) {
    R::block_on(async {
        match select(pin!(case()), pin!(sleep::<R>(CASE))).await {
            Either::Left(_) => {}
            Either::Right(_) => panic!("stuck: the case did not end within {CASE:?}"),
        }
    });
}

/// The runtime that the case runs on.
pub fn current<R: Testbed>() -> R {
    R::current().expect("the case runs on its runtime")
}

/// Ends after `duration`. For peers that are slow on purpose and for deadlines; never to let things settle.
pub async fn sleep<R: Testbed>(duration: Duration) {
    let runtime = current::<R>();
    runtime.sleep_until(runtime.now() + duration).await;
}

/// Waits for a condition that no event tells of.
pub async fn until<R: Testbed>(what: &str, mut holds: impl FnMut() -> bool) {
    let runtime = current::<R>();
    let deadline = runtime.now() + SOON;
    while !holds() {
        assert!(runtime.now() < deadline, "waited {SOON:?} in vain until {what}");
        runtime.sleep_until(runtime.now() + Duration::from_millis(1)).await;
    }
}

/// What runs elsewhere.
#[derive(Debug)]
pub struct Running<T>(oneshot::Receiver<thread::Result<T>>);

impl<T> Running<T> {
    /// Its outcome. A panic there is a panic here.
    pub async fn join(self) -> T {
        match self.0.await.expect("the runtime drops no task") {
            Ok(outcome) => outcome,
            Err(panic) => resume_unwind(panic),
        }
    }
}

/// Runs `future` as a task.
pub fn spawn<R: Testbed, T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Running<T> {
    let (sender, receiver) = oneshot::channel();
    current::<R>().spawn(async move {
        let _ = sender.send(AssertUnwindSafe(future).catch_unwind().await);
    });
    Running(receiver)
}

/// Runs `peer`, which blocks, in a thread of its own.
pub fn thread<T: Send + 'static>(peer: impl FnOnce() -> T + Send + 'static) -> Running<T> {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || {
        let _ = sender.send(catch_unwind(AssertUnwindSafe(peer)));
    });
    Running(receiver)
}

/// The seed of a case's random choices: always the same unless `NPWS_TEST_SEED` says otherwise. A failing test shows
/// what is printed here.
pub fn seed() -> u64 {
    let seed = std::env::var("NPWS_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    println!("NPWS_TEST_SEED={seed} replays these choices");
    seed
}

/// A duration in milliseconds.
pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
