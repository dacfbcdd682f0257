//! The state machines without sockets, runtime or clock: two pools, and the two ends of each of their connections.
//!
//! Time is a number that this program advances, the network is a function call, and what a driver would do stands here
//! in full. So a test can put any event at any moment, and replay it.

use std::error::Error;
use std::time::Duration;

use npws::core::{
    ClientConfig, ClientPool, Instant, Link, LinkConfig, LinkMessage, LinkOutput, Output, PeerGeneration, ServerConfig,
    ServerPool,
};

/// Delivers what one end of a connection sends to the other. The WebSocket library of a driver answers pings.
fn deliver(now: Instant, from: &mut Link<Vec<u8>>, to: &mut Link<Vec<u8>>) {
    while let Some(output) = from.poll_output() {
        println!("{now} {:8} {output:?}", from.id().map_or_else(String::new, |id| id.to_string()));
        match output {
            LinkOutput::Send(LinkMessage::Id(id)) => to.handle_binary(now, id.to_bytes().to_vec()),
            LinkOutput::Send(LinkMessage::Ping) => {
                to.handle_ping(now);
                from.handle_pong(now);
            }
            LinkOutput::Send(LinkMessage::Close { code }) => to.handle_close(now, Some(code)),
            _ => {}
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut now = Instant::ZERO;
    let mut last_id = 0_u32;
    let ids = move || {
        last_id += 1;
        last_id.to_be_bytes()
    };
    let mut server = ServerPool::new(ServerConfig { capacity: 2, ..ServerConfig::default() }, ids, 1)?;
    let mut client = ClientPool::new(ClientConfig { capacity: 2..=2, ..ClientConfig::default() }, 2, now)?;
    let v2 = PeerGeneration::V2;
    let mut links = Vec::new();

    // The first round is due at once and dials twice. A connection's payload in both pools is its place in `links`.
    client.handle_timeout(now);
    while let Some(output) = client.poll_output() {
        let Output::Dial(dial) = output else { continue };
        let accept = server.handle_incoming(now, None).map_err(|rejection| rejection.to_string())?;
        let id = server.handle_request(now, accept, "/").map_err(|rejection| rejection.to_string())?.id;
        let mut far = Link::server(LinkConfig::default(), v2, 3, now, id);
        let mut near = Link::client(LinkConfig::default(), v2, 4, now, now + Duration::from_secs(10));
        deliver(now, &mut far, &mut near);
        deliver(now, &mut near, &mut far);
        server.handle_accepted(now, accept, v2, links.len()).ok_or("the server gave up")?;
        client.handle_dialed(now, dial, id, v2, links.len()).ok_or("the client gave up")?;
        links.push((far, near));
    }

    // The server takes its next connection, the client the same one by its ID.
    let waiter = server.take_next(now, Duration::ZERO);
    let taken = server.complete(now, waiter).ok_or("no outcome")??;
    let waiter = client.take(now, taken.key.id(), Duration::ZERO);
    let (far, near) = &mut links[client.complete(now, waiter).ok_or("no outcome")??.connection];
    far.take(now);
    near.take(now);
    near.handle_binary(now, b"hello".to_vec());
    println!("{now} {} carries {:?}", taken.key.id(), near.chunk().map(String::from_utf8_lossy));
    near.consume(near.buffered());

    // Nobody took the other connection: after a silence its ends ping each other. Only the one that is due moves time.
    let (far, near) = links.last_mut().ok_or("no connection")?;
    now = far.poll_timeout().ok_or("no ping is due")?;
    far.handle_timeout(now);
    deliver(now, far, near);
    println!("{now} last alive: {:?}; idle: {} and {}", far.last_alive(), server.active(), client.active());
    Ok(())
}
