//! See `ghost_fuzz_targets::looked_into`.
#![no_main]

// A driver's panic becomes an error of one file. One that nobody catches ends the program without the hook, too.
libfuzzer_sys::fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| ())),
    |input: &[u8]| ghost_fuzz_targets::looked_into(input)
);
