//! What is modprobe(8) in our initramfs: this program under another name. It loads the kernel's modules as they are
//! packed, so that nothing there has to unpack them.
//!
//! Linux ends the loading of no module while a driver looks for its device in the background (kernel/module/main.c:
//! `async_synchronize_full`). Where that driver hangs, all do, though the modules are there. Whoever asks for a device's driver
//! (`-b`) sees to that by itself; the kernel, which asks for NFS, must not hang as well.

use std::ffi::CString;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};
use nix::sys::utsname::uname;

use super::file;
use crate::failure::Failure;
use crate::kernel_modules::{Modules, Request, Tables, name_of_file};

/// The name under which it is called, as the kernel does it too (Linux, `kernel/module/kmod.c`).
pub const NAME: &str = "modprobe";
/// That the file is packed (`MODULE_INIT_COMPRESSED_FILE` of linux/module.h).
const PACKED: u32 = 4;
/// Where the kernel lists what it has loaded.
const LOADED: &str = "/sys/module";

/// How long a module may be held up before the next one is loaded all the same, and for how many.
const HELD_UP: Duration = Duration::from_secs(1);
const TRIES: usize = 30;
/// Who asks so waits for the end, whatever holds it up.
const WAITS: &str = "-b";

/// Loads what the arguments ask for. Status 1 if anything could not be loaded.
pub fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    let arguments: Vec<String> = arguments.collect();
    if !arguments.iter().any(|argument| argument == WAITS)
        && let Ok(status) = run_ahead(&arguments)
    {
        return status;
    }
    match load_all(arguments.into_iter()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(words) = error {
                eprintln!("modprobe: {}", Failure::from(words));
            }
            ExitCode::FAILURE
        }
    }
}

/// Has another process load it, which cannot be ended while it is held up, and then one more, which finds one more module there. An
/// error if there can be no such process.
fn run_ahead(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let program = std::env::current_exe()?;
    let (tell, ended) = mpsc::channel();
    for _ in 0..TRIES {
        let mut child = Command::new(&program).arg0(NAME).arg(WAITS).args(arguments).spawn()?;
        let tell = tell.clone();
        // Ignore a failed send: this function has returned, since all modules were there.
        thread::spawn(move || drop(tell.send(child.wait())));
        match ended.recv_timeout(HELD_UP) {
            Ok(status) if status.as_ref().is_ok_and(ExitStatus::success) => return Ok(ExitCode::SUCCESS),
            Ok(_) => return Ok(ExitCode::FAILURE),
            Err(_) if is_all_there(arguments) => return Ok(ExitCode::SUCCESS),
            Err(_) => {}
        }
    }
    Ok(ExitCode::FAILURE)
}

fn is_all_there(arguments: &[String]) -> bool {
    let is_there = |files: &[&str]| files.iter().all(|file| is_loaded(Path::new(LOADED), file));
    let Ok(request) = Request::parse(arguments.iter().cloned()) else { return false };
    let all = with_modules(|modules, _| {
        request.wanted.iter().all(|wanted| modules.to_load(wanted).is_ok_and(|files| is_there(&files)))
    });
    all.unwrap_or(false)
}

/// Loads as much as can be loaded; the error is the first one, or nothing where nothing is to be said.
fn load_all(arguments: impl Iterator<Item = String>) -> Result<(), Option<anyhow::Error>> {
    let request = Request::parse(arguments)?;
    let outcome = with_modules(|modules, folder| {
        let mut outcome = Ok(());
        for wanted in &request.wanted {
            let loaded = modules.to_load(wanted).map_err(|error| (!request.is_quiet).then_some(error));
            let loaded = loaded.and_then(|files| load(folder, &files, &request.parameters).map_err(Some));
            outcome = outcome.and(loaded);
        }
        outcome
    });
    outcome?
}

/// Does something with what is known of the running kernel's modules, and the folder in which they are.
fn with_modules<T>(act: impl FnOnce(&Modules<'_>, &Path) -> T) -> anyhow::Result<T> {
    let folder = folder()?;
    let text = |name: &str| Ok::<_, anyhow::Error>(file::read(&folder.join(name))?.unwrap_or_default());
    let texts = ["modules.dep", "modules.alias", "modules.softdep", "modules.builtin"];
    let texts = texts.map(|name| text(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
    let [needs, aliases, soft, builtin] = texts;
    let (needs, aliases, soft, builtin) = (needs?, aliases?, soft?, builtin?);
    let tables = Tables { needs: &needs, aliases: &aliases, soft: &soft, builtin: &builtin };
    Ok(act(&Modules::of(tables), &folder))
}

/// Where the modules of the running kernel are.
pub(super) fn folder() -> anyhow::Result<PathBuf> {
    let release = uname().context("cannot ask for the kernel's release")?.release().to_owned();
    Ok(Path::new("/lib/modules").join(release))
}

/// Loads these files in their order; the parameters are those of the last.
fn load(folder: &Path, files: &[&str], parameters: &[String]) -> anyhow::Result<()> {
    for (number, path) in files.iter().enumerate() {
        // The kernel unpacks a file and checks its signature before it sees that it has the module: most of a boot's work.
        if is_loaded(Path::new(LOADED), path) {
            continue;
        }
        let parameters = if number + 1 == files.len() { parameters.join(" ") } else { String::new() };
        load_one(&folder.join(path), &parameters).with_context(|| format!("cannot load {path}"))?;
    }
    Ok(())
}

/// Whether the kernel has this file's module already, and its start is over.
fn is_loaded(loaded: &Path, path: &str) -> bool {
    let state = loaded.join(name_of_file(path)).join("initstate");
    std::fs::read(state).is_ok_and(|state| state.trim_ascii() == b"live")
}

fn load_one(path: &Path, parameters: &str) -> anyhow::Result<()> {
    let is_packed = path.extension().is_some_and(|extension| extension != "ko");
    let flags = ModuleInitFlags::from_bits_retain(if is_packed { PACKED } else { 0 });
    match finit_module(File::open(path)?, &CString::new(parameters)?, flags) {
        // EEXIST: it is loaded already.
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_has_is_not_given_to_it_again() {
        let loaded = tempfile::tempdir().unwrap();
        let state = |name: &str, state: &str| {
            let module = loaded.path().join(name);
            std::fs::create_dir(&module).unwrap();
            std::fs::write(module.join("initstate"), state).unwrap();
        };
        state("usb_common", "live\n");
        state("usbcore", "coming\n");
        std::fs::create_dir(loaded.path().join("i8042")).unwrap();
        let is_loaded = |path: &str| is_loaded(loaded.path(), path);
        assert!(is_loaded("kernel/drivers/usb/common/usb-common.ko.xz"));
        assert!(!is_loaded("kernel/drivers/usb/core/usbcore.ko.xz"), "its start is not over");
        assert!(!is_loaded("kernel/drivers/input/serio/i8042.ko"), "a part of the kernel has no state");
        assert!(!is_loaded("kernel/fs/nfs/nfs.ko.xz"));
    }
}
