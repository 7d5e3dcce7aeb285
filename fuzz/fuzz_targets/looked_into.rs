//! See `ghost_fuzz_targets::looked_into`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ghost_fuzz_targets::looked_into(input));
