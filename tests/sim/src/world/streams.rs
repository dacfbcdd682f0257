//! What users do with the connections that they took.

use npws_core::{CloseReason, ConnectionId};

use super::path::{EndId, Stage};
use super::wire::{Packet, Wire};
use super::{PoolId, StreamId, World, note};

/// How much a writer reads ahead, as the driver does to see pongs and goodbyes.
const READ_AT_ONCE: usize = 64 * 1024;

/// What a read gives.
///
/// ```
/// use npws_sim::world::Read;
///
/// assert_ne!(Read::Pending, Read::End);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// The next bytes, at least one.
    Data(Vec<u8>),
    /// Nothing now; [`Happening::Readable`](super::Happening::Readable) will tell.
    Pending,
    /// The peer has sent all that it wanted to, and all of it was read.
    End,
    /// The connection ended otherwise.
    Failed(CloseReason),
}

impl World {
    /// Reads at most `limit` bytes.
    ///
    /// # Panics
    /// When they are not what the user at the other end wrote.
    ///
    /// ```
    /// # use npws_sim::world::{Read, StreamId, World};
    /// fn is_over(world: &mut World, stream: StreamId) -> bool {
    ///     matches!(world.read(stream, 100), Read::End | Read::Failed(_))
    /// }
    /// ```
    pub fn read(&mut self, stream: StreamId, limit: usize) -> Read {
        let end = stream.0;
        self.end_mut(end).is_told = false;
        let Some(wire) = self.driven(end, limit.min(READ_AT_ONCE)) else {
            return Read::Failed(CloseReason::ClosedLocally);
        };
        let mut data = Vec::new();
        while let Some(chunk) = wire.link.chunk()
            && data.len() < limit
        {
            let n = chunk.len().min(limit - data.len());
            data.extend_from_slice(&chunk[..n]);
            wire.link.consume(n);
        }
        let is_ours = wire.is_closing;
        let read = match wire.link.end() {
            _ if !data.is_empty() => Read::Data(data),
            Some(reason @ CloseReason::Violation(_)) => Read::Failed(reason),
            _ if wire.link.is_finished_by_peer() => Read::End,
            Some(reason) if reason.is_end_of_stream() => Read::End,
            // Who has said goodbye is owed none.
            Some(CloseReason::TransportEnded) if is_ours => return Read::End,
            Some(reason) => Read::Failed(reason),
            None => Read::Pending,
        };
        if let Read::Failed(reason) = read {
            self.reasons.insert(reason);
        }
        self.check_read(end, &read);
        read
    }

    /// What one user reads is what the other wrote, and all of it if the end came in good order.
    fn check_read(&mut self, end: EndId, read: &Read) {
        let (near, far) = (usize::from(end.is_server), usize::from(!end.is_server));
        let has_seen = !self.paths[end.path].written[near].is_empty() && self.paths[end.path].read[far] > 0;
        let has_crossed = self.end(end).is_announced && self.end(end.peer()).is_announced;
        let path = &mut self.paths[end.path];
        match read {
            Read::Data(data) => {
                assert!(!has_crossed, "{end} reads what a user wrote who took the connection at the same time");
                let from = path.read[near];
                let written = path.written[far].get(from..from + data.len());
                assert_eq!(written, Some(&data[..]), "{end} reads what its peer did not write");
                path.read[near] += data.len();
            }
            Read::End => {
                assert_eq!(path.read[near], path.written[far].len(), "{end} reads the end before the end");
            }
            Read::Failed(reason) if reason.is_safe_to_retry() => {
                assert!(!has_seen, "{end} may retry, it says, what its peer has read already");
            }
            Read::Failed(_) | Read::Pending => {}
        }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// Why nothing can be written any more.
    ///
    /// ```
    /// # use npws_sim::world::{StreamId, World};
    /// fn greet(world: &mut World, stream: StreamId) {
    ///     if let Err(reason) = world.write(stream, b"hello") {
    ///         println!("too late: {reason}");
    ///     }
    /// }
    /// ```
    pub fn write(&mut self, stream: StreamId, data: &[u8]) -> Result<(), CloseReason> {
        let end = stream.0;
        let wire = self.driven(end, READ_AT_ONCE).ok_or(CloseReason::ClosedLocally)?;
        if let Some(reason) = wire.write_end() {
            return Err(reason);
        }
        if !data.is_empty() {
            wire.send(Packet::Binary(data.to_vec()));
            self.paths[end.path].written[usize::from(end.is_server)].extend_from_slice(data);
        }
        self.flush_wire(end);
        Ok(())
    }

    /// Says that nothing more will be written. Between v2 ends the other direction lives on.
    ///
    /// ```
    /// # use npws_sim::world::{StreamId, World};
    /// fn answer(world: &mut World, stream: StreamId) {
    ///     let _ = world.write(stream, b"that is all");
    ///     world.finish(stream);
    /// }
    /// ```
    pub fn finish(&mut self, stream: StreamId) {
        let end = stream.0;
        let now = self.clock(self.end(end).pool);
        let Some(wire) = self.driven(end, READ_AT_ONCE) else { return };
        if wire.write_end().is_none() {
            wire.is_finished = true;
            let is_told = wire.link.finish(now);
            wire.discard_news();
            if !is_told {
                wire.is_closing = true;
                wire.send(Packet::Close(1000));
            }
            note!(self, "{end} finishes");
        }
        self.flush_wire(end);
    }

    /// Closes a stream in good order.
    ///
    /// ```
    /// # use npws_sim::world::{Read, StreamId, World};
    /// fn end(world: &mut World, stream: StreamId) {
    ///     world.close(stream);
    ///     assert!(matches!(world.read(stream, 1), Read::Failed(_)), "it is gone");
    /// }
    /// ```
    pub fn close(&mut self, stream: StreamId) {
        let end = stream.0;
        if let Stage::Taken(key) = self.end(end).stage {
            note!(self, "{end} is closed by its user");
            self.say_goodbye(end, Some(key));
        }
    }

    /// Drops a stream without a goodbye.
    ///
    /// ```
    /// # use npws_sim::world::{StreamId, World};
    /// fn crash(world: &mut World, stream: StreamId) {
    ///     world.drop_stream(stream);
    /// }
    /// ```
    pub fn drop_stream(&mut self, stream: StreamId) {
        let end = stream.0;
        if let Stage::Taken(_) = self.end(end).stage {
            note!(self, "{end} is dropped by its user");
            self.drop_socket(end);
        }
    }

    /// The pool that a stream came from.
    ///
    /// ```
    /// # use npws_sim::world::{PoolId, StreamId, World};
    /// fn is_from(world: &World, stream: StreamId, pool: PoolId) -> bool {
    ///     world.pool_of(stream) == pool
    /// }
    /// ```
    #[must_use]
    pub fn pool_of(&self, stream: StreamId) -> PoolId {
        self.end(stream.0).pool
    }

    /// The pool at the other end, and the ID by which the stream's peer can be taken there.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use npws_sim::world::{StreamId, World};
    /// /// What a control channel would carry.
    /// fn tell(world: &mut World, stream: StreamId) {
    ///     if let (peer, Some(id)) = world.counterpart(stream) {
    ///         world.take(peer, id, Duration::from_secs(5));
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn counterpart(&self, stream: StreamId) -> (PoolId, Option<ConnectionId>) {
        (self.end(stream.0.peer()).pool, self.end(stream.0).id())
    }

    /// The wire of a taken connection, after it has read so much.
    fn driven(&mut self, end: EndId, want: usize) -> Option<&mut Wire> {
        let Stage::Taken(_) = self.end(end).stage else { return None };
        let now = self.clock(self.end(end).pool);
        self.end_mut(end).wire.as_mut()?.fill(now, want);
        self.flush_wire(end);
        self.end_mut(end).wire.as_mut()
    }
}
