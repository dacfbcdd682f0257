//! Room for the descriptors of many sockets.

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::linux::make_room;

/// Where the system needs none.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn make_room(_: usize) {}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::os::fd::AsRawFd;

    use rustix::event::{EventfdFlags, eventfd};
    use rustix::io::fcntl_dupfd_cloexec;

    /// What a pool of so many connections opens: whoever takes one mostly joins it to another socket.
    const FOR_EACH: usize = 2;
    /// As many as the kernel has room for without being asked.
    const AT_LEAST: usize = 64;

    /// Makes room for the descriptors of `connections` more at once.
    ///
    /// The kernel doubles its table whenever a process has filled it. In one with threads that takes 10 to 20 ms, for which
    /// every thread waits that opens or accepts a socket: a pool of 2,000 connections would stand still five times while
    /// it fills.
    pub(crate) fn make_room(connections: usize) {
        let Ok(lowest) = eventfd(0, EventfdFlags::CLOEXEC) else { return };
        let open = usize::try_from(lowest.as_raw_fd()).unwrap_or_default();
        let mut wanted = connections.saturating_mul(FOR_EACH);
        // Less if the process may not have that many.
        while wanted >= AT_LEAST {
            let highest = i32::try_from(open.saturating_add(wanted)).unwrap_or(i32::MAX);
            if fcntl_dupfd_cloexec(&lowest, highest).is_ok() {
                return;
            }
            wanted /= 2;
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// The first number behind this name in a file on the process.
        fn number(file: &str, name: &str) -> usize {
            let text = std::fs::read_to_string(format!("/proc/self/{file}")).unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        }

        #[test]
        fn there_is_room_for_what_is_asked_for_or_as_much_as_may_be() {
            let room = || number("status", "FDSize:");
            make_room(250);
            assert!(room() >= 500, "{}", room());
            let (wanted, limit) = (1 << 17, number("limits", "Max open files"));
            make_room(wanted / FOR_EACH);
            assert!(room() >= wanted.min(limit / 3), "{} of {limit}", room());
        }
    }
}
