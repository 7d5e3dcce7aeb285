//! A machine to set up: folders in the places of this one's.

use std::fs::{self, File};
use std::io::Write as _;
use std::ops::RangeInclusive;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ghost_contract::sample::effects::{copy_program, write_program};
use nix::pty::openpty;

use crate::base_root::{BUILD, INSTALL, NEWER};
use crate::boot_server::{BootServer, said};
use crate::{dhcpd, proxy};

/// Which folder of the machine is where.
const PLACES: [(&str, &str); 4] =
    [("etc", "/etc"), ("srv", "/srv"), ("varlib", "/var/lib"), ("home", "/home")];
/// What programs look for in /etc.
const NEEDED: [&str; 7] =
    ["passwd", "group", "hosts", "nsswitch.conf", "services", "protocols", "ld.so.cache"];
/// What it exports is the list that the servers of the test's network tell. As the real one, it exports with -ra what files say and nothing
/// else, and fails for a folder that is not there, and for any line of others that has a fault.
const EXPORTFS: &str = "#!/bin/sh
if [ -e FOLDER/exportfs-refuses ]; then echo no kernel module >&2; exit 1; fi
echo \"$@\" >>FOLDER/exported
while [ -e FOLDER/exportfs-hangs ]; do sleep 0.05; done
status=0
[ ! -e FOLDER/exportfs-grumbles ] || { echo Failed to stat /gone >&2; status=1; }
verb=$1; shift
case $verb in
-ra) echo /srv >FOLDER/exports ;;
-o) shift
    for target; do
        [ -d \"${target#*:}\" ] || { echo Failed to stat \"${target#*:}\" >&2; status=1; }
        echo \"${target#*:} ${target%%:*}\" >>FOLDER/exports
    done ;;
-u) for target; do
        grep -qxF \"${target#*:} ${target%%:*}\" FOLDER/exports || { echo Could not find $target >&2; status=1; }
        grep -vxF \"${target#*:} ${target%%:*}\" FOLDER/exports >FOLDER/exports.new; mv FOLDER/exports.new FOLDER/exports
    done ;;
esac
exit $status
";
/// A unit is enabled, or runs, if there is a file of its name in `enabled` or `units`. For a SysV script `--now` does nothing.
const SYSTEMCTL: &str = "#!/bin/sh
for unit; do :; done
case \" $* \" in
*' is-enabled '*) [ -e FOLDER/enabled/$unit ]; exit ;;
*' is-active '*) [ -e FOLDER/units/$unit ]; exit ;;
esac
[ -e /etc/systemd/system/$unit.service ] || { echo \"Unit $unit.service not loaded.\" >&2; exit 5; }
case \" $* \" in
*' enable '*) touch FOLDER/enabled/$unit ;;
*' disable '*) rm -f FOLDER/enabled/$unit ;;
*' start '* | *' restart '*) touch FOLDER/units/$unit ;;
*' stop '*) rm -f FOLDER/units/$unit; [ ! -e FOLDER/at-stop ] || sh -e FOLDER/at-stop ;;
*) exit 1 ;;
esac
";

/// Starts the dnsmasq of a boot server again.
const DNSMASQ: &str = "#!/bin/sh
pid=$(cat FOLDER/dnsmasq/pid)
kill -9 $pid
while grep -q '^[0-9]* (dnsmasq) [^ZX]' /proc/$pid/stat 2>/dev/null; do sleep 0.02; done
exec /usr/sbin/dnsmasq --conf-file=FOLDER/dhcp/dnsmasq.conf
";

pub(crate) struct Machine {
    server: BootServer,
    /// Where the settings are.
    config: PathBuf,
}

impl Machine {
    /// A machine with the package, a list of two PCs, and no settings.
    pub(crate) fn fresh() -> Self {
        Self::of(BootServer::with_hosts(0), PathBuf::from("/etc/ghostrc"))
    }

    /// One that is set up for one host in another folder, and whose dhcpd runs.
    pub(crate) fn with_dhcpd() -> Self {
        let server = BootServer::with_dhcpd(1);
        let config = server.path("ghostrc");
        Self::of(server, config)
    }

    /// The same with Kea.
    pub(crate) fn with_kea() -> Self {
        let server = BootServer::with_kea(1);
        let config = server.path("ghostrc");
        Self::of(server, config)
    }

    /// The same with dnsmasq, which is started again by what DHCPD names.
    pub(crate) fn with_dnsmasq() -> Self {
        let server = BootServer::with_dnsmasq(1);
        let config = server.path("ghostrc");
        let machine = Self::of(server, config);
        let folder = machine.path("");
        write_program(
            &machine.path("service"),
            &DNSMASQ.replace("FOLDER", folder.to_str().unwrap().trim_end_matches('/')),
        );
        machine
    }

    /// The same with a proxy, which does not know pc3 yet; the other DHCP server does.
    pub(crate) fn with_proxy() -> Self {
        let server = BootServer::with_proxy(2);
        let all = fs::read_to_string(server.configuration()).unwrap();
        fs::write(server.configuration(), all.replace(&proxy::host(3), "")).unwrap();
        let config = server.path("ghostrc");
        Self::of(server, config)
    }

    fn of(server: BootServer, config: PathBuf) -> Self {
        let machine = Self { server, config };
        for folder in [
            "etc/dhcp",
            "srv",
            "home",
            "varlib",
            "bin",
            "units",
            "enabled",
            "usr/sbin",
            "usr/lib/ghost4linux/rootfs",
            "usr/lib/ghost4linux/client",
        ] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        for name in NEEDED {
            // Not every system has all of them.
            let _missing = fs::copy(Path::new("/etc").join(name), machine.path("etc").join(name));
        }
        machine.write(
            "etc/machines.csv",
            "name,mac,ip\npc2,02:00:00:00:00:02,192.168.7.2\npc3,02:00:00:00:00:03,192.168.7.3\n",
        );
        machine.write(
            "etc/default/tftpd-hpa",
            &format!("TFTP_USERNAME=\"tftp\"\nTFTP_DIRECTORY=\"{}\"\n", machine.path("tftp").display()),
        );
        machine.write("exports", "/srv\n");
        machine.write("made", "a kernel");
        machine.write("newer", "");
        machine.write("usr/lib/ghost4linux/client/ghost-init", "PID 1");
        let _none = fs::remove_file(machine.path("tftp/pxelinux.0"));
        let rootfs = "usr/lib/ghost4linux/rootfs";
        for (name, text) in [
            (format!("{rootfs}/build"), BUILD),
            (format!("{rootfs}/install-init"), INSTALL),
            (format!("{rootfs}/newer-packages"), NEWER),
            ("bin/exportfs".to_owned(), EXPORTFS),
            ("bin/systemctl".to_owned(), SYSTEMCTL),
        ] {
            write_program(
                &machine.path(&name),
                &text.replace("FOLDER", machine.path("").to_str().unwrap().trim_end_matches('/')),
            );
        }
        copy_program(Path::new(env!("CARGO_BIN_EXE_ghostctl")), &machine.path("usr/sbin/ghostctl"));
        machine
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.server.path(below)
    }

    pub(crate) fn text(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap_or_default()
    }

    pub(crate) fn write(&self, below: &str, text: &str) {
        fs::create_dir_all(self.path(below).parent().unwrap()).unwrap();
        fs::write(self.path(below), text).unwrap();
    }

    pub(crate) fn append(&self, below: &str, text: &str) {
        self.write(below, &(self.text(below) + text));
    }

    /// Takes a text out of a file.
    pub(crate) fn without(&self, below: &str, text: &str) {
        self.write(below, &self.text(below).replace(text, ""));
    }

    /// The names of what is in a folder, in order.
    pub(crate) fn names(&self, below: &str) -> Vec<String> {
        let listed = fs::read_dir(self.path(below)).unwrap();
        let mut names: Vec<String> =
            listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// All files in these folders with what they hold, and all folders.
    pub(crate) fn files(&self, folders: &[&str]) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        let mut waiting: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
        while let Some(below) = waiting.pop() {
            for entry in fs::read_dir(self.path(below.to_str().unwrap())).unwrap() {
                let entry = entry.unwrap();
                let name = below.join(entry.file_name());
                match entry.file_type().unwrap().is_dir() {
                    true => waiting.push(name),
                    false => found.push((name.to_str().unwrap().to_owned(), fs::read(entry.path()).unwrap())),
                }
            }
        }
        found.sort();
        found
    }

    /// The boot server that this machine is.
    pub(crate) const fn server(&self) -> &BootServer {
        &self.server
    }

    /// Whether a host is offered "nobackup" by dhcpd.
    pub(crate) fn serves_host(&self, number: u8) -> bool {
        dhcpd::serves(self.server.network(), &[(number, "nobackup".to_owned())])
    }

    /// Calls ghostctl, which shall end with this status; gives what it says.
    pub(crate) fn does(&self, exit: i32, words: &[&str]) -> String {
        self.does_after("", exit..=exit, words)
    }

    /// The same after these commands, which hold for this call only.
    pub(crate) fn does_after(&self, commands: &str, exit: RangeInclusive<i32>, words: &[&str]) -> String {
        let output = self.called_after(commands, words);
        let told = said(&output);
        assert!(
            output.status.code().is_some_and(|code| exit.contains(&code)),
            "{words:?}: {:?}: {told}",
            output.status
        );
        told
    }

    /// Calls ghostctl at a terminal, where these answers are typed. Gives its status and what it says.
    pub(crate) fn answers(&self, answers: &[&str], words: &[&str]) -> (Option<i32>, String) {
        let typed = openpty(None, None).unwrap();
        let mut keyboard = File::from(typed.master);
        answers.iter().for_each(|answer| writeln!(keyboard, "{answer}").unwrap());
        let output = self.command("", words).stdin(typed.slave).output().unwrap();
        (output.status.code(), said(&output))
    }

    /// Calls ghostctl, which is killed at this place.
    pub(crate) fn is_killed_at(&self, place: &str, words: &[&str]) {
        let output = self.called_after(&format!("export GHOSTCTL_CRASH_AT={place}"), words);
        assert_eq!(output.status.signal(), Some(9), "{words:?}: {}", said(&output));
    }

    fn called_after(&self, commands: &str, words: &[&str]) -> Output {
        self.command(commands, words).stdin(Stdio::null()).output().unwrap()
    }

    fn command(&self, commands: &str, words: &[&str]) -> Command {
        let folder = self.path("");
        let folder = folder.to_str().unwrap().trim_end_matches('/');
        let mounts: String =
            PLACES.iter().map(|(own, place)| format!("mount --bind {folder}/{own} {place}\n")).collect();
        let script = format!(
            "set -e\n{mounts}mount -t tmpfs tmpfs /run\n{}\nexport PATH={folder}/bin:$PATH\nexec {folder}/usr/sbin/ghostctl \"$@\"",
            commands.replace("FOLDER", folder)
        );
        let mut command = self.server.network().command("unshare");
        command
            .args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh", "--config"])
            .arg(&self.config);
        command.args(words);
        command
    }
}
