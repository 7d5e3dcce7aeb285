//! See `ghost4linux_fuzz::proxy`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ghost4linux_fuzz::proxy(input));
