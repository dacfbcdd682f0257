//! One waker for two tasks.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use futures::task::AtomicWaker;

use crate::sync::atomic::{AtomicBool, Ordering};

/// What the socket wakes: whoever reads and whoever writes, because either may have to do the other's work, and the
/// socket remembers only one waker for each direction.
///
/// It also remembers that it was woken. As long as it was not, nothing has happened, and the socket need not be asked.
pub(super) struct Signal {
    shared: Arc<Shared>,
    waker: Waker,
}

struct Shared {
    is_raised: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Signal {
    /// Raised: nobody has asked the socket yet.
    pub(super) fn new() -> Self {
        let shared = Arc::new(Shared {
            is_raised: AtomicBool::new(true),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
        });
        Self { waker: Waker::from(Arc::clone(&shared)), shared }
    }

    pub(super) fn register_reader(&self, cx: &Context<'_>) {
        self.shared.reader.register(cx.waker());
    }

    pub(super) fn register_writer(&self, cx: &Context<'_>) {
        self.shared.writer.register(cx.waker());
    }

    /// Whoever reads does not wait any more: to wake it would only cost.
    pub(super) fn forget_reader(&self) {
        drop(self.shared.reader.take());
    }

    /// Whoever writes does not wait any more.
    pub(super) fn forget_writer(&self) {
        drop(self.shared.writer.take());
    }

    /// Whether there is reason to ask the socket. Lower it before asking: what happens meanwhile raises it again.
    pub(super) fn lower(&self) -> bool {
        self.shared.is_raised.swap(false, Ordering::AcqRel)
    }

    pub(super) fn raise(&self) {
        self.shared.is_raised.store(true, Ordering::Release);
    }

    /// The waker to ask the socket with.
    pub(super) fn waker(&self) -> Waker {
        self.waker.clone()
    }
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_raised.store(true, Ordering::Release);
        self.reader.wake();
        self.writer.wake();
    }
}
