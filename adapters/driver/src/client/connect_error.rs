//! Why no address of a name took a connection.

use std::fmt;
use std::io;
use std::net::SocketAddr;

/// Why no connection could be made: the cause of each address that was tried, in the order in which they failed.
///
/// ```
/// use npws_driver::{ClientPool, DialError, Runtime};
///
/// fn report<R: Runtime>(pool: &ClientPool<R>) {
///     if let Some(DialError::Connect(error)) = pool.last_dial_error().as_deref() {
///         for (address, cause) in error.causes() {
///             eprintln!("{address:?}: {cause}");
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct ConnectError {
    /// Never empty.
    causes: Vec<(Option<SocketAddr>, io::Error)>,
}

impl ConnectError {
    pub(super) fn new(causes: Vec<(SocketAddr, io::Error)>) -> Self {
        Self { causes: causes.into_iter().map(|(address, cause)| (Some(address), cause)).collect() }
    }

    /// The causes, each with its address; a [dialer](crate::ClientPoolBuilder::dialer) of the user's own tells none.
    ///
    /// ```
    /// # use npws_driver::ConnectError;
    /// fn addresses(error: &ConnectError) -> Vec<std::net::SocketAddr> {
    ///     error.causes().filter_map(|(address, _)| address).collect()
    /// }
    /// ```
    pub fn causes(&self) -> impl Iterator<Item = (Option<SocketAddr>, &io::Error)> {
        self.causes.iter().map(|(address, cause)| (*address, cause))
    }

    /// The kind of the last cause.
    ///
    /// ```
    /// # use npws_driver::ConnectError;
    /// fn is_refused(error: &ConnectError) -> bool {
    ///     error.kind() == std::io::ErrorKind::ConnectionRefused
    /// }
    /// ```
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.causes.last().map_or(io::ErrorKind::Other, |(_, cause)| cause.kind())
    }
}

impl From<io::Error> for ConnectError {
    fn from(cause: io::Error) -> Self {
        Self { causes: vec![(None, cause)] }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (address, cause)) in self.causes.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            match address {
                Some(address) => write!(f, "{address}: {cause}")?,
                None => cause.fmt(f)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConnectError {
    /// The last cause.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.causes.last().map(|(_, cause)| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_each_cause() {
        let refused = || io::Error::new(io::ErrorKind::ConnectionRefused, "refused");
        let late = io::Error::new(io::ErrorKind::TimedOut, "late");
        let causes = vec![("[2001:db8::7]:1".parse().unwrap(), refused()), ("192.0.2.7:1".parse().unwrap(), late)];
        let error = ConnectError::new(causes);
        assert_eq!(error.to_string(), "[2001:db8::7]:1: refused; 192.0.2.7:1: late");
        assert_eq!((error.kind(), error.causes().count()), (io::ErrorKind::TimedOut, 2));
        assert_eq!(ConnectError::from(refused()).to_string(), "refused");
    }
}
