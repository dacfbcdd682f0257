//! What users and peers of a pool get, as seen from outside the machine.

mod accepts;
mod admission;
mod client;
mod controller;
mod dials;
mod drain;
mod freshness;
mod halves;
mod lifecycle;
mod listener;
mod pace;
mod proxy_protocol;
mod server;
mod steering;
mod takes;
mod tombstones;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::{
    ClientConfig, CloseReason, ConnectionId, LinkConfig, PeerGeneration, PeerHeader, PoolConfig, ServerConfig,
    TakeError,
};

type Client = ClientPool<u32>;
type Server = ServerPool<u32, Box<dyn FnMut() -> [u8; 4]>>;

const V1: PeerGeneration = PeerGeneration::V1;
const V2: PeerGeneration = PeerGeneration::V2;
const FOREVER: Duration = Duration::MAX;
const DIED: CloseReason = CloseReason::TransportFailed;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn at(milliseconds: u64) -> Instant {
    Instant::ZERO + ms(milliseconds)
}

fn id(number: u32) -> ConnectionId {
    ConnectionId::from_bytes(number.to_be_bytes())
}

/// Everything that a pool asked of its driver since the last look.
#[derive(Debug, Default)]
struct Seen {
    woken: Vec<WaiterId>,
    closed: Vec<(u32, CloseReason)>,
    asked_back: Vec<ConnectionKey>,
    dials: Vec<DialId>,
    aborted_dials: Vec<DialId>,
    aborted_accepts: Vec<AcceptId>,
    stopped_listening: bool,
    is_closed: bool,
}

fn look<S: Side<u32>>(pool: &mut Pool<u32, S>) -> Seen {
    let mut seen = Seen::default();
    while let Some(output) = pool.poll_output() {
        assert!(!seen.is_closed, "nothing to do is named after the end, but {output:?}");
        match output {
            Output::Wake(waiter) => seen.woken.push(waiter),
            Output::Close { connection, reason } => seen.closed.push((connection, reason)),
            Output::Dial(dial) => seen.dials.push(dial),
            Output::AbortDial(dial) => seen.aborted_dials.push(dial),
            Output::AbortAccept(accept) => seen.aborted_accepts.push(accept),
            Output::AskBack(key) => seen.asked_back.push(key),
            Output::Round { .. } => {}
            Output::StopListening => seen.stopped_listening = true,
            Output::Closed => seen.is_closed = true,
        }
    }
    pool.assert_consistent();
    seen
}

/// Fetches the outcome that a waiter has by now.
fn fetch<S: Side<u32>>(pool: &mut Pool<u32, S>, now: Instant, waiter: WaiterId) -> Result<u32, TakeError> {
    let outcome = pool.complete(now, waiter).expect("the waiter has an outcome");
    pool.assert_consistent();
    outcome.map(|taken| taken.connection)
}

/// Takes the next one, if it is there.
fn try_next<S: Side<u32>>(pool: &mut Pool<u32, S>, now: Instant) -> Result<u32, TakeError> {
    let waiter = pool.take_next(now, Duration::ZERO);
    fetch(pool, now, waiter)
}

/// Takes this one, if it is there.
fn try_id<S: Side<u32>>(pool: &mut Pool<u32, S>, now: Instant, number: u32) -> Result<u32, TakeError> {
    let waiter = pool.take(now, id(number), Duration::ZERO);
    fetch(pool, now, waiter)
}

fn is_waiting<S: Side<u32>>(pool: &mut Pool<u32, S>, now: Instant, waiter: WaiterId) -> bool {
    pool.offered(waiter).is_none() && pool.complete(now, waiter).is_none()
}

/// A server that names its connections 0 (control), 1, 2, 3 and so on.
fn server_with(config: ServerConfig) -> Server {
    let mut last = 0_u32;
    let ids = move || {
        last += 1;
        last.to_be_bytes()
    };
    ServerPool::new(config, Box::new(ids) as Box<dyn FnMut() -> [u8; 4]>, 7).unwrap()
}

fn server(capacity: usize) -> Server {
    server_with(ServerConfig { capacity, ..ServerConfig::default() })
}

/// Lets a peer in as far as its request's answer.
fn admit(pool: &mut Server, now: Instant) -> (AcceptId, ConnectionId) {
    let accept = pool.handle_incoming(now, None).expect("the pool is open");
    let id = pool.handle_request(now, accept, "/").expect("there is room").id;
    (accept, id)
}

/// Lets a peer in; the payload is the ID's number.
fn accept(pool: &mut Server, now: Instant, peer: PeerGeneration) -> ConnectionKey {
    let (accept, id) = admit(pool, now);
    let key = pool.handle_accepted(now, accept, peer, u32::from_be_bytes(id.to_bytes())).expect("it is registered");
    pool.assert_consistent();
    key
}

/// A server pool of v1 connections 0 to `count - 1`, in this order.
fn stocked(count: usize) -> (Server, Vec<ConnectionKey>) {
    let mut pool = server(64);
    let keys = (0..count).map(|_| accept(&mut pool, at(0), V1)).collect();
    look(&mut pool);
    (pool, keys)
}

/// A server pool of v2 connections 0 to `count - 1`, in this order.
fn stocked_v2(count: usize) -> (Server, Vec<ConnectionKey>) {
    let mut pool = server(64);
    let keys = (0..count).map(|_| accept(&mut pool, at(0), V2)).collect();
    look(&mut pool);
    (pool, keys)
}

/// Rounds every 100 ms at a fixed capacity, ten seconds for a dial.
fn client_config(capacity: usize) -> ClientConfig {
    ClientConfig {
        capacity: capacity..=capacity,
        interval: ms(100)..=ms(100),
        policy: Policy::Fixed,
        ..ClientConfig::default()
    }
}

fn client_with(config: ClientConfig) -> Client {
    ClientPool::new(config, 7, at(0)).unwrap()
}

/// A peer that opens connections.
fn opener() -> PeerHeader {
    PeerHeader { generation: V2, opens: true }
}

/// A client pool whose first round has begun, and its dials.
fn started(config: ClientConfig) -> (Client, Vec<DialId>) {
    let mut pool = client_with(config);
    let dials = run(&mut pool, at(0));
    (pool, dials)
}

/// Does what is due at `now`; says which dials began.
fn run(pool: &mut Client, now: Instant) -> Vec<DialId> {
    pool.handle_timeout(now);
    look(pool).dials
}

/// Ends a dial with a connection; the payload is the ID's number.
fn dialed(pool: &mut Client, now: Instant, dial: DialId, number: u32, peer: impl Into<PeerHeader>) -> ConnectionKey {
    let key = pool.handle_dialed(now, dial, id(number), peer, number).expect("it is registered");
    pool.assert_consistent();
    key
}

fn refused(pool: &mut Client, now: Instant, dial: DialId) {
    pool.handle_dial_failed(now, dial, DialFailure::Connect);
    pool.assert_consistent();
}

/// A client pool of v1 connections 1 to `count`, in this order.
fn filled(count: u32) -> (Client, Vec<ConnectionKey>) {
    let (mut pool, dials) = started(client_config(count as usize));
    let keys = dials.iter().zip(1..).map(|(&dial, number)| dialed(&mut pool, at(0), dial, number, V1)).collect();
    look(&mut pool);
    (pool, keys)
}

/// A configuration that sets the control connection apart.
fn with_control_channel() -> PoolConfig {
    PoolConfig { control_channel: true, ..PoolConfig::default() }
}
