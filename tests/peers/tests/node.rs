//! Node's `ws` as the peer.

use npws::tokio::Tokio;
use npws_peers::echo::Programs;
use npws_peers::tls::Mode;

use npws_tests::testbed::run;

fn programs() -> Programs {
    Programs { interpreter: "node".into(), client: "node/client.js", server: "node/server.js" }
}

#[test]
fn a_client_of_it_gets_along_with_our_server() {
    run::<Tokio, _>(|| async { programs().check_client(Mode::Plain).await });
}

#[test]
fn a_client_of_it_gets_along_with_our_server_over_tls() {
    run::<Tokio, _>(|| async { programs().check_client(Mode::Verifying).await });
}

#[test]
fn our_client_gets_along_with_a_server_of_it() {
    run::<Tokio, _>(|| async { programs().check_server(Mode::Plain).await });
}

#[test]
fn our_client_gets_along_with_a_server_of_it_over_tls() {
    run::<Tokio, _>(|| async { programs().check_server(Mode::Verifying).await });
}
