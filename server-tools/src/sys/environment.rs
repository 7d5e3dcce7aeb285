//! What a program is called with that it cannot do with: cron's PATH, and the umask of a hardened log-in.
#![allow(unsafe_code, reason = "the standard library changes the environment no other way")]

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::Mode;
use rustix::process::umask;

/// Where Debian has what only root calls: the DHCP servers, exportfs, and partclone.
const OF_ROOT: [&str; 2] = ["/usr/sbin", "/sbin"];

/// What those who called the program keep from others.
static CALLERS_UMASK: AtomicU32 = AtomicU32::new(0o022);

/// Lets the servers read what is made for them (what is private has modes of its own), and finds the programs of root in any case. For the
/// beginning of `main`.
pub fn settle() {
    CALLERS_UMASK.store(umask(Mode::from_raw_mode(0o022)).as_raw_mode(), Ordering::Relaxed);
    let path = with_those_of_root(&env::var_os("PATH").unwrap_or_default());
    // SAFETY: no other thread runs yet that could read the environment.
    unsafe { env::set_var("PATH", path) };
}

/// The mode of a file that is made for those who called the program, and for no server.
pub(crate) fn callers_mode() -> u32 {
    0o666 & !CALLERS_UMASK.load(Ordering::Relaxed)
}

/// The folders that are missing go to the end. Pure.
fn with_those_of_root(path: &OsStr) -> OsString {
    let missing = OF_ROOT.iter().filter(|folder| env::split_paths(path).all(|one| one != Path::new(folder)));
    missing.fold(path.to_owned(), |mut all, folder| {
        if !all.is_empty() {
            all.push(":");
        }
        all.push(folder);
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cron_leaves_out_goes_to_the_end() {
        for (path, whole) in [
            ("/usr/bin:/bin", "/usr/bin:/bin:/usr/sbin:/sbin"),
            ("/sbin:/bin", "/sbin:/bin:/usr/sbin"),
            ("/usr/sbin:/usr/bin:/sbin:/bin", "/usr/sbin:/usr/bin:/sbin:/bin"),
            ("", "/usr/sbin:/sbin"),
        ] {
            assert_eq!(with_those_of_root(OsStr::new(path)), whole, "{path}");
        }
    }
}
