//! See `ghost_fuzz_targets::looked_into`.
#![no_main]

// libFuzzer's own hook ends the program at each panic. Ours lets those of the drivers go on to where they are caught and become an error; a panic
// that nobody catches still ends the program.
libfuzzer_sys::fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| ())),
    |input: &[u8]| ghost_fuzz_targets::looked_into(input)
);
