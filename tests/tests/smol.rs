//! The conformance suite on smol.
npws_tests::conformance!(npws::smol::Smol);
