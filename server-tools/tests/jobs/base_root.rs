//! Given an installed ghostctl with the scripts that make a base root, is it made, served and told to be up to date? The scripts are
//! stand-ins here; `tests/packages` has the real ones make one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ghost_contract::sample::effects::{copy_program, write_program};

use super::boot_server::{BootServer, said, wait_until};

/// Makes what stands in the file `made`, and says with which settings. What is beside the old one already is not made again.
pub(crate) const BUILD: &str = "#!/bin/sh -e
echo stand-in for rootfs/build: OVERLAY=$OVERLAY NFSROOT=$NFSROOT ANEW=$ANEW
mkdir -p $1; touch $1/.lock $1/build.log
new=$1/.made
if [ -n \"$ANEW\" ] || [ ! -d $new ]; then
rm -rf $new
mkdir -p $new/base/etc $new/base/var/lib $new/base/usr/share/ghost4linux $new/base/sbin $new/netboot/pxelinux.cfg
printf 'kernel 6.12.1\\narchive 2026-11-21\\n' > $new/base/usr/share/ghost4linux/base-root
cp FOLDER/made $new/netboot/vmlinuz
[ -z \"$HTTPBOOT\" ] || { mkdir -p $new/netboot/grub; echo 'linux (http,1)/vmlinuz' > $new/netboot/grub/grub.cfg; }
echo boots > $new/netboot/pxelinux.0; echo default > $new/netboot/pxelinux.cfg/default
fi
[ -z \"$BESIDE\" ] || exit 0
cp -a $new/. $1; rm -rf $new
";
pub(crate) const INSTALL: &str =
    "#!/bin/sh -e\necho stand-in for rootfs/install-init\nfor last; do :; done\ncp \"$1\" $last/base/sbin\n";
pub(crate) const NEWER: &str =
    "#!/bin/sh -e\necho a warning of apt >&2\ncat FOLDER/newer\n[ ! -e FOLDER/unreachable ] || exit 100\n";

struct Installed(BootServer);

impl Installed {
    fn new() -> Self {
        let server = BootServer::with_hosts(1);
        let installed = Self(server);
        for folder in ["usr/sbin", "usr/lib/ghost4linux/rootfs", "usr/lib/ghost4linux/client"] {
            fs::create_dir_all(installed.0.path(folder)).unwrap();
        }
        copy_program(Path::new(env!("CARGO_BIN_EXE_ghostctl")), &installed.0.path("usr/sbin/ghostctl"));
        for (name, text) in [("build", BUILD), ("install-init", INSTALL), ("newer-packages", NEWER)] {
            let text = text.replace("FOLDER", installed.0.path("").to_str().unwrap());
            write_program(&installed.library("rootfs").join(name), &text);
        }
        fs::write(installed.library("client/ghost-init"), "PID 1").unwrap();
        fs::write(installed.0.path("made"), "a kernel").unwrap();
        fs::write(installed.0.path("newer"), "").unwrap();
        installed
    }

    fn library(&self, below: &str) -> PathBuf {
        self.0.path("usr/lib/ghost4linux").join(below)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.0.network().command(self.0.path("usr/sbin/ghostctl").to_str().unwrap());
        command.arg("--config").arg(self.0.path("ghostrc")).args(words);
        command
    }

    fn root(&self, words: &[&str]) -> Output {
        self.command(&[&["root"], words].concat()).output().unwrap()
    }

    fn succeeds(&self, words: &[&str]) -> String {
        let output = self.root(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", said(&output));
        said(&output)
    }

    fn fails(&self, verb: &str, exit: i32, words: &str) {
        let output = self.root(&[verb]);
        assert_eq!(output.status.code(), Some(exit), "{verb}: {}", said(&output));
        assert!(said(&output).contains(words), "{verb}, {words}: {}", said(&output));
    }

    fn served(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.0.path("tftp").join(name)).ok()
    }

    /// One whose base root is made and served.
    fn made() -> Self {
        let installed = Self::new();
        fs::remove_file(installed.0.path("tftp/pxelinux.0")).unwrap();
        installed.succeeds(&["build"]);
        installed
    }
}

#[test]
fn it_is_made_with_the_settings_and_served() {
    let installed = Installed::new();
    installed.0.set("OVERLAY", "/srv/overlay");
    installed.fails("status", 78, "call 'ghostctl root build'");
    installed.fails("build", 78, "files of these names that are not ours: pxelinux.0. Nothing was copied");
    assert_eq!(installed.served("vmlinuz"), None);
    fs::remove_file(installed.0.path("tftp/pxelinux.0")).unwrap();
    let said = installed.succeeds(&["build"]);
    let nfsroot = format!("NFSROOT=192.168.7.1:{}", installed.0.path("base").display());
    assert!(said.contains(&format!("OVERLAY=/srv/overlay {nfsroot} ANEW=\n")), "{said}");
    assert!(said.contains("pxelinux.0, pxelinux.cfg/default, vmlinuz"), "{said}");
    assert_eq!(installed.served("vmlinuz").as_deref(), Some("a kernel"));
    assert_eq!(fs::read(installed.0.path("base/sbin/ghost-init")).unwrap(), b"PID 1");
}

#[test]
fn what_is_behind_is_told_and_made_up() {
    let installed = Installed::made();
    let said = installed.succeeds(&["status"]);
    assert!(said.contains("linux 6.12.1, from Debian's archive of 2026-11-21"), "{said}");

    fs::write(installed.library("client/ghost-init"), "a newer PID 1").unwrap();
    installed.fails("status", 1, "other programs than the installed ones: ghost-init\n");
    installed.succeeds(&["build"]);
    installed.succeeds(&["status"]);

    fs::write(installed.0.path("tftp/vmlinuz"), "somebody's").unwrap();
    installed.fails("status", 1, "not in the TFTP server's folder as they were made: vmlinuz\n");
    installed.fails("build", 78, "not ours: vmlinuz");
    fs::remove_file(installed.0.path("tftp/vmlinuz")).unwrap();
    installed.succeeds(&["build"]);

    fs::write(installed.0.path("newer"), "linux-image-amd64\npartclone\n").unwrap();
    installed.fails("status", 1, "Debian has newer packages: linux-image-amd64, partclone\n");
    fs::write(installed.0.path("made"), "a newer kernel").unwrap();
    let said = installed.succeeds(&["build"]);
    assert!(said.contains("ANEW=yes"), "{said}");
    assert_eq!(installed.served("vmlinuz").as_deref(), Some("a newer kernel"));
}

#[test]
fn a_debian_that_cannot_be_reached_is_not_taken_for_one_without_news() {
    let installed = Installed::made();
    fs::write(installed.0.path("unreachable"), "").unwrap();
    installed.fails(
        "status",
        1,
        "cannot tell whether Debian has newer packages (exit status: 100): a warning of apt",
    );
}

#[test]
fn json_is_json() {
    let installed = Installed::made();
    let lines = installed.succeeds(&["--json", "status"]);
    let status: serde_json::Value = serde_json::from_str(lines.trim_end()).unwrap();
    assert_eq!(status["kernel"], "6.12.1");
    for line in installed.succeeds(&["--json", "build"]).lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[test]
fn the_root_of_a_client_at_work_is_left_alone() {
    let installed = Installed::made();
    installed.0.set("UP_DEADLINE", "600");
    let running = installed.0.start(&["test", "pc2"]);
    installed.0.wait_until_swapped();
    installed.fails("build", 75, "there are jobs, and their clients have their root there: pc2.");
    let process = rustix::process::Pid::from_child(&running);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    running.wait_with_output().unwrap();
    installed.succeeds(&["build"]);
}

#[test]
fn what_it_cannot_do_is_told_with_the_mend() {
    let installed = Installed::made();
    installed.0.set("PXEBASE", "/srv/tftpboot/root");
    installed.fails("build", 78, "PXEBASE is /srv/tftpboot/root: let PXEBASE end in /base");
    let not_installed = BootServer::with_hosts(1);
    let output = not_installed.run(&["root", "build"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("install the package ghost4linux-server"), "{}", said(&output));
}

/// Has the build wait as long as there is the file `hold-build`, when it has come to this line.
fn held_at(installed: &Installed, line: &str) {
    let held = format!("touch FOLDER/held; while [ -e FOLDER/hold-build ]; do sleep 0.05; done\n{line}");
    let script = BUILD.replace(line, &held).replace("FOLDER", installed.0.path("").to_str().unwrap());
    write_program(&installed.library("rootfs/build"), &script);
    fs::write(installed.0.path("hold-build"), "").unwrap();
}

/// What a call says that is refused because of the build of this process.
fn is_refused(installed: &Installed, words: &[&str], build: u32) {
    let output = installed.command(&[&["--lock-timeout", "0"], words].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(75), "{words:?}: {}", said(&output));
    let holder = format!("ghostctl root build (pid {build})");
    assert!(said(&output).contains(&holder), "{words:?}: {}", said(&output));
}

#[test]
fn a_job_begins_while_it_is_made_and_it_waits_for_the_job() {
    let installed = Installed::made();
    installed.0.set("UP_DEADLINE", "600");
    held_at(&installed, "cp FOLDER/made");
    fs::write(installed.0.path("made"), "a newer kernel").unwrap();
    let mut build = installed.command(&["root", "build"]);
    let build = build.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("it is made", || installed.0.path("held").exists());
    is_refused(&installed, &["root", "build"], build.id());
    let running = installed.0.start(&["--lock-timeout", "0", "test", "pc2"]);
    installed.0.wait_until_swapped();
    fs::remove_file(installed.0.path("hold-build")).unwrap();
    let output = build.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
    let words = format!(
        "the new base root is whole, in {}, and not in place yet: there are jobs, and their clients have their root there: pc2.",
        installed.0.path(".made").display()
    );
    assert!(said(&output).contains(&words), "{}", said(&output));
    assert_eq!(installed.served("vmlinuz").as_deref(), Some("a kernel"));
    let process = rustix::process::Pid::from_child(&running);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    running.wait_with_output().unwrap();
    fs::remove_file(installed.0.path("held")).unwrap();
    installed.succeeds(&["build"]);
    assert!(!installed.0.path("held").exists(), "it was made again");
    assert_eq!(installed.served("vmlinuz").as_deref(), Some("a newer kernel"));
}

#[test]
fn nobody_begins_to_use_it_while_it_is_put_in_place() {
    let installed = Installed::made();
    held_at(&installed, "cp -a");
    let mut build = installed.command(&["root", "build"]).spawn().unwrap();
    wait_until("it is put in place", || installed.0.path("held").exists());
    for words in [["test", "pc2"].as_slice(), &["dhcp", "swap", "pc2"], &["root", "build"]] {
        is_refused(&installed, words, build.id());
    }
    assert!(installed.0.journal().is_empty());
    // What it has started goes on, and so does the exclusion.
    build.kill().unwrap();
    build.wait().unwrap();
    let output = installed.command(&["--lock-timeout", "0", "test", "pc2"]).output().unwrap();
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
    fs::remove_file(installed.0.path("hold-build")).unwrap();
    wait_until("it has ended", || installed.root(&["build"]).status.success());
}
