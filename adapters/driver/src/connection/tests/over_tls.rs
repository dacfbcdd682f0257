//! The same over TLS, whose buffers lie between the connection and the socket.

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, future};
use futures_rustls::pki_types::ServerName;
use futures_rustls::{TlsAcceptor, TlsConnector};
use npws_core::{CloseReason, LinkConfig, PeerGeneration, Role};
use tungstenite::Message;

use super::{connection, reason};
use crate::read_ahead::ReadAhead;
use crate::socket::Socket;
use crate::testing::{End, establish, pipe, wire};
use crate::tls::{ClientTls, ServerTls};
use crate::transport::Transport;
use crate::wire::Wire;

/// Both ends, established, over a pipe that holds `capacity` bytes.
fn pair(capacity: usize) -> (Wire, Wire) {
    let server_tls = ServerTls::self_signed(["localhost"]).unwrap();
    let acceptor = TlsAcceptor::from(server_tls.build().unwrap().unwrap());
    let connector = TlsConnector::from(ClientTls::dangerous_accept_any().build(1).unwrap().unwrap());
    let (near, far) = pipe(capacity);
    let stream = |end: End| ReadAhead::new(Socket::new(end));
    smol::block_on(async {
        let name = ServerName::try_from("localhost").unwrap();
        let (client, server) =
            future::try_join(connector.connect(name, stream(near)), acceptor.accept(stream(far))).await.unwrap();
        let wire_of = |transport, role| wire(transport, role, PeerGeneration::V2, LinkConfig::default());
        let mut client = wire_of(Transport::tls(client), Role::Client);
        let mut server = wire_of(Transport::tls(server), Role::Server);
        future::join(establish(&mut client), establish(&mut server)).await;
        (client, server)
    })
}

#[test]
fn a_stream_through_a_narrow_pipe_arrives_whole() {
    let (client, server) = pair(5000);
    let (mut client, mut server) = (connection(client), connection(server));
    assert!(client.tls().unwrap().peer_fingerprint().is_some());
    assert_eq!(server.tls().unwrap().peer_fingerprint(), None);
    let data: Vec<u8> = (0..600_000_u32).map(|n| (n / 3) as u8).collect();
    let mut received = Vec::new();
    smol::block_on(future::join(
        async {
            client.write_all(&data).await.unwrap();
            client.close().await;
        },
        async {
            server.read_to_end(&mut received).await.unwrap();
            server.close().await;
        },
    ));
    assert!(received == data);
}

#[test]
fn a_transport_that_ends_is_not_the_end_of_the_stream() {
    let (client, server) = pair(1 << 20);
    let mut client = connection(client);
    drop(server);
    let error = smol::block_on(client.read(&mut [0; 8])).unwrap_err();
    assert_eq!(reason(&error), CloseReason::TransportEnded);
}

#[test]
fn early_messages_stay_whole() {
    let (client, server) = pair(1 << 20);
    let mut client = smol::block_on(connection(client).into_websocket()).unwrap();
    let early = [Message::binary(vec![1; 40_000]), Message::binary(&b"two"[..])];
    smol::block_on(async {
        for message in early.clone() {
            client.send(message).await.unwrap();
        }
        let mut server = connection(server).into_websocket().await.unwrap();
        for message in early {
            assert_eq!(server.next().await.unwrap().unwrap(), message);
        }
        server.send(Message::binary(&b"back"[..])).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::binary(&b"back"[..]));
    });
}

#[test]
fn a_close_is_heard_at_the_other_end() {
    let (client, server) = pair(1 << 20);
    let (client, mut server) = (connection(client), connection(server));
    smol::block_on(future::join(client.close(), async {
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
        server.close().await;
    }));
}
