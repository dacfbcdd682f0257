//! The conformance suite on tokio.
npws_tests::conformance!(npws::tokio::Tokio);
