//! See `ghost4linux_fuzz::file_systems`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ghost4linux_fuzz::file_systems(input));
