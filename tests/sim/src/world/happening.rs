//! What a program is told, and the names of what it is told of.

use npws_core::{ConnectionId, TakeError};

use super::path::EndId;

/// One pool of a [`World`](super::World).
///
/// ```
/// # use npws_core::{PeerGeneration, ServerConfig};
/// # use npws_sim::world::World;
/// let mut world = World::new(1);
/// let server = world.add_server(ServerConfig::default(), PeerGeneration::V2)?;
/// assert_eq!(world.stats(server).idle, 0);
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolId(pub(crate) usize);

/// One pending take of a [`World`](super::World). It ends in exactly one [`Happening`], unless it is cancelled or its pool restarts.
///
/// ```
/// # use npws_core::{PeerGeneration, ServerConfig};
/// # use npws_sim::world::{Happening, World};
/// # use std::time::Duration;
/// let mut world = World::new(1);
/// let server = world.add_server(ServerConfig::default(), PeerGeneration::V2)?;
/// let mine = world.take_next(server, Duration::ZERO);
/// assert!(matches!(world.next(Duration::from_secs(1)), Some(Happening::Failed { take, .. }) if take == mine));
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TakeId(pub(super) u64);

/// One end of a connection that was taken.
///
/// ```
/// use npws_sim::world::{Read, StreamId, World};
///
/// fn print_all(world: &mut World, stream: StreamId) {
///     while let Read::Data(bytes) = world.read(stream, 4096) {
///         println!("{bytes:?}");
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(super) EndId);

/// What a program is told.
///
/// ```
/// use npws_sim::world::Happening;
///
/// fn is_good(happening: &Happening) -> bool {
///     !matches!(happening, Happening::Failed { .. } | Happening::Restarted(_))
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happening {
    /// A take got a connection.
    Taken {
        /// Which.
        take: TakeId,
        /// What it got.
        stream: StreamId,
        /// The ID, by which the peer takes the other end.
        id: ConnectionId,
    },
    /// A take failed.
    Failed {
        /// Which.
        take: TakeId,
        /// Why.
        error: TakeError,
    },
    /// Something came since the last [`read`](super::World::read) of this stream, if only its end.
    Readable(StreamId),
    /// The time of a [reminder](super::World::remind) has come.
    Reminder(u64),
    /// A pool's program was started again: its takes and streams are gone.
    Restarted(PoolId),
}
