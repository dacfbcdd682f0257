//! What the kernel knows of all idle sockets of a pool.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod epoll;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod none;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::epoll::Sentinel;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use self::none::Sentinel;
