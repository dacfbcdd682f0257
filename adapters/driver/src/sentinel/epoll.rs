//! By an epoll instance of the pool's own.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use npws_core::ConnectionId;
use rustix::event::{Timespec, epoll};
use socket2::SockRef;

/// How many sockets are told of at once.
const AT_ONCE: usize = 32;

/// Tells which idle sockets something has come to, whether the runtime has got that far or not.
///
/// It is one system call for all of them, and it touches none: to ask a socket that nobody has used for a while takes
/// five times as long as to ask for all of them that there is nothing to ask.
#[derive(Debug)]
pub(crate) struct Sentinel {
    /// Without one it knows nothing, and every socket is asked.
    epoll: Option<OwnedFd>,
}

impl Sentinel {
    pub(crate) fn new() -> Self {
        Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC).ok() }
    }

    /// From now on tells of the next that comes to `socket`, once. It knows all that it was given before, and forgets a
    /// socket when that is closed. Says whether it will tell.
    pub(crate) fn post(&self, socket: &SockRef<'_>, id: ConnectionId, is_known: bool) -> bool {
        let Some(epoll) = &self.epoll else { return false };
        let data = epoll::EventData::new_u64(u32::from_be_bytes(id.to_bytes()).into());
        let flags = epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::ONESHOT;
        let posted = if is_known {
            epoll::modify(epoll, &**socket, data, flags)
        } else {
            epoll::add(epoll, &**socket, data, flags)
        };
        posted.is_ok()
    }

    /// Tells what has come since the last time. Says whether that is all.
    pub(crate) fn ask(&self, mut tell: impl FnMut(ConnectionId)) -> bool {
        let Some(epoll) = &self.epoll else { return false };
        let mut events = [MaybeUninit::uninit(); AT_ONCE];
        let Ok((events, _)) = epoll::wait(epoll, &mut events, Some(&Timespec::default())) else { return false };
        for event in &*events {
            let id = u32::try_from(event.data.u64()).unwrap_or_default();
            tell(ConnectionId::from_bytes(id.to_be_bytes()));
        }
        events.len() < AT_ONCE
    }
}
