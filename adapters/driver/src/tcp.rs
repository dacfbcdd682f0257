//! What is set on each TCP socket.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// TCP options of a pool's sockets.
///
/// Towards a v1 peer they are the only way to learn that the path is cut: it answers no ping while idle. The kernel
/// suspends keep-alive while data waits for an acknowledgement, so a user timeout belongs to it.
///
/// ```
/// use std::time::Duration;
/// use npws_driver::TcpOptions;
///
/// let options = TcpOptions { user_timeout: Some(Duration::from_secs(5)), ..TcpOptions::default() };
/// assert!(options.nodelay);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpOptions {
    /// Send small writes at once (`TCP_NODELAY`). On unless told.
    pub nodelay: bool,
    /// How long a socket is idle before the kernel asks the peer, and how long it waits between three askings.
    /// 15 s unless told; `None` leaves the system's setting.
    pub keepalive: Option<Duration>,
    /// How long sent data may stay unacknowledged (`TCP_USER_TIMEOUT`, Linux, Android and Fuchsia). 30 s unless told;
    /// `None` leaves the system's setting.
    pub user_timeout: Option<Duration>,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self { nodelay: true, keepalive: Some(Duration::from_secs(15)), user_timeout: Some(Duration::from_secs(30)) }
    }
}

impl TcpOptions {
    pub(crate) fn apply(&self, socket: SockRef<'_>) -> io::Result<()> {
        socket.set_tcp_nodelay(self.nodelay)?;
        if let Some(time) = self.keepalive {
            let keepalive = TcpKeepalive::new().with_time(time);
            #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows))]
            let keepalive = keepalive.with_interval(time);
            #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
            let keepalive = keepalive.with_retries(3);
            socket.set_tcp_keepalive(&keepalive)?;
        }
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
        socket.set_tcp_user_timeout(self.user_timeout)?;
        Ok(())
    }
}
