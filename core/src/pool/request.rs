//! What a peer asks for, and what it is answered.

use crate::{ConnectionId, PeerGeneration, PeerHeader, Rejection};

/// What the head of a request says, as far as it could be read.
///
/// A path alone stands for a request that asks for an upgrade in good form and says nothing else.
///
/// ```
/// use npws_core::{PeerHeader, RequestHead};
///
/// let head = RequestHead::from("/pool")
///     .with_peer(PeerHeader::from_header(Some("2; open")))
///     .with_fields(&[("Authorization", b"Bearer secret")]);
/// assert_eq!((head.path, head.upgrade), (Some("/pool"), Ok(())));
/// assert!(!format!("{head:?}").contains("secret"), "fields may hold credentials");
/// ```
#[derive(Clone, Copy)]
pub struct RequestHead<'h> {
    /// The path without the query; `None` when the head could not be read so far.
    pub path: Option<&'h str>,
    /// Whether it asks for an upgrade in good form, or what is wrong.
    pub upgrade: Result<(), Rejection>,
    /// What the peer says of itself.
    pub peer: PeerHeader,
    /// The header fields, those of one name in the order in which they came.
    pub fields: &'h [(&'h str, &'h [u8])],
}

impl<'h> RequestHead<'h> {
    /// What came is no request that can be read.
    ///
    /// ```
    /// # use npws_core::{Rejection, RequestHead};
    /// let head = RequestHead::unreadable(Rejection::HeadTooLarge);
    /// assert_eq!((head.path, head.upgrade), (None, Err(Rejection::HeadTooLarge)));
    /// ```
    #[must_use]
    pub fn unreadable(rejection: Rejection) -> Self {
        Self { path: None, upgrade: Err(rejection), peer: PeerGeneration::V1.into(), fields: &[] }
    }

    /// The same, and this is whether it asks for an upgrade.
    ///
    /// ```
    /// # use npws_core::{Rejection, RequestHead};
    /// let head = RequestHead::from("/").with_upgrade(Err(Rejection::UpgradeRequired));
    /// assert!(head.upgrade.is_err());
    /// ```
    #[must_use]
    pub fn with_upgrade(self, upgrade: Result<(), Rejection>) -> Self {
        Self { upgrade, ..self }
    }

    /// The same from this peer; its generation alone stands for one that does not open connections.
    ///
    /// ```
    /// # use npws_core::{PeerGeneration, RequestHead};
    /// let head = RequestHead::from("/").with_peer(PeerGeneration::V2);
    /// assert_eq!(head.peer.generation, PeerGeneration::V2);
    /// ```
    #[must_use]
    pub fn with_peer(self, peer: impl Into<PeerHeader>) -> Self {
        Self { peer: peer.into(), ..self }
    }

    /// The same with these header fields.
    ///
    /// ```
    /// # use npws_core::RequestHead;
    /// let head = RequestHead::from("/").with_fields(&[("Origin", b"https://app.example")]);
    /// assert_eq!(head.fields.len(), 1);
    /// ```
    #[must_use]
    pub fn with_fields(self, fields: &'h [(&'h str, &'h [u8])]) -> Self {
        Self { fields, ..self }
    }
}

impl<'h> From<&'h str> for RequestHead<'h> {
    fn from(path: &'h str) -> Self {
        Self { path: Some(path), upgrade: Ok(()), peer: PeerGeneration::V1.into(), fields: &[] }
    }
}

impl core::fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RequestHead")
            .field("path", &self.path)
            .field("upgrade", &self.upgrade)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// What to answer a peer that is let in.
///
/// ```
/// use npws_core::{Instant, ServerConfig, ServerPool};
///
/// # let now = Instant::ZERO;
/// let mut pool = ServerPool::<(), _>::new(ServerConfig::default(), || [0, 0, 0, 1], 7)?;
/// let accept = pool.handle_incoming(now, None).expect("the pool is open");
/// let admitted = pool.handle_request(now, accept, "/").expect("there is room");
/// assert!(admitted.id.is_control());
/// assert_eq!(admitted.subprotocol, None, "it offered none");
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Admitted {
    /// The ID of its connection.
    pub id: ConnectionId,
    /// The `Sec-WebSocket-Protocol` to answer with. A browser that offers any wants one of them.
    pub subprotocol: Option<&'static str>,
}
