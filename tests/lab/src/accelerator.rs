//! Whether guests run on the processor itself (KVM) or are emulated (TCG).
//!
//! In a virtual machine `/dev/kvm` may exist and run a boot sector, and yet Linux never comes up on it. So a trial starts
//! Linux once, and its result is kept until the host boots again.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::wait;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accelerator {
    Kvm,
    Tcg,
}

/// The device without which there is nothing to try.
const KVM_DEVICE: &str = "/dev/kvm";
/// How long a kernel may take until it misses its root file system. With a working KVM it takes 2 s.
const TRIAL: Duration = Duration::from_secs(25);
/// What a kernel without root file system says in the end (Linux, init/do_mounts.c).
const KERNEL_GOT_THERE: &str = "VFS: Unable to mount root fs";

impl Accelerator {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}

/// Which one works here: what `LAB_ACCEL` says, or what `cache` says about this boot of the host, or else what
/// a trial with `kernel` shows. `scratch` is an existing folder for the trial's console.
pub(crate) fn choose(cache: &Path, kernel: &Path, scratch: &Path) -> io::Result<Accelerator> {
    match std::env::var("LAB_ACCEL").as_deref() {
        Ok("kvm") => return Ok(Accelerator::Kvm),
        Ok("tcg") => return Ok(Accelerator::Tcg),
        _ => {}
    }
    if !Path::new(KVM_DEVICE).exists() {
        return Ok(Accelerator::Tcg);
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let known = fs::read_to_string(cache).unwrap_or_default();
    for accelerator in [Accelerator::Kvm, Accelerator::Tcg] {
        if known == record(&boot, accelerator) {
            return Ok(accelerator);
        }
    }
    let accelerator = if linux_starts(kernel, scratch)? { Accelerator::Kvm } else { Accelerator::Tcg };
    fs::write(cache, record(&boot, accelerator))?;
    Ok(accelerator)
}

fn record(boot: &str, accelerator: Accelerator) -> String {
    format!("{boot}{}\n", accelerator.as_str())
}

/// Starts `kernel` under KVM without a root file system, and checks that it gets as far as missing one.
fn linux_starts(kernel: &Path, scratch: &Path) -> io::Result<bool> {
    let console = scratch.join("kvm-trial.log");
    let mut guest = Command::new("qemu-system-x86_64")
        .args([
            "-nodefaults",
            "-no-user-config",
            "-machine",
            "pc",
            "-accel",
            "kvm",
            "-m",
            "256",
            "-no-reboot",
        ])
        .args(["-display", "none", "-append", "console=ttyS0 panic=-1", "-kernel"])
        .arg(kernel)
        .arg("-serial")
        .arg(format!("file:{}", console.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let ended = wait::until("the end of the KVM trial", TRIAL, || guest.try_wait().transpose());
    if ended.is_err() {
        guest.kill()?;
        guest.wait()?;
    }
    let said = fs::read(&console).unwrap_or_default();
    Ok(String::from_utf8_lossy(&said).contains(KERNEL_GOT_THERE))
}
