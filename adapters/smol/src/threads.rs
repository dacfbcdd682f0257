//! The threads that run what was spawned on no executor of the user's.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use async_task::{Builder, Runnable};

/// How many tasks a thread runs before it looks at the sockets.
const TASKS_PER_LOOK: usize = 64;

/// A queue of tasks, and threads that run them and wait for sockets in between.
///
/// A `smol::Executor` on several threads does so too, but it wakes the thread that fell asleep last, and one more for
/// each task that is begun. The thread that hears of a socket fell asleep first, so another runs the task, for every
/// single event. Here a task is run by the thread that heard of its event, and more are woken as there is more to run.
#[derive(Clone, Default)]
pub(crate) struct Threads(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    ready: VecDeque<Runnable>,
    /// The threads that found nothing to run. At most one of them waits for sockets.
    sleepers: Vec<(ThreadId, Waker)>,
}

impl Threads {
    /// Starts so many.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let threads = Self::default();
        for index in 0..count {
            let threads = threads.clone();
            let work = move || async_io::block_on(poll_fn(|cx| threads.poll_work(cx)));
            thread::Builder::new().name(format!("npws-smol-{index}")).spawn(work)?;
        }
        Ok(threads)
    }

    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let threads = self.clone();
        // A panic ends its task and not the thread.
        let builder = Builder::new().propagate_panic(true);
        let (runnable, task) = builder.spawn(|()| future, move |runnable| threads.schedule(runnable));
        runnable.schedule();
        task.detach();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn schedule(&self, runnable: Runnable) {
        let mut state = self.lock();
        state.ready.push_back(runnable);
        // A thread that is asleep and schedules has heard of an event. It runs what comes of it first.
        let this = thread::current().id();
        let own = state.sleepers.iter().position(|(id, _)| *id == this).filter(|_| state.ready.len() == 1);
        let sleeper = own.map(|at| state.sleepers.swap_remove(at)).or_else(|| state.sleepers.pop());
        drop(state);
        if let Some((_, waker)) = sleeper {
            waker.wake();
        }
    }

    fn poll_work(&self, cx: &mut Context<'_>) -> Poll<()> {
        let this = thread::current().id();
        for _ in 0..TASKS_PER_LOOK {
            let mut state = self.lock();
            state.sleepers.retain(|(id, _)| *id != this);
            let Some(runnable) = state.ready.pop_front() else {
                state.sleepers.push((this, cx.waker().clone()));
                return Poll::Pending;
            };
            drop(state);
            runnable.run();
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;
    use std::task::Wake;
    use std::time::Duration;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn what_a_busy_thread_schedules_is_run_by_another() {
        let threads = Threads::start(2).unwrap();
        let (sender, done) = channel();
        let inner = threads.clone();
        threads.spawn(async move {
            let (from, until) = channel();
            inner.spawn(async move { from.send(()).unwrap() });
            sender.send(until.recv_timeout(SOON)).unwrap();
        });
        assert_eq!(done.recv_timeout(SOON), Ok(Ok(())));
    }

    #[test]
    fn every_task_runs_to_its_end_however_often_it_yields() {
        let threads = Threads::start(3).unwrap();
        let (sender, done) = channel();
        for task in 0..200 {
            let sender = sender.clone();
            threads.spawn(async move {
                for _ in 0..task {
                    smol::future::yield_now().await;
                }
                smol::Timer::after(Duration::from_micros(task)).await;
                sender.send(task).unwrap();
            });
        }
        let mut ended: Vec<_> = (0..200).map(|_| done.recv_timeout(SOON).unwrap()).collect();
        ended.sort_unstable();
        assert!(ended.into_iter().eq(0..200));
    }

    #[test]
    fn a_task_that_panics_takes_no_thread_with_it() {
        let threads = Threads::start(1).unwrap();
        let (sender, done) = channel();
        threads.spawn(async { panic!("on purpose") });
        threads.spawn(async move { sender.send(()).unwrap() });
        assert_eq!(done.recv_timeout(SOON), Ok(()));
    }

    #[test]
    fn who_hears_of_an_event_runs_what_comes_of_it_and_another_thread_the_rest() {
        let threads = Threads::default();
        let (own, other) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let fall_asleep = |woken: &Arc<Woken>| {
            assert!(threads.poll_work(&mut Context::from_waker(&woken.clone().into())).is_pending());
        };
        fall_asleep(&own);
        thread::scope(|scope| scope.spawn(|| fall_asleep(&other)).join().unwrap());
        let woken = || [&own, &other].map(|woken| woken.0.load(Ordering::Relaxed));
        threads.spawn(async {});
        assert_eq!(woken(), [true, false]);
        threads.spawn(async {});
        assert_eq!(woken(), [true, true]);
    }
}
