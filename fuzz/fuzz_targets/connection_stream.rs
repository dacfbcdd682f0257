#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| npws_stepped::fuzz::connection_stream(data));
