//! The conformance suite on async-std.
npws_tests::conformance!(npws::async_std::AsyncStd);
