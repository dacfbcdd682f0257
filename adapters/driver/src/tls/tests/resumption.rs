//! Sessions that are resumed.

use std::sync::Arc;

use futures::future;
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use futures_rustls::rustls::client::ClientSessionStore;
use futures_rustls::rustls::{ClientConfig, NamedGroup, ServerConfig};

use super::authority::Authority;
use super::{CONNECTIONS, NAME, client_config, connect, server_config, tls_error};
use crate::tls::tickets::TicketStore;
use crate::tls::{ClientTls, ServerTls, TlsError, TlsInfo};

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
    // Far more than the 8 tickets that rustls keeps, and exactly what the pool may need at once.
    const DIALS: usize = CONNECTIONS;
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
fn the_tickets_that_are_kept_follow_the_size_of_the_pool() {
    let server = server_config(&ServerTls::self_signed([NAME]).unwrap());
    smol::block_on(async {
        for connections in [1, 3, 20] {
            let client = ClientTls::dangerous_accept_any().build(connections).unwrap().unwrap();
            for _ in 0..connections {
                // Each leaves two.
                visit(&client, &server).await;
            }
            let wave = future::join_all((0..2 * connections).map(|_| connect(&client, &server, NAME))).await;
            let is_resumed = |near: super::Handshake| TlsInfo::of(&near.unwrap()).unwrap().is_resumed();
            let resumed = wave.into_iter().filter_map(|(near, _)| is_resumed(near).then_some(())).count();
            assert_eq!(resumed, connections);
        }
    });
}

#[test]
fn a_server_with_new_settings_resumes_no_session_from_before() {
    let old = ServerTls::self_signed([NAME]).unwrap();
    let client = client_config(&ClientTls::dangerous_accept_any());
    let resumes = |server: &ServerTls| {
        let server = server_config(server);
        smol::block_on(async { [visit(&client, &server).await, visit(&client, &server).await].map(|t| t.is_resumed()) })
    };
    assert_eq!(resumes(&old), [false, true]);
    assert_eq!(resumes(&ServerTls::self_signed([NAME]).unwrap()), [false, true], "another certificate");
    assert_eq!(resumes(&old), [false, true], "the same settings again are new settings");
}

#[test]
fn a_server_that_asks_for_client_certificates_looks_at_them_each_time() {
    let issuer = Authority::new("A");
    let own = issuer.issue("client.example", |_| {});
    let client = issuer.client().client_certificate_pem(own.certificate.as_bytes(), own.key.as_bytes()).unwrap();
    let server = issuer.server(NAME).client_ca_pem(issuer.pem().as_bytes()).unwrap();
    let provider = client_config(&client).crypto_provider().clone();
    for server in [server.clone(), server.crypto_provider(provider)] {
        let (near, far) = (client_config(&client), server_config(&server));
        smol::block_on(async {
            visit(&near, &far).await;
            let (near, far) = connect(&near, &far, NAME).await;
            assert!(!TlsInfo::of(&near.unwrap()).unwrap().is_resumed(), "a certificate may have expired since");
            let known = TlsInfo::of(&far.unwrap()).unwrap();
            assert_eq!(known.peer_fingerprint(), own.server().fingerprint());
        });
    }
}

#[test]
fn an_old_ticket_does_not_let_a_client_in_that_is_asked_for_a_certificate_now() {
    let (issuer, other) = (Authority::new("A"), Authority::new("B"));
    let own = issuer.issue("client.example", |_| {});
    let client = issuer.client().client_certificate_pem(own.certificate.as_bytes(), own.key.as_bytes()).unwrap();
    let client = client_config(&client);
    let certificate = issuer.server(NAME);
    let before = server_config(&certificate);
    let after = server_config(&certificate.client_ca_pem(other.pem().as_bytes()).unwrap());
    smol::block_on(async {
        visit(&client, &before).await;
        assert!(visit(&client, &before).await.is_resumed());
        let (_, far) = connect(&client, &after, NAME).await;
        assert_eq!(tls_error(&far.unwrap_err()), TlsError::UntrustedIssuer);
    });
}

#[test]
fn cryptography_of_ones_own_resumes_without_tickets_of_another() {
    let provider = client_config(&ClientTls::dangerous_accept_any()).crypto_provider().clone();
    let server = server_config(&ServerTls::self_signed([NAME]).unwrap().crypto_provider(provider));
    assert!(!server.ticketer.enabled());
    let client = client_config(&ClientTls::dangerous_accept_any());
    smol::block_on(async {
        visit(&client, &server).await;
        assert!(visit(&client, &server).await.is_resumed());
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
    let store = TicketStore::new(1);
    let name = |i: usize| format!("host{i}.example").try_into().unwrap();
    for i in 0..1000 {
        store.set_kx_hint(name(i), NamedGroup::X25519);
    }
    let known = (0..1000).filter(|&i| store.kx_hint(&name(i)).is_some()).count();
    assert_eq!(known, 16);
}
