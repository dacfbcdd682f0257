//! nginx and HAProxy in front of our servers, with the configurations of `examples/reverse-proxy`.
#![expect(clippy::unwrap_used, reason = "the helpers are tests as well")]

mod load;
mod pools;
mod proxy;
mod restart;
mod tunnel;

/// Makes a test of each case behind each proxy.
macro_rules! behind_each {
    ($($module:ident::$case:ident),* $(,)?) => {
        behind_each!(@ nginx, Nginx, $($module::$case),*);
        behind_each!(@ haproxy, Haproxy, $($module::$case),*);
    };
    (@ $name:ident, $kind:ident, $($module:ident::$case:ident),*) => {
        mod $name {
            use npws::tokio::Tokio;
            use npws_tests::testbed::Testbed;

            use super::proxy::Kind;

            $(
                #[test]
                fn $case() {
                    Tokio::block_on(super::$module::$case(Kind::$kind));
                }
            )*
        }
    };
}

behind_each!(
    pools::both_generations_meet_and_claims_pass,
    pools::the_client_is_known_by_its_own_address,
    pools::connections_that_the_proxy_ends_are_replaced_and_none_is_handed_out_dead,
    pools::connections_that_are_kept_alive_outlive_the_timeouts_of_the_proxy,
    restart::no_request_fails_while_one_server_after_the_other_restarts,
);
