//! What the limits have to do, written down as plainly as possible: levels of buckets, and lists that are searched.

use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, Copy)]
enum Step {
    Wait(Duration),
    Begin(Option<IpAddr>),
    Identify(IpAddr),
    EndHandshake(Option<IpAddr>),
    Connected(Option<IpAddr>),
    Disconnected(Option<IpAddr>),
}

/// Few enough that they meet, in groups of several spellings.
fn peers() -> impl Strategy<Value = IpAddr> {
    let texts = [A, "::ffff:192.0.2.1", B, C, "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "198.51.100.1"];
    prop::sample::select(texts.to_vec()).prop_map(|text| text.parse().unwrap())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let peer = || option::weighted(0.9, peers());
    let step = prop_oneof![
        2 => (0_u64..400).prop_map(|time| Step::Wait(Duration::from_millis(time))),
        6 => peer().prop_map(Step::Begin),
        1 => peers().prop_map(Step::Identify),
        3 => peer().prop_map(Step::EndHandshake),
        2 => peer().prop_map(Step::Connected),
        2 => peer().prop_map(Step::Disconnected),
    ];
    vec(step, 0..120)
}

prop_compose! {
    fn configs()(
        max_handshakes in option::of(1_usize..8),
        max_handshakes_per_address in option::of(1_usize..4),
        max_connections_per_address in option::of(1_usize..5),
        rate in option::weighted(0.8, (1_u32..5, 1_u64..300)),
        max_addresses in 1_usize..5,
    ) -> AddressLimitsConfig {
        let handshake_rate = rate.map(|(burst, refill)| HandshakeRate { burst, refill: Duration::from_millis(refill) });
        AddressLimitsConfig {
            max_handshakes, max_handshakes_per_address, max_connections_per_address, handshake_rate, max_addresses,
        }
    }
}

#[derive(Debug)]
struct Peer {
    group: IpAddr,
    handshakes: usize,
    connections: usize,
    /// What the bucket holds, as the time in which it would be refilled from nothing to this.
    level: Duration,
}

#[derive(Debug)]
struct Model {
    config: AddressLimitsConfig,
    anonymous: usize,
    peers: Vec<Peer>,
}

fn common(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            [a, b, c, d, 0, 0, 0, 0].into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl Model {
    fn full(&self) -> Duration {
        self.config.handshake_rate.map_or(Duration::ZERO, |rate| rate.refill * rate.burst)
    }

    fn handshakes(&self) -> usize {
        self.anonymous + self.peers.iter().map(|peer| peer.handshakes).sum::<usize>()
    }

    fn alive(&self) -> usize {
        self.peers.iter().filter(|peer| peer.handshakes + peer.connections > 0).count()
    }

    fn wait(&mut self, time: Duration) {
        let full = self.full();
        self.peers.iter_mut().for_each(|peer| peer.level = (peer.level + time).min(full));
    }

    /// Those that differ from a peer that was never seen.
    fn forget(&mut self) {
        let full = self.full();
        self.peers.retain(|peer| peer.handshakes + peer.connections > 0 || peer.level < full);
    }

    fn find(&mut self, address: IpAddr) -> Option<&mut Peer> {
        self.peers.iter_mut().find(|peer| peer.group == common(address))
    }

    fn begin(&mut self, address: Option<IpAddr>) -> Result<(), Limited> {
        if self.config.max_handshakes == Some(self.handshakes()) {
            return Err(Limited::Handshakes);
        }
        match address {
            Some(address) => self.charge(address),
            None => {
                self.anonymous += 1;
                Ok(())
            }
        }
    }

    fn identify(&mut self, address: IpAddr) -> Result<(), Limited> {
        if self.anonymous == 0 {
            return self.begin(Some(address));
        }
        self.charge(address)?;
        self.anonymous -= 1;
        Ok(())
    }

    fn charge(&mut self, address: IpAddr) -> Result<(), Limited> {
        self.forget();
        let (config, full) = (self.config.clone(), self.full());
        if self.find(address).is_none() {
            if self.peers.len() == config.max_addresses {
                // The highest level is nearest to full.
                let resting = self.peers.iter().filter(|peer| peer.handshakes + peer.connections == 0);
                let first = resting.min_by_key(|peer| (full - peer.level, peer.group)).map(|peer| peer.group);
                let first = first.ok_or(Limited::Addresses)?;
                self.peers.retain(|peer| peer.group != first);
            }
            self.peers.push(Peer { group: common(address), handshakes: 0, connections: 0, level: full });
        }
        let peer = self.find(address).unwrap();
        if config.max_handshakes_per_address == Some(peer.handshakes) {
            return Err(Limited::HandshakesOfAddress);
        }
        if config.max_connections_per_address == Some(peer.handshakes + peer.connections) {
            return Err(Limited::ConnectionsOfAddress);
        }
        if let Some(rate) = config.handshake_rate {
            peer.level = peer.level.checked_sub(rate.refill).ok_or(Limited::Rate)?;
        }
        peer.handshakes += 1;
        Ok(())
    }

    fn end(&mut self, address: Option<IpAddr>, connections: usize) {
        match address {
            None => self.anonymous = self.anonymous.saturating_sub(1),
            Some(address) => {
                if let Some(peer) = self.find(address).filter(|peer| peer.handshakes > 0) {
                    peer.handshakes -= 1;
                    peer.connections += connections;
                }
            }
        }
    }

    fn disconnected(&mut self, address: Option<IpAddr>) {
        if let Some(peer) = address.and_then(|address| self.find(address)) {
            peer.connections = peer.connections.saturating_sub(1);
        }
    }
}

/// What has to hold whatever happened.
fn check(limits: &AddressLimits, model: &Model) {
    let config = &limits.config;
    assert_eq!(limits.handshakes(), model.handshakes());
    assert!((model.alive()..=config.max_addresses).contains(&limits.addresses()));
    assert!(config.max_handshakes.is_none_or(|max| limits.handshakes() <= max));
    let in_flight = limits.addresses.values().map(|address| address.handshakes).sum::<usize>();
    assert_eq!(in_flight + limits.anonymous, limits.handshakes());
    for (group, address) in &limits.addresses {
        assert!(config.max_handshakes_per_address.is_none_or(|max| address.handshakes <= max));
        let together = address.handshakes + address.connections;
        assert!(config.max_connections_per_address.is_none_or(|max| together <= max));
        let is_resting = limits.resting.contains(&(address.full_at, *group));
        assert_eq!(is_resting, together == 0, "what has nothing alive can be forgotten, and only that");
    }
    let resting = limits.addresses.values().filter(|address| address.is_resting()).count();
    assert_eq!(limits.resting.len(), resting, "every entry of the order has its address");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn limits_do_what_the_model_does(config in configs(), steps in steps()) {
        let mut limits = limits(config.clone());
        let mut model = Model { config, anonymous: 0, peers: Vec::new() };
        let mut now = at(7);
        for step in steps {
            match step {
                Step::Wait(time) => {
                    now = now + time;
                    model.wait(time);
                }
                Step::Begin(peer) => prop_assert_eq!(limits.begin(now, peer), model.begin(peer)),
                Step::Identify(peer) => prop_assert_eq!(limits.identify(now, peer), model.identify(peer)),
                Step::EndHandshake(peer) => {
                    limits.end_handshake(peer);
                    model.end(peer, 0);
                }
                Step::Connected(peer) => {
                    limits.connected(peer);
                    model.end(peer, 1);
                }
                Step::Disconnected(peer) => {
                    limits.disconnected(peer);
                    model.disconnected(peer);
                }
            }
            check(&limits, &model);
        }
    }
}
