//! Peers that want nothing but to be there.

use npws_attacks::victim::{IDLE_CONNECTION, IDLE_TLS_CONNECTION};

const IDLE: usize = 2000;

/// A coarse bound on all that stays of their handshakes; the rows `idle-…` of the benchmarks measure it.
fn idle(arguments: &str, bound: u64) {
    crate::attack(arguments, |victim| async move {
        let client = victim.welcomes(IDLE).await;
        let grown = victim.grown();
        println!(
            "| {IDLE} idle peers {arguments} | a handshake each | | {grown} KiB, bound {} KiB |",
            IDLE as u64 * bound
        );
        assert!(grown <= IDLE as u64 * bound, "{grown} KiB");
        victim.recovers(client).await;
    });
}

#[test]
fn an_idle_connection_costs_a_server_on_tokio_little() {
    idle("", IDLE_CONNECTION);
}

#[test]
fn an_idle_connection_costs_a_server_on_smol_little() {
    idle("--smol", IDLE_CONNECTION);
}

#[test]
fn an_idle_tls_connection_costs_a_server_on_tokio_little() {
    idle("--tls", IDLE_TLS_CONNECTION);
}

#[test]
fn an_idle_tls_connection_costs_a_server_on_smol_little() {
    idle("--tls --smol", IDLE_TLS_CONNECTION);
}
