#![no_main]

use npws_sim::model::{Op, check_client};

libfuzzer_sys::fuzz_target!(|data: &[u8]| check_client(Op::read(data)));
