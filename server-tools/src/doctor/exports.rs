//! Asks an NFS server what a client asks before it can mount: the portmapper for ports, mountd for the exports, NFS
//! whether it is there. Nothing is mounted.
//!
//! Clients mount with version 3 over TCP, since that needs no program of its own in their initramfs.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sys::rpc::{NULL, Program, RpcError, call, number, string};

/// How long each question may take.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// RFC 1833 §3; Linux' rpcbind speaks this old version to everybody.
const PORTMAPPER: Program = Program { number: 100_000, version: 2 };
const PORTMAPPER_PORT: u16 = 111;
const GET_PORT: u32 = 3;
/// The protocol number that the portmapper knows TCP by.
const TCP: u32 = 6;
const MOUNT: Program = Program { number: 100_005, version: 3 };
const LIST_EXPORTS: u32 = 5;
const NFS: Program = Program { number: 100_003, version: 3 };

/// Why a server's exports are not known.
#[derive(Debug, thiserror::Error)]
pub enum ExportsError {
    /// A service did not answer.
    #[error("{service} does not answer")]
    Call {
        service: &'static str,
        #[source]
        source: RpcError,
    },
    /// The portmapper knows no port for it.
    #[error("{server} runs no {service}: its portmapper knows no port for it")]
    NoPort {
        server: IpAddr,
        /// The service that is missing.
        service: &'static str,
    },
    /// The answer is not in the form of RFC 1813.
    #[error("the list of exports of {0} cannot be read")]
    Garbage(IpAddr),
}

/// Whether NFS version 3 answers over TCP.
pub fn nfs_answers(server: IpAddr) -> Result<(), ExportsError> {
    let port = port_of((server, PORTMAPPER_PORT).into(), NFS, "NFS version 3")?;
    call((server, port).into(), NFS, NULL, &[], DEADLINE).map(drop).map_err(during("NFS version 3"))
}

/// The folders that a server exports.
pub fn exported(server: IpAddr) -> Result<Vec<PathBuf>, ExportsError> {
    exported_by((server, PORTMAPPER_PORT).into())
}

/// Whether a client may mount `path` when `exported` is exported: it or a folder above it is.
pub fn covers(exported: &[PathBuf], path: &Path) -> bool {
    exported.iter().any(|export| path.starts_with(export))
}

fn exported_by(portmapper: SocketAddr) -> Result<Vec<PathBuf>, ExportsError> {
    let port = port_of(portmapper, MOUNT, "mountd")?;
    let at = (portmapper.ip(), port).into();
    let reply = call(at, MOUNT, LIST_EXPORTS, &[], DEADLINE).map_err(during("mountd"))?;
    paths(&reply).ok_or(ExportsError::Garbage(portmapper.ip()))
}

fn port_of(portmapper: SocketAddr, program: Program, service: &'static str) -> Result<u16, ExportsError> {
    let question = [program.number, program.version, TCP, 0];
    let reply = call(portmapper, PORTMAPPER, GET_PORT, &question, DEADLINE);
    let reply = reply.map_err(during("the portmapper"))?;
    let port = number(&reply).and_then(|(port, _)| u16::try_from(port).ok()).filter(|port| *port != 0);
    port.ok_or(ExportsError::NoPort { server: portmapper.ip(), service })
}

fn during(service: &'static str) -> impl Fn(RpcError) -> ExportsError {
    move |source| ExportsError::Call { service, source }
}

/// A linked list of paths, each with a linked list of the groups that may mount it.
fn paths(mut list: &[u8]) -> Option<Vec<PathBuf>> {
    let mut paths = Vec::new();
    while let (1, rest) = number(list)? {
        let (path, mut groups) = string(rest)?;
        paths.push(PathBuf::from(std::ffi::OsStr::from_bytes(path)));
        while let (1, rest) = number(groups)? {
            groups = string(rest)?.1;
        }
        list = groups.get(4..)?;
    }
    Some(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::rpc::tests::{done, server, xdr};

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
        let expected = ["/tftpboot", "/backup"].map(PathBuf::from);
        assert_eq!(paths(&export_list()), Some(expected.to_vec()));
        assert_eq!(paths(&xdr(&[0])), Some(vec![]));
        for length in 0..export_list().len() {
            assert_eq!(paths(&export_list()[..length]), None, "cut after {length}");
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
    fn a_port_of_zero_is_no_port() {
        let portmapper = server(Box::new(|_| done(&xdr(&[0]))));
        let error = exported_by(portmapper).unwrap_err();
        assert_eq!(error.to_string(), "127.0.0.1 runs no mountd: its portmapper knows no port for it");
    }

    #[test]
    fn a_folder_below_an_export_can_be_mounted_too() {
        let exported = [PathBuf::from("/tftpboot")];
        assert!(covers(&exported, Path::new("/tftpboot/root")));
        assert!(!covers(&exported, Path::new("/tftpboot2")));
    }
}
