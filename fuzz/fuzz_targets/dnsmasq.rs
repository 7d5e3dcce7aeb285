//! See `ghost4linux_fuzz::dnsmasq`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ghost4linux_fuzz::dnsmasq(input));
