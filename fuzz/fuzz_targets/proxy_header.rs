#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| npws_sim::fuzz::proxy_header(data));
