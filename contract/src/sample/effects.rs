//! Effects that tests need beside each other, in one process.
//!
//! Another test may start a program at any moment. Until that program is executed, it holds every file that was open then,
//! though all are closed on execution. So a file system can be busy after its last file was closed here, and a program that
//! was just written cannot be executed ("text file busy").

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Programs that hold an open file are executed within milliseconds; on a busy machine it can be seconds.
const PATIENCE: Duration = Duration::from_secs(60);
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Writes a program that can be executed at once: this process never has it open.
pub fn write_program(path: &Path, text: &str) {
    let mut install = Command::new("install")
        .args(["--mode=755", "/dev/stdin"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    install.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(install.wait().unwrap().success(), "{} was not written", path.display());
}

/// The same for a program that there is.
pub fn copy_program(from: &Path, to: &Path) {
    let copied = Command::new("install").arg("--mode=755").args([from, to]).status().unwrap();
    assert!(copied.success(), "{} was not written", to.display());
}

/// Unmounts what nothing uses but programs that are not executed yet.
pub fn unmount(place: &Path) {
    unmount_before(Instant::now() + PATIENCE, place);
}

fn unmount_before(deadline: Instant, place: &Path) {
    loop {
        let output = Command::new("umount").arg(place).output().unwrap();
        if output.status.success() {
            return;
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let may_pass = said.contains("busy") && Instant::now() < deadline;
        assert!(may_pass, "umount {}: {said}", place.display());
        sleep(AGAIN_AFTER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn a_program_is_executed_though_others_are_started_meanwhile() {
        let folder = folder("programs");
        let path = folder.join("program");
        std::thread::scope(|tests| {
            let others = tests.spawn(|| {
                for _ in 0..200 {
                    Command::new("true").status().unwrap();
                }
            });
            while !others.is_finished() {
                write_program(&path, "#!/bin/sh\nexit 7\n");
                assert_eq!(Command::new(&path).status().unwrap().code(), Some(7));
            }
        });
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_system_that_is_held_for_a_moment_is_unmounted_after_it() {
        let folder = folder("mounted");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&folder).status().unwrap();
        assert!(mounted.success());
        // It holds the file system until its standard input is closed, and for a moment after that.
        let mut holder = Command::new("sh");
        holder.args(["-c", "read never; exec sleep 0.3"]).current_dir(&folder).stdin(Stdio::piped());
        let mut holder = holder.spawn().unwrap();
        let too_early = std::panic::catch_unwind(|| unmount_before(Instant::now(), &folder)).unwrap_err();
        assert!(too_early.downcast_ref::<String>().unwrap().contains("busy"));
        drop(holder.stdin.take());
        unmount(&folder);
        assert!(holder.wait().unwrap().success());
        std::fs::remove_dir(folder).unwrap();
    }
}
