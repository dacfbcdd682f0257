//! What the client says of a connection that the server took for a user.

/// The client's word on a connection, by whichever way it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The connection is joined to the target.
    Joined,
    /// The client does not have the connection, or is gone itself.
    Gone,
    /// The target could not be reached.
    Refused,
}
