//! Ctrl-C: once to finish, twice to stop.

use std::future::Future;

use tokio::signal;

use crate::Failure;

/// The signals that end the program, from when this was made.
#[derive(Debug)]
pub struct Shutdown {
    #[cfg(unix)]
    terminate: signal::unix::Signal,
    #[cfg(unix)]
    interrupt: signal::unix::Signal,
}

impl Shutdown {
    /// Begins to listen, so that signals do not end the process any more.
    ///
    /// # Errors
    /// When the system does not allow it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// assert!(npws_tunnel::Shutdown::new().is_ok());
    /// # }
    /// ```
    pub fn new() -> Result<Self, Failure> {
        #[cfg(unix)]
        {
            let listen = |kind| {
                signal::unix::signal(kind)
                    .map_err(|error| Failure::Runtime(format!("cannot listen to signals: {error}")))
            };
            Ok(Self {
                terminate: listen(signal::unix::SignalKind::terminate())?,
                interrupt: listen(signal::unix::SignalKind::interrupt())?,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next one.
    pub async fn requested(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        #[cfg(not(unix))]
        if signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits for the first signal, then for `drain`, which returns how many users were cut, or for the second signal.
///
/// # Errors
/// [`Failure::Aborted`] at the second signal.
pub async fn run_until_shutdown(
    mut shutdown: Shutdown,
    users: impl FnOnce() -> usize,
    drain: impl Future<Output = usize>,
) -> Result<(), Failure> {
    shutdown.requested().await;
    tracing::info!("finishing: {} users are left (again to stop at once)", users());
    tokio::select! {
        cut = drain => {
            match cut {
                0 => tracing::info!("finished, nobody was cut"),
                cut => tracing::warn!("finished, {cut} users were cut"),
            }
            Ok(())
        }
        () = shutdown.requested() => Err(Failure::Aborted),
    }
}
