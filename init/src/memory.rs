//! Whether this machine has the memory that a job takes. Pure: what the kernel says is an argument.

use anyhow::{Context as _, bail};

/// So many KiB of memory the kernel must have for programs (`MemTotal`).
const NEEDED: u64 = 64 << 10;

/// KiB of memory that the kernel has for programs, from its `/proc/meminfo`.
pub(crate) fn total(meminfo: &str) -> anyhow::Result<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    number.context("/proc/meminfo does not say how much memory there is")
}

/// An error for a person at the screen if that is too little. Without it, a program of a job would be ended in the middle.
pub(crate) fn require(kibibytes: u64) -> anyhow::Result<()> {
    if kibibytes < NEEDED {
        bail!(
            "this computer has too little memory: {} MiB beside the kernel, and Ghost4Linux needs {}",
            kibibytes >> 10,
            NEEDED >> 10
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_memory_is_said_with_both_numbers() {
        assert_eq!(total("MemTotal:          52124 kB\nMemFree:  1 kB\n").unwrap(), 52_124);
        assert!(total("MemFree: 1 kB\n").is_err());
        assert!(require(NEEDED).is_ok());
        let error = require(52_124).unwrap_err().to_string();
        let words = "this computer has too little memory: 50 MiB beside the kernel, and Ghost4Linux needs 64";
        assert_eq!(error, words);
    }
}
