//! Who may come in, and in which order that is found out.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::net::IpAddr;

use super::RequestHead;
use crate::admission::group;
use crate::config::trusting;
use crate::{
    AddressLimits, AddressLimitsConfig, AllowList, ConfigError, Credentials, ForwardedHeader, Instant, Limited,
    OriginPolicy, ProxyProtocol, ProxyRule, Rejection, ServerConfig, Tokens, client_address,
};

/// A peer that may come in as far as the door is concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guest {
    /// Where it comes from.
    pub(super) address: Option<IpAddr>,
    pub(super) subprotocol: Option<&'static str>,
}

#[derive(Debug)]
pub(super) struct Door {
    path: Option<String>,
    pub(super) allow: Option<AllowList>,
    pub(super) tokens: Option<Tokens>,
    pub(super) origins: OriginPolicy,
    pub(super) proxies: Option<(AllowList, ForwardedHeader)>,
    proxy_protocol: Option<ProxyProtocol>,
    limits: AddressLimits,
    /// Whether any limit is one of an address; otherwise there is nothing to remember of them.
    limits_addresses: bool,
    max_from_one: Option<usize>,
    /// Handshakes by where their sockets come from, but for those of proxies. The limits know an address only from a
    /// complete request on, and a peer that never completes one must not have the handshakes of all others.
    sockets: BTreeMap<IpAddr, usize>,
}

impl Door {
    pub(super) fn new(config: ServerConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            limits_addresses: limits_addresses(&config.limits),
            max_from_one: config.limits.max_handshakes_per_address,
            limits: AddressLimits::new(config.limits)?,
            path: config.path,
            allow: config.allow,
            tokens: config.tokens,
            origins: config.origins,
            proxies: config.proxies,
            proxy_protocol: config.proxy_protocol,
            sockets: BTreeMap::new(),
        })
    }

    /// Goes on believing these, of which there must be some.
    pub(super) fn set_proxy_protocol(&mut self, proxies: Option<ProxyProtocol>) -> Result<(), ConfigError> {
        trusting("proxy_protocol", proxies.as_ref().map(ProxyProtocol::trusted))?;
        self.proxy_protocol = proxies;
        Ok(())
    }

    /// Goes on with other limits. `guests` are as in the handshakes under way, `connections` as in the connections.
    pub(super) fn set_limits(
        &mut self,
        now: Instant,
        limits: AddressLimitsConfig,
        guests: impl Iterator<Item = Option<IpAddr>>,
        connections: impl Iterator<Item = IpAddr>,
    ) -> Result<(), ConfigError> {
        let (is_tracking, max_from_one) = (limits_addresses(&limits), limits.max_handshakes_per_address);
        let guests = guests.map(|address| address.filter(|_| is_tracking));
        self.limits.reconfigure(now, limits, guests, connections.filter(|_| is_tracking))?;
        (self.limits_addresses, self.max_from_one) = (is_tracking, max_from_one);
        Ok(())
    }

    /// Begins one more handshake, if it may. Gives what it counts as, to be told as it ends.
    pub(super) fn enter(&mut self, now: Instant, socket: Option<IpAddr>) -> Result<Option<IpAddr>, Rejection> {
        let counted = match self.proxy_rule(socket) {
            // What they carry is not one client's.
            ProxyRule::Required | ProxyRule::Optional => None,
            _ => self.counted(socket),
        };
        self.enter_as(counted)?;
        self.limits.begin(now, None).map_err(|limited| {
            self.leave_as(counted);
            rejection(limited)
        })?;
        Ok(counted)
    }

    /// Whether the connections of this socket's address begin with a PROXY header.
    pub(super) fn proxy_rule(&self, socket: Option<IpAddr>) -> ProxyRule {
        self.proxy_protocol.as_ref().map_or(ProxyRule::Ignored, |proxies| proxies.rule(socket))
    }

    /// A PROXY header says that a handshake, which counted as `former`, comes from here. Gives what it counts as from now
    /// on.
    pub(super) fn rename(&mut self, former: Option<IpAddr>, address: IpAddr) -> Result<Option<IpAddr>, Rejection> {
        let counted = self.counted(Some(address));
        self.enter_as(counted)?;
        self.leave_as(former);
        Ok(counted)
    }

    /// A handshake is over; `guest` is what became known of the peer.
    pub(super) fn leave(&mut self, counted: Option<IpAddr>, guest: Option<Guest>) {
        self.leave_as(counted);
        self.limits.end_handshake(self.tracked(guest.and_then(|guest| guest.address)));
    }

    /// A handshake is over and has become a connection.
    pub(super) fn stay(&mut self, counted: Option<IpAddr>, guest: Option<Guest>) {
        self.leave_as(counted);
        self.limits.connected(self.tracked(guest.and_then(|guest| guest.address)));
    }

    /// A connection has left the pool.
    pub(super) fn depart(&mut self, address: IpAddr) {
        self.limits.disconnected(self.tracked(Some(address)));
    }

    /// Decides on a request; one that is let in counts towards the limits of its address from now on.
    ///
    /// The rate is charged before anything is compared with a secret, so nobody guesses at full speed.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        socket: Option<IpAddr>,
        head: &RequestHead<'_>,
    ) -> Result<Guest, Rejection> {
        let fields = || head.fields.iter().copied();
        let address = match (&self.proxies, socket) {
            (Some((trusted, header)), Some(socket)) => {
                Some(client_address(socket, trusted, *header, fields()).map_err(|_| Rejection::Malformed)?)
            }
            _ => socket,
        };
        if self.allow.as_ref().is_some_and(|allow| !allow.allows(address)) {
            return Err(Rejection::Forbidden);
        }
        if let Some(address) = self.tracked(address) {
            self.limits.identify(now, address).map_err(rejection)?;
        }
        let guest = Guest { address, subprotocol: Credentials::of(fields()).subprotocol() };
        match self.judge(head) {
            Ok(()) => Ok(guest),
            Err(rejection) => {
                self.turn_away(guest);
                Err(rejection)
            }
        }
    }

    /// What does not depend on where a request comes from.
    fn judge(&self, head: &RequestHead<'_>) -> Result<(), Rejection> {
        let fields = || head.fields.iter().copied();
        let Some(path) = head.path else { return Err(head.upgrade.err().unwrap_or(Rejection::Malformed)) };
        if self.path.as_ref().is_some_and(|own| own != path) {
            return Err(Rejection::NotFound);
        }
        if let Some(tokens) = &self.tokens
            && !Credentials::of(fields()).token().is_some_and(|token| tokens.accepts(token))
        {
            return Err(Rejection::Unauthorized);
        }
        if !self.origins.admits(fields()) {
            return Err(Rejection::Forbidden);
        }
        head.upgrade
    }

    /// This guest is not let in after all: its handshake goes on only until it has read so.
    pub(super) fn turn_away(&mut self, guest: Guest) {
        if let Some(address) = self.tracked(guest.address) {
            self.limits.anonymize(address);
        }
    }

    pub(super) fn handshakes(&self) -> usize {
        self.limits.handshakes()
    }

    /// What a socket's handshake counts towards before its request is known.
    fn counted(&self, socket: Option<IpAddr>) -> Option<IpAddr> {
        let is_proxy = self.proxies.as_ref().is_some_and(|(trusted, _)| trusted.allows(socket));
        // Also without a limit: there may be one before this handshake is over.
        socket.filter(|_| !is_proxy).map(group)
    }

    /// What the limits know an address by, if it is of interest to them.
    fn tracked(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        address.filter(|_| self.limits_addresses)
    }

    fn enter_as(&mut self, counted: Option<IpAddr>) -> Result<(), Rejection> {
        let Some(address) = counted else { return Ok(()) };
        let from_one = self.sockets.get(&address).copied().unwrap_or(0);
        if self.max_from_one.is_some_and(|max| from_one >= max) {
            return Err(Rejection::TooMany);
        }
        self.sockets.insert(address, from_one + 1);
        Ok(())
    }

    fn leave_as(&mut self, counted: Option<IpAddr>) {
        let Some(address) = counted else { return };
        match self.sockets.get_mut(&address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.sockets.remove(&address)),
        }
    }
}

/// Whether any limit is one of an address.
fn limits_addresses(limits: &AddressLimitsConfig) -> bool {
    let counts = limits.max_handshakes_per_address.or(limits.max_connections_per_address);
    counts.is_some() || limits.handshake_rate.is_some()
}

fn rejection(limited: Limited) -> Rejection {
    if limited.status() == Rejection::TooMany.status() { Rejection::TooMany } else { Rejection::Full }
}
