//! Who wants to know what the tunnel does with its connections.

use std::time::Duration;

use npws::Connection;

/// Is told of every connection that an end of the tunnel takes out of its pool. The demo measures by it.
///
/// ```
/// use std::time::Duration;
/// use npws::Connection;
///
/// #[derive(Debug)]
/// struct Log;
///
/// impl npws_tunnel::Observer for Log {
///     fn took(&self, connection: &Connection, waited: Duration) {
///         println!("{} after {waited:?}", connection.id());
///     }
/// }
/// ```
pub trait Observer: std::fmt::Debug + Send + Sync {
    /// This end took `connection` after it had `waited` for it.
    fn took(&self, connection: &Connection, waited: Duration);
}
