//! Sessions that are resumed.

use std::sync::Arc;

use futures::future;
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use futures_rustls::rustls::client::ClientSessionStore;
use futures_rustls::rustls::{ClientConfig, NamedGroup, ServerConfig};

use super::{NAME, client_config, connect, server_config};
use crate::tls::tickets::TicketStore;
use crate::tls::{ClientTls, ServerTls, TlsInfo};

/// Tickets arrive after the handshake, so the client reads what the server writes behind them.
async fn visit(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> TlsInfo {
    let (near, far) = connect(client, server, NAME).await;
    let (mut near, mut far) = (near.unwrap(), far.unwrap());
    far.write_all(b"x").await.unwrap();
    far.flush().await.unwrap();
    near.read_exact(&mut [0]).await.unwrap();
    TlsInfo::of(&near).unwrap()
}

#[test]
fn a_resumed_session_still_tells_the_peers_certificate() {
    let server = ServerTls::self_signed([NAME]).unwrap();
    let client = ClientTls::pinned(server.fingerprint().unwrap());
    let (near, far) = (client_config(&client), server_config(&server));
    smol::block_on(async {
        assert!(!visit(&near, &far).await.is_resumed());
        let info = visit(&near, &far).await;
        assert!(info.is_resumed());
        assert_eq!(info.peer_fingerprint(), server.fingerprint());
    });
}

#[test]
fn a_wave_of_dials_resumes() {
    const DIALS: usize = 32;
    let server = ServerTls::self_signed([NAME]).unwrap();
    let client = ClientTls::pinned(server.fingerprint().unwrap());
    let (near, far) = (client_config(&client), server_config(&server));
    smol::block_on(async {
        for _ in 0..DIALS {
            visit(&near, &far).await;
        }
        let wave = future::join_all((0..DIALS).map(|_| connect(&near, &far, NAME))).await;
        assert!(wave.into_iter().all(|(near, _)| TlsInfo::of(&near.unwrap()).unwrap().is_resumed()));
    });
}

#[test]
fn a_server_remembers_more_sessions_than_a_small_pool_leaves() {
    let server = server_config(&ServerTls::self_signed([NAME]).unwrap());
    let first = client_config(&ClientTls::dangerous_accept_any());
    smol::block_on(async {
        visit(&first, &server).await;
        for _ in 0..200 {
            visit(&client_config(&ClientTls::dangerous_accept_any()), &server).await;
        }
        assert!(visit(&first, &server).await.is_resumed());
    });
}

#[test]
fn a_session_is_not_resumed_by_another_pool() {
    let server = ServerTls::self_signed([NAME]).unwrap();
    let far = server_config(&server);
    smol::block_on(async {
        visit(&client_config(&ClientTls::dangerous_accept_any()), &far).await;
        let pinned = client_config(&ClientTls::pinned(server.fingerprint().unwrap()));
        assert!(!visit(&pinned, &far).await.is_resumed());
    });
}

#[test]
fn the_ticket_store_remembers_a_bounded_number_of_servers() {
    let store = TicketStore::default();
    let name = |i: usize| format!("host{i}.example").try_into().unwrap();
    for i in 0..1000 {
        store.set_kx_hint(name(i), NamedGroup::X25519);
    }
    let known = (0..1000).filter(|&i| store.kx_hint(&name(i)).is_some()).count();
    assert_eq!(known, 16);
}
