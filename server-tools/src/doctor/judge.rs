//! What to think of the facts. Pure.

use std::path::Path;

use super::booting::booting;
use super::boundary::boundary;
use super::facts::{
    BaseRoot, BootFile, Dhcp, Facts, Host, Program, SamePlace, Store, Tried, Writable, names,
};
use super::file_systems::{devices, file_systems};
use super::mounts::export;
use super::root::root;
use super::{Check, Finding, mounted, over_http};
use crate::dhcp::{Advice, Running, Terms};
use crate::sys::disk_space::DiskSpace;

/// Below this nothing useful fits on a file system: a tree has some megabytes.
pub(crate) const NEARLY_FULL: u64 = 64 << 20;

/// All findings, in the order in which a job would need the things.
pub(crate) fn judge(facts: &Facts) -> Vec<Finding> {
    let of_hosts = facts.hosts.as_deref().unwrap_or_default();
    let terms = &facts.dhcp.kind.traits().terms;
    let mut findings = settings(facts, of_hosts);
    findings.extend(dhcp(&facts.dhcp));
    findings.extend(facts.dhcp.unread.iter().map(unread));
    let unheard = facts.dhcp.unheard.iter();
    findings.extend(unheard.map(|Advice { what, mend }| Finding::warning(Check::DhcpServer, what, mend)));
    findings.extend(hosts(&facts.hosts, terms));
    findings.extend(booting(of_hosts, &facts.machines, facts.boot_server, terms));
    findings.extend(facts.boot_files.iter().map(boot_file));
    findings.extend(facts.over_http.iter().map(over_http::judge));
    findings.extend(base_root(&facts.base_root));
    findings.extend(facts.exports.iter().map(|one| export(one, of_hosts)));
    findings.extend(root(&facts.boundary.told, facts.boot_server, &facts.base_root));
    findings.extend(boundary(&facts.boundary, &facts.exports, facts.boot_server, of_hosts));
    findings.extend(file_systems(&facts.boundary, &facts.exports));
    findings.extend(devices(&facts.boundary));
    findings.extend(store(&facts.store));
    findings.extend(facts.public_keys.iter().map(|(path, read)| public_keys(path, read)));
    findings.extend(facts.hook_user.as_ref().map(|(name, found)| hook_user(name, found)));
    findings.extend(programs(&facts.programs));
    findings.extend(confinement(&facts.confinement));
    findings.push(writable(Check::StateFolder, &facts.state_folder, "create it, or set STATEDIR in ghostrc"));
    findings.extend(wake(facts));
    findings
}

fn settings(facts: &Facts, hosts: &[Host]) -> Vec<Finding> {
    let check = Check::Settings;
    let doubts = facts.doubts.iter();
    let mut findings: Vec<Finding> =
        doubts.map(|doubt| Finding::warning(check, doubt, "correct the name, or remove the line")).collect();
    for key in &facts.for_nobody {
        let found = format!("{key} is for a host that the DHCP configuration does not have");
        findings.push(Finding::warning(check, found, "correct the host's name in it, or remove the line"));
    }
    for key in ["UP_DEADLINE", "JOB_DEADLINE", "OFF_DEADLINE", "EXPIRES"] {
        let concerned: Vec<&Host> = hosts.iter().filter(|host| host.zero.contains(&key)).collect();
        if !concerned.is_empty() {
            let found = format!(
                "{}: {key} is 0, so that a job fails before the client can boot",
                names(concerned.into_iter())
            );
            findings.push(Finding::bad(
                check,
                found,
                "set it to a longer time, or remove the line for the default",
            ));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::good(check, "every key is known"));
    }
    findings
}

fn dhcp(dhcp: &Dhcp) -> [Finding; 4] {
    let file = dhcp.configuration.display();
    let configuration = match &dhcp.accepted {
        Ok(()) => {
            Finding::good(Check::DhcpConfiguration, format!("{file} is accepted by '{}'", dhcp.checker))
        }
        Err(reason) => Finding::bad(
            Check::DhcpConfiguration,
            format!("{file} is not accepted: {reason}"),
            "correct the file; if the checker itself is wrong, set DHCPDCHECK in ghostrc",
        ),
    };
    let restart = match &dhcp.way {
        Ok(found) => Finding::good(Check::DhcpRestart, found),
        Err(Advice { what, mend }) => Finding::bad(Check::DhcpRestart, what, mend),
    };
    let folder = writable(
        Check::DhcpFolder,
        &dhcp.folder,
        "run ghostctl as root, and mount the folder for reading and writing",
    );
    [configuration, folder, restart, running(dhcp)]
}

/// A warning: a host that this is about cannot have a job, which is told besides; others can.
fn unread(Advice { what, mend }: &Advice) -> Finding {
    Finding::warning(Check::DhcpConfiguration, what, mend)
}

fn running(dhcp: &Dhcp) -> Finding {
    let (check, file) = (Check::DhcpServer, dhcp.configuration.display());
    let taken_for = format!("; it is taken for {}, since {}", dhcp.kind.traits().name, dhcp.because);
    match &dhcp.running {
        Running::Ours => Finding::good(check, format!("the DHCP server runs with {file}{taken_for}")),
        Running::Others(others) => {
            let others: Vec<String> = others.iter().map(|path| path.display().to_string()).collect();
            let others = others.join(", ");
            Finding::bad(
                check,
                format!(
                    "the DHCP server that runs reads {others}, and ghostctl would edit {file}{taken_for}"
                ),
                "set DHCPDCONF in ghostrc to the file that the DHCP server reads, or restart it with the other one",
            )
        }
        Running::Unknown(reason) => Finding::warning(
            check,
            format!("cannot see whether a DHCP server runs: {reason}"),
            "correct that, then run this again",
        ),
        Running::Nobody => Finding::warning(
            check,
            format!("no DHCP server is seen to run on this machine{taken_for}"),
            "start it; if it runs in a container of its own, nothing has to be done",
        ),
    }
}

fn public_keys(path: &Path, read: &Tried<()>) -> Finding {
    let path = path.display();
    match read {
        Ok(()) => Finding::good(Check::PublicKeys, format!("{path} (SSHKEYS) can be read")),
        Err(reason) => Finding::bad(
            Check::PublicKeys,
            format!("{path} (SSHKEYS) cannot be read: {reason}"),
            "write the public keys that may log in there, one a line, or remove SSHKEYS from ghostrc",
        ),
    }
}

fn hook_user(name: &str, found: &Tried<()>) -> Finding {
    match found {
        Ok(()) => Finding::good(Check::Hooks, format!("they run as {name} (HOOKUSER)")),
        Err(reason) => Finding::warning(
            Check::Hooks,
            reason,
            "create the user with useradd --system, or correct HOOKUSER in ghostrc",
        ),
    }
}

fn hosts(hosts: &Tried<Vec<Host>>, terms: &Terms) -> Option<Finding> {
    match hosts {
        Ok(hosts) if hosts.is_empty() => Some(Finding::warning(
            Check::Hosts,
            "no host in the DHCP configuration can have a job",
            format!("{}; 'ghostctl hosts' says what is missing", terms.needs),
        )),
        Ok(hosts) => Some(Finding::good(
            Check::Hosts,
            format!("{} can have jobs: {}", hosts.len(), names(hosts.iter())),
        )),
        Err(reason) => {
            Some(Finding::bad(Check::Hosts, reason, "correct the DHCP configuration at that place"))
        }
    }
}

/// What every program for UEFI begins with, as those of DOS do (UEFI specification §2.1.1).
const EFI_PROGRAM: &[u8] = b"MZ";

pub(super) fn boot_file(file: &BootFile) -> Finding {
    let path = file.path.display();
    match (&file.on_disk, &file.served) {
        (Ok(first), _) if first.is_empty() => Finding::bad(
            Check::BootFile,
            format!("{path} is empty"),
            "'ghostctl root build' puts it there anew",
        ),
        (Ok(first), _) if file.is_for_uefi && !first.starts_with(EFI_PROGRAM) => Finding::bad(
            Check::BootFile,
            format!("{path} is no program for UEFI, and a host with FIRMWARE=uefi is offered it"),
            "set BOOTFILE of the host in ghostrc to shimx64.efi, or FIRMWARE to bios if the host boots as a BIOS does",
        ),
        (Ok(on_disk), Ok(served)) if on_disk == served => {
            Finding::good(Check::BootFile, format!("{} is there and comes over TFTP", file.name))
        }
        (Ok(_), Ok(_)) => Finding::bad(
            Check::BootFile,
            format!("the TFTP server gives another {} than {path}", file.name),
            "set TFTPBASE in ghostrc to the folder that the TFTP server really serves",
        ),
        (Err(reason), Ok(_)) => Finding::warning(
            Check::BootFile,
            format!("{} comes over TFTP, but {path} cannot be read: {reason}", file.name),
            "set TFTPBASE in ghostrc to the folder that the TFTP server really serves",
        ),
        (Ok(_), Err(reason)) => Finding::bad(
            Check::BootFile,
            format!("{path} is there, but does not come over TFTP: {reason}"),
            "start the TFTP server on the address of PXEADDR with the folder of TFTPBASE, and make the file and its folders readable for all",
        ),
        (Err(reason), Err(_)) => Finding::bad(
            Check::BootFile,
            format!("{path} cannot be read: {reason}"),
            "'ghostctl root build' puts the boot files there, or set TFTPBASE or BOOTFILE in ghostrc",
        ),
    }
}

fn base_root(root: &BaseRoot) -> Vec<Finding> {
    let mend = "'ghostctl root build' makes it, or set PXEBASE in ghostrc to where it is";
    let folder = &root.folder.folder;
    let place = match root.missing.as_slice() {
        [] => writable(Check::BaseRoot, &root.folder, mend),
        missing => {
            let text = format!("{} has no {}", root.root.display(), missing.join(" and no "));
            Finding::bad(Check::BaseRoot, text, mend)
        }
    };
    let mut findings = vec![place];
    if let Ok(space) = root.space {
        findings.extend(nearly_full(Check::BaseRoot, folder, space));
    }
    findings
}

fn store(store: &Store) -> Vec<Finding> {
    let mend = "create or mount it, or set GHSTBASE in ghostrc";
    let mut findings = vec![writable(Check::Store, &store.folder, mend), same_place(store)];
    findings.push(match store.space {
        Ok(space) => room(&store.folder.folder, space, store.largest_generation),
        Err(ref reason) => Finding::bad(Check::Room, reason, mend),
    });
    findings
}

fn same_place(store: &Store) -> Finding {
    let folder = store.folder.folder.display();
    let check = Check::SamePlace;
    match &store.same_place {
        SamePlace::Same => Finding::good(check, format!("GHSTNFS exports the very folder {folder}")),
        SamePlace::Different => Finding::bad(
            check,
            format!("GHSTNFS exports another folder of this machine than {folder}"),
            "set GHSTBASE and GHSTNFS in ghostrc to the same folder",
        ),
        SamePlace::NotHere => Finding::warning(
            check,
            "the path of GHSTNFS is no folder of this machine, so it cannot be compared with GHSTBASE",
            "if it is not a pseudo path of the NFS server, correct GHSTNFS; each job proves it before it begins",
        ),
        SamePlace::Elsewhere { export, lies_on } => mounted::judge(&store.folder.folder, export, lies_on),
        SamePlace::Unknown(reason) => {
            Finding::warning(check, reason, "set GHSTBASE and GHSTNFS in ghostrc to the same folder")
        }
    }
}

fn room(folder: &Path, space: DiskSpace, largest: Option<u64>) -> Finding {
    if let Some(finding) = nearly_full(Check::Room, folder, space) {
        return finding;
    }
    let (free, total) = (mebibytes(space.free), mebibytes(space.total));
    match largest {
        Some(largest) if largest > space.free => Finding::warning(
            Check::Room,
            format!("{free} MiB are free, and the largest generation has {}", mebibytes(largest)),
            "make room: 'ghostctl images prune', or fewer GENERATIONS in ghostrc",
        ),
        _ => Finding::good(Check::Room, format!("{free} of {total} MiB are free")),
    }
}

fn nearly_full(check: Check, folder: &Path, space: DiskSpace) -> Option<Finding> {
    let mend = "make room on that file system";
    if !space.has_inodes {
        let text = format!("the file system of {} has no inodes left", folder.display());
        return Some(Finding::bad(check, text, mend));
    }
    let text = || format!("the file system of {} has {} MiB left", folder.display(), mebibytes(space.free));
    (space.free < NEARLY_FULL).then(|| Finding::bad(check, text(), mend))
}

fn programs(programs: &[Program]) -> Vec<Finding> {
    let missing = programs.iter().filter_map(|program| {
        let Err(reason) = &program.found else { return None };
        let found = format!("{} is missing, which {}: {reason}", program.name, program.purpose);
        let mend = format!("apt-get install {}", program.package);
        Some(match program.is_needed {
            true => Finding::bad(Check::Programs, found, mend),
            false => Finding::warning(Check::Programs, found, mend),
        })
    });
    let missing: Vec<Finding> = missing.collect();
    match missing.as_slice() {
        [] => vec![Finding::good(Check::Programs, "all that look into images are installed")],
        _ => missing,
    }
}

fn confinement(lacks: &Tried<Vec<String>>) -> Vec<Finding> {
    let check = Check::Confinement;
    match lacks.as_deref() {
        Err(reason) => {
            let found = format!("no generation can be checked: {reason}");
            vec![Finding::bad(check, found, "run ghostctl as root, where namespaces can be made")]
        }
        Ok([]) => vec![Finding::good(check, "what parses a client's image can harm nobody")],
        Ok(lacks) => {
            let mend = "run a kernel that has it, or let only clients back up that you trust";
            lacks.iter().map(|lack| Finding::warning(check, lack, mend)).collect()
        }
    }
}

fn wake(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(reason) = &facts.may_send_frames {
        let mend = "run ghostctl as root, or give it the capability CAP_NET_RAW";
        findings.push(Finding::bad(Check::Wake, format!("magic packets cannot be sent: {reason}"), mend));
    }
    let Ok(hosts) = &facts.hosts else { return findings };
    for host in hosts {
        if let Err(reason) = &host.interface {
            let mend = format!("give this machine a route to it, or set INTERFACE_{} in ghostrc", host.name);
            findings.push(Finding::bad(Check::Wake, format!("{}: {reason}", host.name), mend));
        }
    }
    for host in hosts {
        if let (Ok(interface), Some(nearer)) = (&host.interface, &host.nearer) {
            let name = &host.name;
            let found = format!("{name}: magic packets leave by {interface}, but its network is on {nearer}");
            let mend = format!("set INTERFACE_{name}={nearer} in ghostrc, or remove INTERFACE");
            findings.push(Finding::bad(Check::Wake, found, mend));
        }
    }
    let behind =
        || hosts.iter().filter(|host| host.interface.is_ok() && !host.is_neighbour && host.nearer.is_none());
    let out_of_reach: Vec<&Host> = behind().filter(|host| host.beyond.is_none()).collect();
    if !out_of_reach.is_empty() {
        let found = format!(
            "{}: magic packets do not get through the router, since no subnet of the DHCP configuration has the address and no relay is set",
            names(out_of_reach.into_iter())
        );
        findings.push(Finding::bad(
            Check::Wake,
            found,
            "declare the subnet, or set WAKE_RELAY in ghostrc to a machine there that sends magic packets on",
        ));
    }
    // Without hosts there is no interface to try.
    if findings.is_empty() && !hosts.is_empty() {
        let mut interfaces: Vec<&str> =
            hosts.iter().filter_map(|host| host.interface.as_deref().ok()).collect();
        interfaces.sort_unstable();
        interfaces.dedup();
        let mut found = format!("magic packets leave by {}", interfaces.join(", "));
        let mut beyond: Vec<String> =
            hosts.iter().filter_map(|host| Some(host.beyond?.to_string())).collect();
        beyond.sort_unstable();
        beyond.dedup();
        if !beyond.is_empty() {
            found.push_str(&format!(
                ", and through routers to {}; whether these pass them on cannot be seen from here",
                beyond.join(", ")
            ));
        }
        findings.push(Finding::good(Check::Wake, found));
    }
    findings
}

fn writable(check: Check, writable: &Writable, mend: &str) -> Finding {
    let folder = writable.folder.display();
    match &writable.tried {
        Ok(()) => Finding::good(check, format!("{folder} can be written to")),
        Err(reason) => Finding::bad(check, format!("{folder} cannot be written to: {reason}"), mend),
    }
}

const fn mebibytes(bytes: u64) -> u64 {
    bytes >> 20
}

#[cfg(test)]
pub(super) mod tests;
