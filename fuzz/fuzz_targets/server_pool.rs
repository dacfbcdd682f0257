#![no_main]

use npws_sim::model::{Op, check_server};

libfuzzer_sys::fuzz_target!(|data: &[u8]| check_server(Op::read(data)));
