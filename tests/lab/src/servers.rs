//! Writes the files of the boot server's servers into the lab's folder, and starts the servers. All are Debian's own.
//!
//! "Inside" means in the lab's name spaces, that is, in the supervisor.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use ghost_contract::layout;
use nix::unistd::Pid;

use crate::config::{LabConfig, SERVER, repository};
use crate::dhcp;
use crate::folder::LabFolder;
use crate::network::BRIDGE;
use crate::shell::run;
use crate::wait;

/// How long a server may take until it answers.
pub(crate) const START: Duration = Duration::from_secs(120);
/// The port of mountd, as in ganesha.conf.
pub const MOUNTD_PORT: u16 = 20048;
/// Ports: sunrpc (RFC 1833), nfs (RFC 7530), tftp (RFC 1350).
const PORTMAPPER: u16 = 111;
const NFS: u16 = 2049;
const TFTP: u16 = 69;
/// The settings that the boot loaders' configurations depend on.
const OF_NFS: [&str; 2] = ["NFSVERSION", "MOUNTDPORT"];
/// The system bus, in the lab's own /run.
const BUS: &str = "/run/dbus/system_bus_socket";

/// Makes the folders in which servers and PCs have their files.
pub(crate) fn make_folders(folder: &LabFolder) -> anyhow::Result<()> {
    for below in ["etc", "log", "run", "run/ganesha", "sbin", "ssh", "state", "backup", "pc"] {
        let path = folder.join(below);
        fs::create_dir(&path).with_context(writing(&path))?;
    }
    Ok(())
}

/// Makes everything that the servers read: copies of base root and netboot files, their configurations, and the
/// administrator's settings and key.
pub(crate) fn prepare(config: &LabConfig, folder: &LabFolder) -> anyhow::Result<()> {
    for (path, variable) in [(&config.base_root, "LAB_BASE_ROOT"), (&config.netboot, "LAB_NETBOOT")] {
        if !path.exists() {
            bail!(
                "there is no {}; build it with `make rootfs`, or say with {variable} where it is",
                path.display()
            );
        }
    }
    copy(&config.base_root, &folder.base_root())?;
    copy(&config.netboot, &folder.tftp())?;
    write_boot_configurations(config, folder)?;
    dhcp::prepare(config, folder)?;
    write(&folder.join("etc/ganesha.conf"), &filled_in(include_str!("../fixtures/ganesha.conf"), folder))?;
    write(
        &folder.join("etc/radvd.conf"),
        &include_str!("../fixtures/radvd.conf").replace("@BRIDGE@", BRIDGE),
    )?;
    write(&folder.ghostrc(), &ghostrc(config, folder))?;
    write(&folder.join("etc/exports.conf"), &exports(config, folder)?)?;
    run(Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "administrator of the lab", "-f"])
        .arg(folder.ssh_key()))?;
    Ok(())
}

fn write_boot_configurations(config: &LabConfig, folder: &LabFolder) -> anyhow::Result<()> {
    let export = format!("{SERVER}:{}", folder.base_root().display());
    let trees = format!("ghost.trees={export}{}", layout::TREES);
    let trees = config.has_own_exports().then_some(trees);
    let loaders = [(&config.pxelinux_config, "pxelinux.cfg/default"), (&config.grub_config, "grub/grub.cfg")];
    for (program, file) in loaders {
        let of_nfs = OF_NFS.into_iter().filter_map(|key| Some((key, config.ghostrc.get(key)?)));
        let mut command = Command::new(program);
        let text = run(command.arg(&export).args(&config.kernel_flags).args(&trees).envs(of_nfs))?;
        let path = folder.tftp().join(file);
        let above = path.parent().unwrap_or(&path);
        fs::create_dir_all(above).with_context(writing(above))?;
        write(&path, &text)?;
    }
    Ok(())
}

/// The exports of the lab, or what the administrator's program says that is to be exported.
fn exports(config: &LabConfig, folder: &LabFolder) -> anyhow::Result<String> {
    if !config.has_own_exports() {
        return Ok(filled_in(include_str!("../fixtures/exports.conf"), folder));
    }
    let words = ["exports", "--for", "ganesha", "--config"];
    let own = std::env::current_exe().context("cannot see where this program is")?;
    run(Command::new(ghostctl(&own)).args(words).arg(folder.ghostrc()))
}

/// The `ghostctl` beside the program `lab`, or what `GHOSTCTL` names.
pub(crate) fn ghostctl(lab: &Path) -> PathBuf {
    std::env::var_os("GHOSTCTL").map_or_else(|| lab.with_file_name("ghostctl"), PathBuf::from)
}

pub(crate) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    run(Command::new("cp").args(["-a", "--reflink=auto"]).arg(from).arg(to))?;
    Ok(())
}

pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(writing(path))
}

/// What could not be done, for an error of the system.
pub(crate) fn writing(path: &Path) -> impl Fn() -> String {
    move || format!("cannot write {}", path.display())
}

pub(crate) fn filled_in(template: &str, folder: &LabFolder) -> String {
    template.replace("@LAB@", &folder.path().display().to_string()).replace("@SERVER@", &SERVER.to_string())
}

/// The administrator's settings, with the firmware of UEFI PCs; what the lab's configuration adds comes last and so counts.
fn ghostrc(config: &LabConfig, folder: &LabFolder) -> String {
    let settings = format!("{}{}", include_str!("../fixtures/ghostrc"), config.dhcp.settings());
    let mut text = filled_in(&settings, folder);
    for pc in config.pcs.iter().filter(|pc| pc.firmware.is_uefi()) {
        text.push_str(&format!("FIRMWARE_{}=uefi\n", pc.name));
    }
    for (key, value) in &config.ghostrc {
        text.push_str(&format!("{key}='{value}'\n"));
    }
    text
}

/// Starts all servers, inside, and waits until each answers.
pub(crate) fn start(config: &LabConfig, folder: &LabFolder) -> anyhow::Result<HashMap<Pid, &'static str>> {
    let no_answer = || format!("a server does not answer; its log is in {}", folder.logs().display());
    // Ganesha looks for it once, when it starts; ghostctl may tell it by it what to export.
    let bus = match config.has_own_exports() {
        true => Some(daemon(folder, "dbus-daemon", &["--system", "--nofork", "--nopidfile"])?),
        false => None,
    };
    if bus.is_some() {
        let is_there = || UnixStream::connect(BUS).ok().map(drop);
        wait::until("dbus-daemon", START, is_there).with_context(no_answer)?;
    }
    let portmapper = daemon(folder, "rpcbind", &["-f"])?;
    let any = Ipv4Addr::LOCALHOST;
    wait::until("rpcbind", START, || listens(any, PORTMAPPER)).with_context(no_answer)?;

    let files = ["etc/ganesha.conf", "log/ganesha.log", "run/ganesha.pid"].map(|file| folder.join(file));
    let [conf, log, pid] = files.map(|file| file.display().to_string());
    let nfs = daemon(folder, "ganesha.nfsd", &["-F", "-f", &conf, "-L", &log, "-p", &pid])?;

    let address = format!("{SERVER}:{TFTP}");
    let tftp_folder = folder.tftp().display().to_string();
    let tftp = daemon(folder, "in.tftpd", &["-L", "-a", &address, "-s", &tftp_folder])?;

    let [conf, pid] = ["etc/radvd.conf", "run/radvd.pid"].map(|file| folder.join(file).display().to_string());
    let router = daemon(folder, "radvd", &["-n", "-m", "stderr", "-C", &conf, "-p", &pid])?;

    let dhcp = dhcp::start(config.dhcp, folder)?;
    wait::until("in.tftpd", START, || udp_is_bound(TFTP)).with_context(no_answer)?;
    for port in [NFS, MOUNTD_PORT] {
        wait::until("ganesha.nfsd", START, || listens(SERVER, port)).with_context(no_answer)?;
    }
    Ok([portmapper, nfs, tftp, router].into_iter().chain(bus).chain(dhcp).collect())
}

/// Starts a server and returns its process, which the caller must reap.
fn daemon(
    folder: &LabFolder,
    program: &'static str,
    arguments: &[&str],
) -> anyhow::Result<(Pid, &'static str)> {
    named_daemon(folder, program, program, arguments)
}

/// The same with a program that is not where others find it by this name.
pub(crate) fn named_daemon(
    folder: &LabFolder,
    name: &'static str,
    program: &str,
    arguments: &[&str],
) -> anyhow::Result<(Pid, &'static str)> {
    let log = open_log(&folder.logs().join(format!("{name}.log")))?;
    let failed = || format!("cannot start {name}");
    let errors = log.try_clone().with_context(failed)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(log).stderr(errors);
    let child = command.spawn().with_context(failed)?;
    let pid = i32::try_from(child.id()).with_context(failed)?;
    Ok((Pid::from_raw(pid), name))
}

fn open_log(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new().create(true).append(true).open(path).with_context(writing(path))
}

fn listens(address: Ipv4Addr, port: u16) -> Option<()> {
    let address = SocketAddr::from((address, port));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok().map(drop)
}

/// Whether a UDP socket is bound to this port, by the kernel's own list (proc(5), net/udp).
pub(crate) fn udp_is_bound(port: u16) -> Option<()> {
    let list = fs::read_to_string("/proc/self/net/udp").ok()?;
    lists_port(&list, port).then_some(())
}

fn lists_port(list: &str, port: u16) -> bool {
    let wanted = format!("{port:04X}");
    let local_ports = list.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)?.split_once(':'));
    local_ports.map(|(_, port)| port).any(|port| port == wanted)
}

/// The kernel that the netboot files boot.
pub(crate) fn kernel(config: &LabConfig) -> PathBuf {
    config.netboot.join("vmlinuz")
}

/// Where the answer to "does KVM work here" is kept.
pub(crate) fn accelerator_cache(config: &LabConfig) -> PathBuf {
    let above = config.labs.parent().unwrap_or(repository());
    above.join("lab-accelerator")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp::DhcpServer;
    use crate::firmware::Firmware;

    const LIST: &str = "   sl  local_address rem_address   st tx_queue\n\
        \x20 88: 0107A8C0:0045 00000000:0000 07 00000000:00000000\n";

    #[test]
    fn a_bound_port_is_in_the_kernels_list() {
        assert!(lists_port(LIST, 69));
        assert!(!lists_port(LIST, 67));
        assert!(!lists_port("   sl  local_address\n", 69));
    }

    #[test]
    fn the_settings_are_those_that_ghostctl_reads() {
        let mut config = LabConfig::new("one".parse().unwrap());
        config.ghostrc.insert("UP_DEADLINE".to_owned(), "7".to_owned());
        let folder = LabFolder::new(Path::new("/labs"), &config.name);
        let text = ghostrc(&config, &folder);
        assert!(!text.contains('@'), "{text}");
        assert!(text.contains("\nPXEBASE=/labs/one/root\n"), "{text}");
        assert!(text.ends_with("\nUP_DEADLINE='7'\n"), "{text}");
        assert!(!text.contains("FIRMWARE"), "{text}");
        assert!(text.contains("\nDHCPD=/labs/one/dhcpd-service\n"), "{text}");
        config.serve_dhcp_by(DhcpServer::Kea);
        let text = ghostrc(&config, &folder);
        let last = text.lines().rfind(|line| line.starts_with("DHCPDCONF="));
        assert_eq!(last, Some("DHCPDCONF=/labs/one/etc/kea/kea-dhcp4.conf"), "{text}");
        config.pcs[1].with_firmware(Firmware::SecureBoot);
        assert!(ghostrc(&config, &folder).contains("\nFIRMWARE_joe=uefi\n"));
    }
}
