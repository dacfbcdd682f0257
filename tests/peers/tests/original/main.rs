//! The original as the peer: either end, in the clear and over TLS of both kinds.
#![allow(clippy::expect_used, reason = "the helpers are tests as well")]

mod control;
mod early;
mod ending;
mod pairs;
mod restarts;
mod setup;
mod trust;

use npws::tokio::Tokio;
use npws_peers::tls::Mode;
use npws_tests::testbed::run;

use self::setup::{Setup, Side};

/// Makes six tests of each case.
macro_rules! cases {
    ($($module:ident: $($case:ident)+;)+) => {
        cases! { @mode plain Mode::Plain, $($module: $($case)+;)+ }
        cases! { @mode tls_mode_1 Mode::Trusting, $($module: $($case)+;)+ }
        cases! { @mode tls_mode_2 Mode::Verifying, $($module: $($case)+;)+ }
    };
    (@mode $mode:ident $value:expr, $($module:ident: $($case:ident)+;)+) => {
        mod $mode {
            use super::*;

            mod our_server {
                use super::*;

                $($(#[test]
                fn $case() {
                    run::<Tokio, _>(|| $module::$case(Setup { mode: $value, ours: Side::Server }));
                })+)+
            }

            mod our_client {
                use super::*;

                $($(#[test]
                fn $case() {
                    run::<Tokio, _>(|| $module::$case(Setup { mode: $value, ours: Side::Client }));
                })+)+
            }
        }
    };
}

cases! {
    pairs:
        a_thousand_pairs_by_id_and_in_turn_at_either_end
        takes_that_wait_at_either_end_are_served;
    control:
        the_control_id_comes_first_at_both_ends;
    early:
        what_the_original_sends_before_our_take_is_kept
        what_we_send_before_its_take_is_kept
        what_the_original_sent_before_it_closed_is_kept
        what_we_sent_before_we_closed_is_kept;
    ending:
        a_flush_of_the_original_is_noticed_and_made_good
        our_flush_leaves_ghosts_with_the_original_which_its_flush_removes
        closing_the_original_is_noticed
        closing_ours_does_not_wait_for_the_original;
    restarts:
        a_restarted_server_is_found_again;
}

#[test]
fn our_client_turns_a_stranger_down() {
    run::<Tokio, _>(trust::our_client_turns_a_stranger_down);
}

#[test]
fn its_client_turns_our_strange_server_down() {
    run::<Tokio, _>(trust::its_client_turns_our_strange_server_down);
}
