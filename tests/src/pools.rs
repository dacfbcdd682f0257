//! Pools that talk to each other over loopback.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use npws::{
    ClientPool, ClientPoolBuilder, ClientTls, Connection, ConnectionId, ServerPool, ServerPoolBuilder, ServerTls, Stats,
};

use crate::testbed::{SOON, Testbed, ms, until};

/// So long that no second round of a client happens during a case.
pub const NEVER: Duration = Duration::from_secs(3600);

/// A server pool's builder, for up to 256 idle connections.
pub fn server<R: Testbed>() -> ServerPoolBuilder<R> {
    ServerPool::builder().capacity(256)
}

/// A client pool's builder, for exactly `count` idle connections, looking after them every 10 ms.
pub fn client<R: Testbed>(address: impl ToString, count: usize) -> ClientPoolBuilder<R> {
    ClientPool::builder(address.to_string()).capacity(count..=count).interval(ms(10)..=ms(10)).backoff(ms(5)..=ms(50))
}

/// Binds a server to a free port of loopback.
pub async fn bind<R: Testbed>(builder: ServerPoolBuilder<R>) -> (ServerPool<R>, SocketAddr) {
    let pool = builder.bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = pool.local_addr().expect("it has a listener");
    (pool, address)
}

/// Two plain pools, `count` idle connections between them.
pub async fn pair<R: Testbed>(count: usize) -> (ServerPool<R>, ClientPool<R>) {
    let (server, address) = bind(server::<R>()).await;
    let client = client(address, count).connect().expect("the settings are valid");
    filled(&server, &client, count).await;
    (server, client)
}

/// As [`pair`], over TLS.
pub async fn tls_pair<R: Testbed>(count: usize) -> (ServerPool<R>, ClientPool<R>) {
    let (server_tls, client_tls) = tls();
    let (server, address) = bind(server::<R>().tls(server_tls)).await;
    let client = client(address, count).tls(client_tls).connect().expect("the settings are valid");
    filled(&server, &client, count).await;
    (server, client)
}

/// A server's TLS and that of a client which trusts it for `127.0.0.1`.
pub fn tls() -> (ServerTls, ClientTls) {
    let server = ServerTls::self_signed(["127.0.0.1"]).expect("a certificate can be made");
    let pem = server.certificate_pem().expect("it is self-signed").to_owned();
    (server, ClientTls::with_roots_pem(pem.as_bytes()).expect("it is a certificate"))
}

/// Waits until both pools have `count` idle connections.
pub async fn filled<R: Testbed>(server: &ServerPool<R>, client: &ClientPool<R>, count: usize) {
    until::<R>("both pools are full", || server.active() == count && client.active() == count).await;
}

/// Both ends of the next connection: the server's first.
pub async fn take_pair<R: Testbed>(server: &ServerPool<R>, client: &ClientPool<R>) -> (Connection, Connection) {
    let (id, accepted) = server.take_next(SOON).await.expect("the server has a connection");
    let dialed = client.take(id, SOON).await.expect("the client has its other end");
    assert_eq!((accepted.id(), dialed.id()), (id, id));
    (accepted, dialed)
}

/// Sends data both ways and checks it.
pub async fn talk(left: &mut Connection, right: &mut Connection) {
    let there: Vec<u8> = [b"there ", left.id().to_string().as_bytes()].concat();
    let back: Vec<u8> = [b"and back ", right.id().to_string().as_bytes()].concat();
    send(left, &there).await;
    send(right, &back).await;
    assert_eq!(receive(right, there.len()).await, there);
    assert_eq!(receive(left, back.len()).await, back);
}

/// Writes all of `data`.
pub async fn send(connection: &mut Connection, data: &[u8]) {
    connection.write_all(data).await.expect("the peer is there");
    connection.flush().await.expect("the peer is there");
}

/// Reads exactly `length` bytes.
pub async fn receive(connection: &mut Connection, length: usize) -> Vec<u8> {
    let mut data = vec![0; length];
    connection.read_exact(&mut data).await.expect("that much was sent");
    data
}

/// Reads to the end of the stream, which must come in good order.
pub async fn receive_all(connection: &mut Connection) -> Vec<u8> {
    let mut data = Vec::new();
    connection.read_to_end(&mut data).await.expect("the stream ends in good order");
    data
}

/// How many connections ended for `reason`.
pub fn closed_by(stats: &Stats, reason: npws::CloseReason) -> u64 {
    stats.closed_by.iter().filter(|(other, _)| *other == reason).map(|(_, count)| *count).sum()
}

/// An ID that no server gives twice in a case.
pub fn id(number: u32) -> ConnectionId {
    ConnectionId::from_bytes(number.to_be_bytes())
}

/// `length` bytes in which no two places look alike.
pub fn pattern(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut data = Vec::with_capacity(length + 8);
    while data.len() < length {
        // Knuth's MMIX generator.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        data.extend_from_slice(&(state >> 8).to_le_bytes()[..7]);
    }
    data.truncate(length);
    data
}
