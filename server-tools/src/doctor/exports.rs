//! Asks an NFS server what a client asks before it can mount: the portmapper for ports, mountd for the exports, NFS
//! whether it is there. Nothing is mounted.
//!
//! Clients mount over TCP: with version 3, or with version 4.1, for which they ask neither portmapper nor mountd. Where mountd's port is
//! known (`MOUNTDPORT`), nobody asks the portmapper.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use ghost_contract::NfsVersion;

use super::facts::{Exported, Grant};
use crate::octal::unescaped;
use crate::sys::rpc::{NULL, Program, call, call_if_let, number, string};

/// How long each question may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// RFC 1833 §3; Linux' rpcbind speaks this old version to everybody.
const PORTMAPPER: Program = Program { number: 100_000, version: 2 };
const PORTMAPPER_PORT: u16 = 111;
const GET_PORT: u32 = 3;
/// The protocol number that the portmapper knows TCP by.
const TCP: u32 = 6;
const MOUNT: Program = Program { number: 100_005, version: 3 };
const LIST_EXPORTS: u32 = 5;
const NFS: Program = Program { number: 100_003, version: 3 };
/// NFS version 4, by its number as a remote procedure call (RFC 8881 §16).
const NFS_4: Program = Program { number: 100_003, version: 4 };
const NFS_PORT: u16 = 2049;
const COMPOUND: u32 = 1;
const MINOR_VERSION_MISMATCH: u32 = 10_021;

/// Whether this version of NFS answers over TCP, where a client looks for it that knows mountd's port or does not.
pub(crate) fn nfs_answers(
    server: IpAddr,
    version: NfsVersion,
    mountd: Option<NonZeroU16>,
) -> anyhow::Result<()> {
    if version == NfsVersion::V4_1 {
        return speaks_4_1((server, NFS_PORT).into());
    }
    let port = match mountd {
        Some(_) => NFS_PORT,
        None => port_of((server, PORTMAPPER_PORT).into(), NFS, "NFS version 3")?,
    };
    call((server, port).into(), NFS, NULL, &[], DEADLINE).map(drop).context("NFS version 3 does not answer")
}

/// Asks for nothing to be done, by version 4.1: the minor version is looked at before that (RFC 8881 §16.2.3). Linux' own server
/// answers that only to machines to which it exports something. Where this machine is none of them, version 4 is all that can be seen.
fn speaks_4_1(at: SocketAddr) -> anyhow::Result<()> {
    const NO_ANSWER: &str = "NFS version 4 does not answer";
    call(at, NFS_4, NULL, &[], DEADLINE).context(NO_ANSWER)?;
    let (no_tag, minor_version, no_operation) = (0, 1, 0);
    let asked = call_if_let(at, NFS_4, COMPOUND, &[no_tag, minor_version, no_operation], DEADLINE);
    let Some(reply) = asked.context(NO_ANSWER)? else { return Ok(()) };
    match number(&reply) {
        Some((0, _)) => Ok(()),
        Some((MINOR_VERSION_MISMATCH, _)) => bail!("{at} serves NFS version 4, but not 4.1"),
        Some((status, _)) => bail!("{at} refuses NFS version 4.1 with status {status}"),
        None => bail!("the answer of {at} by NFS version 4.1 cannot be read"),
    }
}

/// The folders that a server exports, as its mountd says at this port, or where the portmapper knows it.
pub(crate) fn exported(server: IpAddr, mountd: Option<NonZeroU16>) -> anyhow::Result<Vec<Exported>> {
    match mountd {
        None => exported_by((server, PORTMAPPER_PORT).into()),
        Some(port) => {
            let at = (server, port.get()).into();
            listed_by(at).with_context(|| format!("at port {port}, which MOUNTDPORT names"))
        }
    }
}

/// Whether a client may mount `path` when `exported` is exported: it or a folder above it is.
pub(crate) fn covering<'a>(exported: &'a [Exported], path: &Path) -> impl Iterator<Item = &'a Exported> {
    exported.iter().filter(move |export| path.starts_with(&export.path))
}

/// Whether a pattern of a list of clients lets this address in; none if that cannot be told from here, as of names.
pub(crate) fn lets_in(pattern: &str, ip: Ipv4Addr) -> Option<bool> {
    if pattern.is_empty() || pattern == "*" || pattern.eq_ignore_ascii_case("(everyone)") {
        return Some(true);
    }
    let (network, mask) = pattern.split_once('/').unwrap_or((pattern, "32"));
    let network: Ipv4Addr = network.parse().ok()?;
    let mask = match mask.parse::<u32>() {
        Ok(bits) => u32::MAX.checked_shl(32_u32.checked_sub(bits)?).unwrap_or(0),
        Err(_) => u32::from(mask.parse::<Ipv4Addr>().ok()?),
    };
    Some(u32::from(network) & mask == u32::from(ip) & mask)
}

/// How the kernel of this machine exports folders, from its table (exportfs(8)): `PATH CLIENTS(option,…)` a line.
pub(crate) fn grants(table: &str) -> Vec<Grant> {
    let grant = |line: &str| {
        let (path, rest) = line.split_once('\t')?;
        let (clients, options) = rest.split_once('(')?;
        let options: Vec<&str> = options.trim_end().trim_end_matches(')').split(',').collect();
        Some(Grant {
            path: unescaped(path.as_bytes()),
            clients: clients.to_owned(),
            may_write: options.contains(&"rw"),
            is_root: options.contains(&"no_root_squash") && !options.contains(&"all_squash"),
            checks_subtree: options.contains(&"subtree_check"),
        })
    };
    table.lines().filter_map(grant).collect()
}

/// The folder in which paths of version 4 begin, if that table says one (exports(5), `fsid=0`).
pub(crate) fn root_of_version_4(table: &str) -> Option<PathBuf> {
    let is_root = |line: &&str| {
        let options = line.rsplit_once('(').map_or("", |(_, options)| options.trim_end_matches(')'));
        options.split(',').any(|option| matches!(option, "fsid=0" | "fsid=root"))
    };
    table.lines().find(is_root)?.split('\t').next().map(PathBuf::from)
}

fn exported_by(portmapper: SocketAddr) -> anyhow::Result<Vec<Exported>> {
    let port = port_of(portmapper, MOUNT, "mountd")?;
    listed_by((portmapper.ip(), port).into())
}

fn listed_by(mountd: SocketAddr) -> anyhow::Result<Vec<Exported>> {
    let reply = call(mountd, MOUNT, LIST_EXPORTS, &[], DEADLINE).context("mountd does not answer")?;
    // RFC 1813 §5.2.5.
    listed(&reply).ok_or_else(|| anyhow!("the list of exports of {} cannot be read", mountd.ip()))
}

fn port_of(portmapper: SocketAddr, program: Program, service: &'static str) -> anyhow::Result<u16> {
    let question = [program.number, program.version, TCP, 0];
    let reply = call(portmapper, PORTMAPPER, GET_PORT, &question, DEADLINE);
    let reply = reply.context("the portmapper does not answer")?;
    let port = number(&reply).and_then(|(port, _)| u16::try_from(port).ok()).filter(|port| *port != 0);
    port.ok_or_else(|| anyhow!("{} runs no {service}: its portmapper knows no port for it", portmapper.ip()))
}

/// A linked list of paths, each with a linked list of the groups that may mount it.
pub(crate) fn listed(mut list: &[u8]) -> Option<Vec<Exported>> {
    let mut exported = Vec::new();
    while let (1, rest) = number(list)? {
        let (path, mut groups) = string(rest)?;
        let mut clients = Vec::new();
        while let (1, rest) = number(groups)? {
            let (group, rest) = string(rest)?;
            clients.push(String::from_utf8_lossy(group).into_owned());
            groups = rest;
        }
        exported.push(Exported { path: PathBuf::from(std::ffi::OsStr::from_bytes(path)), clients });
        list = groups.get(4..)?;
    }
    Some(exported)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::sys::rpc::tests::{Refusal, done, refused, server, xdr};

    /// Two exports, the first for two groups.
    fn export_list() -> Vec<u8> {
        let text = |text: &[u8]| {
            let length = u32::try_from(text.len()).unwrap();
            [&xdr(&[length])[..], text, &b"\0\0\0"[..text.len().next_multiple_of(4) - text.len()]].concat()
        };
        [
            &xdr(&[1])[..],
            &text(b"/tftpboot"),
            &xdr(&[1]),
            &text(b"*.lab"),
            &xdr(&[1]),
            &text(b"john"),
            &xdr(&[0]),
            &xdr(&[1]),
            &text(b"/backup"),
            &xdr(&[0]),
            &xdr(&[0]),
        ]
        .concat()
    }

    #[test]
    fn the_list_of_exports_is_read_group_by_group() {
        let exported = |path: &str, clients: &[&str]| Exported {
            path: path.into(),
            clients: clients.iter().map(|client| (*client).to_owned()).collect(),
        };
        let expected = [exported("/tftpboot", &["*.lab", "john"]), exported("/backup", &[])];
        assert_eq!(listed(&export_list()), Some(expected.to_vec()));
        assert_eq!(listed(&xdr(&[0])), Some(vec![]));
        for length in 0..export_list().len() {
            assert_eq!(listed(&export_list()[..length]), None, "cut after {length}");
        }
    }

    #[test]
    fn mountd_is_asked_where_the_portmapper_says() {
        let mountd = server(Box::new(|words| {
            assert_eq!(words[3..6], [100_005, 3, 5]);
            done(&export_list())
        }));
        let portmapper = server(Box::new(move |words| {
            assert_eq!(words[3..6], [100_000, 2, 3]);
            assert_eq!(words[10..], [100_005, 3, 6, 0]);
            done(&xdr(&[u32::from(mountd.port())]))
        }));
        assert_eq!(exported_by(portmapper).unwrap().len(), 2);
    }

    #[test]
    fn a_mountd_whose_port_is_known_is_asked_there_and_no_portmapper() {
        let mountd = server(Box::new(|words| match words[3..6] {
            [100_005, 3, 5] => done(&export_list()),
            _ => refused(Refusal::Version),
        }));
        let at = |port| exported(mountd.ip(), NonZeroU16::new(port));
        assert_eq!(at(mountd.port()).unwrap().len(), 2);
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = format!("{:#}", at(nobody).unwrap_err());
        let words = format!("at port {nobody}, which MOUNTDPORT names: mountd does not answer");
        assert!(error.starts_with(&words), "{error}");
    }

    #[test]
    fn of_version_4_1_nothing_but_its_port_is_asked() {
        let says = |status: u32| {
            speaks_4_1(server(Box::new(move |words| {
                assert_eq!(words[3..5], [100_003, 4]);
                if words[5] == NULL {
                    return done(b"");
                }
                assert_eq!(words[5..], [1, 0, 0, 0, 0, 0, 1, 0]);
                done(&xdr(&[status, 0, 0]))
            })))
        };
        assert!(says(0).is_ok());
        let error = says(MINOR_VERSION_MISMATCH).unwrap_err().to_string();
        assert!(error.ends_with("serves NFS version 4, but not 4.1"), "{error}");
        assert!(says(10_006).unwrap_err().to_string().ends_with("with status 10006"));
    }

    /// As Linux' own server does where its exports are for the clients alone: seen with Linux 6.1.
    #[test]
    fn a_server_that_exports_nothing_to_this_machine_serves_version_4_all_the_same() {
        let serving = |version: u32| {
            speaks_4_1(server(Box::new(move |words| match (words[4], words[5]) {
                (asked, _) if asked != version => refused(Refusal::Version),
                (_, NULL) => done(b""),
                _ => refused(Refusal::Caller),
            })))
        };
        assert!(serving(4).is_ok());
        let error = format!("{:#}", serving(3).unwrap_err());
        assert!(error.starts_with("NFS version 4 does not answer: "), "{error}");
    }

    #[test]
    fn a_port_of_zero_is_no_port() {
        let portmapper = server(Box::new(|_| done(&xdr(&[0]))));
        let error = exported_by(portmapper).unwrap_err();
        assert_eq!(error.to_string(), "127.0.0.1 runs no mountd: its portmapper knows no port for it");
    }

    #[test]
    fn a_folder_below_an_export_can_be_mounted_too() {
        let exported = [Exported { path: "/tftpboot".into(), clients: Vec::new() }];
        assert_eq!(covering(&exported, Path::new("/tftpboot/root")).count(), 1);
        assert_eq!(covering(&exported, Path::new("/tftpboot2")).count(), 0);
    }

    #[test]
    fn addresses_and_networks_can_be_compared_and_names_cannot() {
        let john = Ipv4Addr::new(192, 168, 7, 2);
        for (pattern, lets_john_in) in [
            ("*", Some(true)),
            ("192.168.7.2", Some(true)),
            ("192.168.7.3", Some(false)),
            ("192.168.7.0/25", Some(true)),
            ("192.168.7.0/255.255.255.128", Some(true)),
            ("192.168.8.0/24", Some(false)),
            ("0.0.0.0/0", Some(true)),
            ("192.168.7.0/33", None),
            ("*.lab", None),
            ("@clients", None),
            ("john", None),
        ] {
            assert_eq!(lets_in(pattern, john), lets_john_in, "{pattern}");
        }
    }

    #[test]
    fn the_kernels_table_says_who_may_write_who_is_root_and_whether_handles_are_checked() {
        let table = "/tftpboot\t192.168.7.0/25(rw,sync,wdelay,hide,no_root_squash,no_all_squash,subtree_check,sec=sys)\n\
                     /backup\t*(ro,root_squash,no_subtree_check)\nrubbish\n";
        let seen: Vec<_> = grants(table)
            .into_iter()
            .map(|g| (g.clients, g.may_write, g.is_root, g.checks_subtree))
            .collect();
        assert_eq!(
            seen,
            [("192.168.7.0/25".to_owned(), true, true, true), ("*".to_owned(), false, false, false)]
        );
        assert_eq!(grants("/my\\040base\t*(ro)\n")[0].path, Path::new("/my base"));
        assert_eq!(root_of_version_4(table), None);
        let with_root = format!("{table}/srv/nfs4\t*(ro,fsid=0,no_subtree_check)\n");
        assert_eq!(root_of_version_4(&with_root), Some("/srv/nfs4".into()));
    }
}
