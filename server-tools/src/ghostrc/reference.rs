//! What each key is for, in words: the table that the manual page is made from.
//!
//! It decides nothing; tests compare its keys with those that are understood, and the defaults of hosts with those in use.

/// A key, as the manual shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub name: &'static str,
    /// What its value is, in a word.
    pub value: &'static str,
    /// Its value when it is not set; empty if that is nothing at all, none if it must be set.
    pub default: Option<&'static str>,
    pub scope: Scope,
    /// What it is for, without a full stop.
    pub meaning: &'static str,
}

/// Whom a key holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The boot server as a whole.
    Server,
    /// All hosts, and a host can have its own.
    Host,
}

const fn required(name: &'static str, value: &'static str, meaning: &'static str) -> Key {
    Key { name, value, default: None, scope: Scope::Server, meaning }
}

const fn server(
    name: &'static str,
    value: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Key {
    Key { name, value, default: Some(default), scope: Scope::Server, meaning }
}

const fn host(name: &'static str, value: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key { name, value, default: Some(default), scope: Scope::Host, meaning }
}

pub(crate) const KEYS: [Key; 70] = [
    required("PXEADDR", "ADDRESS", "The boot server's IPv4 address as clients see it"),
    required("PXEBASE", "FOLDER", "The base root, the root file system that all clients share"),
    required("GHSTBASE", "FOLDER", "The image store as the boot server sees it"),
    required(
        "GHSTNFS",
        "SERVER:FOLDER",
        "The image store as clients see it, an NFS export. Without a folder, GHSTBASE's is meant; without a server, PXEADDR",
    ),
    required(
        "DHCPD",
        "COMMAND",
        "Called with restart, makes the DHCP server take up its configuration. With DHCPSERVER=kea or dnsmasq it is not needed: Kea is told by its control socket, dnsmasq by a signal; with proxy it is 'systemctl restart ghost4linux-proxy'",
    ),
    server(
        "EXPORTS",
        "common|own|job",
        "common",
        "What clients can mount: common, the base root for writing, with all clients' trees in it, and the image store; own, \
         the base root for reading, and each client for itself a folder in PXEBASE.trees for its tree and one in GHSTNFS/.clients for its new image, and its finished generations for reading; \
         or job, the same, where ghostctl exports the client's own folders itself, for the time of its job, with no generation but the one that the job reads. \
         'ghostctl exports' prints what the administrator is to export; with own and job the clients' kernel command line needs ghost.trees=PXEADDR:PXEBASE.trees. \
         Change it while no job runs",
    ),
    server(
        "NFSSERVER",
        "nfsd|ganesha",
        "",
        "The NFS server that is told what to export for a job, with EXPORTS=job: Linux' nfsd by exportfs(8), or NFS-Ganesha over D-Bus by busctl(1); if it is not set, the one that runs; where that says nothing, nfsd if there is exportfs, else NFS-Ganesha",
    ),
    server(
        "NFSVERSION",
        "3|4.1",
        "3",
        "The version of NFS that clients mount base root and image store with. With 4.1 they need port 2049 of the server alone; their initramfs is 0.3 MB larger. NFS-Ganesha has to give owners by number then: NFSv4 { Only_Numeric_Owners = true; }. It takes 'ghostctl root build'",
    ),
    server(
        "MOUNTDPORT",
        "PORT",
        "",
        "The port of this machine's mountd, if it has a fixed one (/etc/nfs.conf: [mountd] port=20048; NFS-Ganesha: MNT_Port). With version 3 clients and ghostctl then ask no portmapper. If it is not set, they ask it. It takes 'ghostctl root build'",
    ),
    server(
        "EXPORTSDIR",
        "FOLDER",
        "/etc/exports.d",
        "Where nfsd finds after a reboot what it exports for jobs that still run",
    ),
    server(
        "ETHERWAKE",
        "COMMAND",
        "",
        "The program is not run; the interface after its -i and the password after its -p are used when INTERFACE and SECUREON are not set",
    ),
    server(
        "DHCPSERVER",
        "isc|kea|dnsmasq|proxy",
        "",
        "The DHCP server that is edited: ISC dhcpd, Kea or dnsmasq; or proxy, a dnsmasq of ours beside a DHCP server that is not ours, such as a router's; if it is not set, the one that DHCPDCONF is a configuration of, else the one that runs, else the one whose configuration is there",
    ),
    server(
        "DHCPDCONF",
        "FILE",
        "/etc/dhcp/dhcpd.conf, else /etc/dhcpd.conf; of Kea /etc/kea/kea-dhcp4.conf, of dnsmasq /etc/dnsmasq.conf, of a proxy /etc/ghost4linux/proxy.conf",
        "The DHCP server's configuration",
    ),
    server(
        "DHCPDCHECK",
        "COMMAND",
        "dhcpd -t -cf FILE; of Kea kea-dhcp4 -t FILE, of dnsmasq and a proxy dnsmasq --test -C FILE",
        "Accepts or refuses an edited configuration, whose name stands for FILE",
    ),
    server(
        "RESTART_DISTANCE",
        "TIME",
        "3",
        "How far apart restarts of the DHCP server are at least, where systemd does not tell the limit of its unit",
    ),
    server("TFTPBASE", "FOLDER", "/srv/tftp", "The TFTP server's folder"),
    server("STATEDIR", "FOLDER", "/var/lib/ghost4linux", "Locks, the journal and the records of jobs"),
    server(
        "PARALLEL",
        "NUMBER",
        "as many as the image store can take, by the measured rates of the jobs that run: 8 to begin with, 2 to 64",
        "How many jobs of a run are at work at the same time",
    ),
    server(
        "KEEPRECORDS",
        "NUMBER",
        "400",
        "How many records of jobs are kept of each host, and how many of runs; older ones are removed after a run. Those of open jobs and runs stay, as do a host's last swap and its last good job of each verb",
    ),
    server(
        "LEASE",
        "TIME",
        "5m",
        "Where several boot servers have one image store: after so long without a sign of life of the boot server that works on a host, by the store's clock, another one may. It must be the same on all of them, and 10 s at least",
    ),
    server(
        "RETRIES",
        "NUMBER",
        "1 for hosts that a group, a pattern or --all chooses, 0 for those that are named",
        "How often a client that does not come up is tried again, after the other hosts of the run. One that has come up is never tried again",
    ),
    server(
        "HOOKS",
        "FOLDER",
        "/etc/ghost4linux/hooks.d",
        "Programs that are called after each job and each run, with its record as JSON on standard input. They must be root's, as must the folder and those above it; names have letters, digits, - and _ only",
    ),
    server("HOOK_DEADLINE", "TIME", "60", "How long each of these programs may take before it is ended"),
    server(
        "HOOKUSER",
        "NAME",
        "root",
        "The user that these programs run as, with its groups, its HOME and no other environment. If there is no such user, none of them runs",
    ),
    server(
        "METRICS",
        "FILE",
        "",
        "Where what 'ghostctl metrics' prints is written after each run, for the textfile collector of Prometheus' node exporter: the name must end in .prom there",
    ),
    server(
        "MAILTO",
        "ADDRESSES",
        "",
        "Who gets a mail after each run, with what became of each host and the last screenshots of those that failed. A mail that cannot be sent makes the exit status 1. If it is not set, there is no mail",
    ),
    server("MAILFROM", "ADDRESS", "root@ and the boot server's name", "Who that mail is from"),
    server(
        "SENDMAIL",
        "FILE",
        "/usr/sbin/sendmail",
        "What sends it; it is called with -i -t, the mail on standard input",
    ),
    server(
        "SIGNINGKEY",
        "FILE",
        "",
        "The secret key, in the form of minisign(1) and without a password, that signs the manifest of each generation that this boot server vouches for; 'ghostctl images key' makes it",
    ),
    server(
        "TRUSTEDKEYS",
        "FILE",
        "",
        "Public keys in the form of minisign(1), one or several: generations that they have signed are believed as if this boot server had made them, and never removed by retention",
    ),
    server(
        "OVERLAY",
        "FOLDER",
        "",
        "An administrator's own files, laid over the base root when 'ghostctl root build' makes it",
    ),
    server(
        "MIRROR",
        "URL",
        "",
        "The Debian mirror that it is made from; if it is not set, the one that this machine uses",
    ),
    server(
        "COMPONENTS",
        "LIST",
        "main",
        "Of Debian's archive; main,non-free-firmware for cards that need firmware",
    ),
    server("EXTRA_PACKAGES", "LIST", "", "More packages in the base root, separated by commas"),
    server(
        "CARDS",
        "pc|all",
        "pc",
        "The network cards that clients can boot with: those of PCs, or every one that Debian has a driver for",
    ),
    server("KERNEL_FLAGS", "FLAGS", "", "More flags for the clients' kernel, separated by spaces"),
    server(
        "HTTPBOOT",
        "no|yes",
        "no",
        "Whether UEFI clients load kernel and initramfs over HTTP, which a server on port 80 of PXEADDR gives from TFTPBASE; what does not come so comes over TFTP. It takes 'ghostctl root build'",
    ),
    host(
        "FIRMWARE",
        "bios|uefi",
        "bios",
        "How a host boots: bios, also for UEFI that is set to legacy boot (CSM); or uefi, without or with Secure Boot, which makes shimx64.efi what it is offered for a job",
    ),
    host(
        "BOOTFILE",
        "FILE",
        "pxelinux.0",
        "What a host is offered for a job; with FIRMWARE=uefi the default is shimx64.efi",
    ),
    host(
        "NOBOOTFILE",
        "FILE",
        "nobackup",
        "What makes a host boot from its own disk: a file that does not exist, after which BIOS and UEFI go on to what they boot next. Never an empty name, nor a loader that ends: UEFI then stays in its menu",
    ),
    host(
        "INTERFACE",
        "NAME",
        "",
        "The interface that magic packets leave by; if it is not set, the one that routes to the host",
    ),
    host(
        "WAKE_RELAY",
        "ADDRESS",
        "",
        "For a host behind a router: a machine there that broadcasts the magic packets that come to its UDP port 9; \
         if it is not set, they go to the broadcast address of the host's subnet",
    ),
    host(
        "SECUREON",
        "PASSWORD",
        "",
        "The password of magic packets, written like a hardware or an IP address",
    ),
    host("SSHKEYS", "FILE", "", "Public keys that may log in during mode test"),
    host(
        "LUKSKEY",
        "FILE",
        "",
        "The key of LUKS partitions, as cryptsetup --key-file takes it: the Linux imager then looks into them, and saves what is used, NOT ENCRYPTED; if it is not set, they are saved encrypted, with every byte. A restore of such an image needs it as well",
    ),
    host("UP_DEADLINE", "TIME", "10m", "From the first magic packet until the client says that it is up"),
    host("JOB_DEADLINE", "TIME", "12h", "How long a job may take on the client"),
    host(
        "OFF_DEADLINE",
        "TIME",
        "5m",
        "From the end of a job, or from the time when it is given up, until the client is off",
    ),
    host(
        "OFF_LISTEN",
        "TIME",
        "150s",
        "How long ghostctl listens for a client that has gone off, beside the rest of the job: one that cannot power off, or whose watchdog resets it, comes back, and the job then says so and exits with 1. 0: not at all, and whether a client that was told to stop, or was given up, goes off is not looked at either",
    ),
    host(
        "REVERT_DEADLINE",
        "TIME",
        "10m",
        "How long a finished job keeps trying to revert the DHCP entry if that fails; then it says so and leaves it to you",
    ),
    host("EXPIRES", "TIME", "1h", "How long a client may begin with its order"),
    host("SLEEP", "TIME", "1h", "How long mode test waits for a person to log in"),
    host("STALL_WINDOW", "TIME", "300", "A job in which nothing moves for so long has stalled"),
    host("STALL_RATE", "BYTES", "1024", "Fewer bytes a second than these count as nothing"),
    host("GENERATIONS", "NUMBER", "", "How many good generations are kept; if it is not set, all"),
    host("KEEP_DAYS", "DAYS", "0", "Generations younger than this are kept in any case"),
    host(
        "DISK",
        "DISK",
        "first",
        "Which disk a job is about: first, the first that is built in, in the order of their places; /dev/NAME; serial:NUMBER; size:500G, the only one of about that size; or all",
    ),
    host(
        "IMAGER",
        "NAME",
        "",
        "The imaging program: linux, which needs nothing else, or dosbox-x or dosemu, which run Norton Ghost; if it is not set, dosbox-x where the base root has the template floppy root/.dosemu/ghost.img, else linux. A generation is checked and restored by the imager that made it",
    ),
    host(
        "COMPRESSION",
        "LEVEL",
        "3",
        "How well the Linux imager's images are compressed, zstd's levels 1 to 19",
    ),
    host(
        "PIECE_SIZE",
        "SIZE",
        "1Gi",
        "The largest file of the Linux imager's images; with K, M, G and T, or Ki, Mi, Gi and Ti",
    ),
    host(
        "RESCUE",
        "yes|no",
        "no",
        "Whether the Linux imager goes on when a disk cannot be read somewhere, and lists the places in the generation's manifest, instead of failing",
    ),
    host(
        "DIRTY_NTFS",
        "refuse|raw",
        "refuse",
        "What the Linux imager does with an NTFS that Windows has not closed (hibernated, fast start): fail, or save every byte of it",
    ),
    host(
        "GAPS",
        "save|leave_out",
        "save",
        "What the Linux imager does with the gaps between partitions and behind the last one: save every byte, or only the first and the last MiB of each that is larger than two; what is left out is said",
    ),
    host(
        "GROW",
        "yes|no",
        "no",
        "Whether a restore by the Linux imager onto a larger disk gives the room to the last partition and its file system",
    ),
    host(
        "SHRINK",
        "yes|no",
        "no",
        "Whether a restore by the Linux imager may shrink one partition, NTFS or ext2/3/4, when the disk is too small and the files fit. It shrinks the last partition if that is enough, else the one with the most free space, and moves the partitions behind it. The image store needs room for what the file system uses",
    ),
    host(
        "DOSEMU_GRAPHICS",
        "yes|no",
        "yes",
        "Whether DOSEmu 1.4 gets the client's VGA, so that what Ghost draws is on the monitor and in screenshots. Say no if it ends before DOS starts: a graphics card's BIOS may ask for ports that DOSEmu does not give it",
    ),
    host(
        "MARK_AFTER",
        "TIME",
        "",
        "So long after Ghost's start Tab and Enter are typed, whatever its screen shows: for a Ghost that asks each time whether it may mark the disk and draws its question in letters that cannot be read; if it is not set, they are typed when the screen shows Mark",
    ),
    host(
        "BACKUPCOMMAND",
        "ARGUMENTS",
        r"-clone,mode=dump,src=1,dst=z:\image.gho -z1 -split=2000 -auto -sure -fx",
        "What Norton Ghost is called with in mode backup",
    ),
    host(
        "RESTORECOMMAND",
        "ARGUMENTS",
        r"-clone,mode=load,src=z:\image.gho,dst=1 -sure -fx",
        "What it is called with in mode restore",
    ),
    host(
        "VERIFYCOMMAND",
        "ARGUMENTS",
        r"-chkimg,z:\image.gho -sure -fx",
        "What it is called with in mode verify",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ghostrc::{Settings, keys::SERVER_KEYS};
    use std::collections::BTreeSet;

    #[test]
    fn it_has_exactly_the_keys_that_are_read() {
        let told: BTreeSet<&str> = KEYS.iter().map(|key| key.name).collect();
        assert_eq!(told.len(), KEYS.len(), "none twice");
        assert_eq!(told, SERVER_KEYS.into_iter().chain(Settings::KEYS).collect());
        let of_hosts = KEYS.iter().filter(|key| key.scope == Scope::Host).map(|key| key.name);
        assert_eq!(of_hosts.collect::<BTreeSet<_>>(), Settings::KEYS.into_iter().collect());
    }

    #[test]
    fn setting_a_host_key_to_its_default_changes_nothing() {
        for key in KEYS.iter().filter(|key| key.scope == Scope::Host) {
            let mut settings = Settings::default();
            let default = key.default.unwrap();
            if !default.is_empty() {
                settings.set(key.name, default).unwrap();
            }
            assert_eq!(settings, Settings::default(), "{}", key.name);
        }
    }
}
