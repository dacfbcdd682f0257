//! Chromium as the peer of our server: a page that knows nothing of pools.
#![expect(clippy::expect_used, reason = "the helpers are tests as well")]

mod browser;

use npws::tokio::Tokio;
use npws::{Connection, OriginPolicy, PeerGeneration, ServerPool, ServerPoolBuilder, Tokens};
use npws_peers::tls::Mode;
use npws_tests::pools::{bind, pattern, receive, receive_all, send, server};
use npws_tests::testbed::{SOON, run};

use self::browser::{Site, open};

#[test]
fn a_page_echoes_over_ws_until_we_close() {
    run::<Tokio, _>(|| a_page_echoes(Mode::Plain, true));
}

#[test]
fn a_page_echoes_over_ws_until_it_closes() {
    run::<Tokio, _>(|| a_page_echoes(Mode::Plain, false));
}

#[test]
fn a_page_echoes_over_wss_until_we_close() {
    run::<Tokio, _>(|| a_page_echoes(Mode::Trusting, true));
}

#[test]
fn a_page_echoes_over_wss_until_it_closes() {
    run::<Tokio, _>(|| a_page_echoes(Mode::Trusting, false));
}

#[test]
fn a_page_of_another_origin_is_turned_away() {
    run::<Tokio, _>(|| async {
        let mut site = Site::start();
        let (server, address) = bind(guarded(Mode::Plain, &site)).await;
        let url = format!("{}/#ws://{address}/,npws,npws.bearer.sesame", site.origin("localhost"));
        let _browser = open("another_origin", &url);
        assert_eq!(site.post().await, "closed 1006");
        check_rejected(&server);
    });
}

#[test]
fn a_page_with_another_token_is_turned_away() {
    run::<Tokio, _>(|| async {
        let mut site = Site::start();
        let (server, address) = bind(guarded(Mode::Plain, &site)).await;
        let url = format!("{}/#ws://{address}/,npws,npws.bearer.guess", site.origin("127.0.0.1"));
        let _browser = open("another_token", &url);
        assert_eq!(site.post().await, "closed 1006");
        check_rejected(&server);
    });
}

async fn a_page_echoes(mode: Mode, is_left: bool) {
    let mut site = Site::start();
    let (server, address) = bind(guarded(mode, &site)).await;
    let scheme = mode.scheme();
    let url = format!("{}/#{scheme}://{address}/,npws,npws.bearer.sesame", site.origin("127.0.0.1"));
    let _browser = open(&format!("{scheme}_{is_left}"), &url);
    let (id, mut connection) = server.take_next(SOON * 2).await.expect("the page opens a socket");
    assert_eq!(connection.peer_generation(), PeerGeneration::V1);
    assert_eq!(site.post().await, format!("id {id}"));
    assert_eq!(site.post().await, "subprotocol npws");
    exchange(&mut connection).await;
    if is_left {
        connection.close().await;
        assert_eq!(site.post().await, "closed 1000");
    } else {
        // A page that names no code closes without one, which is the end of the stream as well.
        send(&mut connection, b"bye").await;
        assert_eq!(receive_all(&mut connection).await, b"");
        assert_eq!(site.post().await, "closed 1005");
    }
}

/// A server that lets the site's own pages in if they know the token.
fn guarded(mode: Mode, site: &Site) -> ServerPoolBuilder<Tokio> {
    let origin = site.origin("127.0.0.1").parse().expect("it is an origin");
    let tokens = Tokens::new(["sesame"]).expect("it is a token");
    server().tls(mode.server()).tokens(tokens).origins(OriginPolicy::Require([origin].into()))
}

async fn exchange(connection: &mut Connection) {
    for length in [1, 125, 126, 65_536, 300_000] {
        let data = pattern(length, length as u64);
        send(connection, &data).await;
        assert!(receive(connection, length).await == data, "{length} bytes");
    }
}

fn check_rejected(server: &ServerPool<Tokio>) {
    let stats = server.stats();
    assert_eq!((stats.rejected_total, stats.registered_total), (1, 0), "{stats:?}");
}
