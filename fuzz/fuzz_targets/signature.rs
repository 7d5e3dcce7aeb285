//! See `ghost_fuzz_targets::signature`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ghost_fuzz_targets::signature(input));
