//! See `ghost_fuzz_targets::floppy`.
#![no_main]

// As with `looked_into`, a panic that is caught ends nothing.
libfuzzer_sys::fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| ())),
    |input: &[u8]| ghost_fuzz_targets::floppy(input)
);
