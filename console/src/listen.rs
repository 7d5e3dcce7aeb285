//! Where the console listens, and whether that is safe. What decides is pure; [`bind`] acts.

use std::fmt;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, bail};
use nix::unistd::{Group, chown};

use crate::tls::Files;

/// A place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Network(SocketAddr),
    Unix(PathBuf),
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(_) => Err("the path of a socket begins with /"),
            None => text.parse().map(Self::Network).map_err(|_| "it must be ADDRESS:PORT, or unix:PATH"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(address) => write!(f, "http://{address}/"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Who may come in at that place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entrance {
    /// Who has the token, from this machine.
    Token,
    /// Who has the token, from anywhere, since TLS keeps it secret on its way.
    TokenByTls,
    /// Who has a certificate that one of our authorities has signed.
    Certificate,
    /// Who may open the socket: the kernel says who it is.
    Socket,
    /// Whom a proxy has let in, which says so in this header. Over the network only from this address; none: by the socket.
    Proxy { from: Option<IpAddr>, header: String },
}

/// Refuses settings that would show the screens of clients to everyone.
pub fn entrance(
    place: &Place,
    proxy: Option<IpAddr>,
    header: Option<&str>,
    tls: Option<&Files>,
) -> anyhow::Result<Entrance> {
    let header = header.map(str::to_ascii_lowercase);
    match (place, proxy, header) {
        (Place::Unix(_), ..) if tls.is_some() => {
            bail!(
                "a Unix socket needs no TLS, because no network carries what goes through it: leave --tls-certificate out"
            )
        }
        (Place::Network(_), Some(_), _) if tls.is_some_and(|files| files.clients.is_some()) => {
            bail!(
                "people log in either at a proxy or with a certificate, not both: leave --proxy or --tls-clients out"
            )
        }
        (Place::Unix(_), None, None) => Ok(Entrance::Socket),
        (Place::Unix(_), None, Some(header)) => Ok(Entrance::Proxy { from: None, header }),
        (Place::Unix(_), Some(_), _) => {
            bail!("a connection through a Unix socket has no address: leave --proxy out")
        }
        (Place::Network(_), Some(from), Some(_)) if from.is_loopback() => bail!(
            "every user of this machine can connect from {from} and claim any name: let the proxy connect through a Unix socket \
             (--listen unix:/run/ghost4linux/console.sock --socket-group www-data)"
        ),
        (Place::Network(_), Some(from), Some(header)) => Ok(Entrance::Proxy { from: Some(from), header }),
        (Place::Network(_), None, Some(_)) => {
            bail!("--user-header counts only from a proxy: give its address with --proxy")
        }
        (Place::Network(_), None, None) if tls.is_some() => Ok(match tls {
            Some(Files { clients: Some(_), .. }) => Entrance::Certificate,
            _ => Entrance::TokenByTls,
        }),
        (Place::Network(address), None, None) if address.ip().is_loopback() => Ok(Entrance::Token),
        (Place::Network(address), ..) => bail!(
            "other machines can reach {address}, and without TLS everyone on the network could read the screens and the token. Give the \
             console a certificate (--tls-certificate FILE --tls-key FILE); or listen on 127.0.0.1 and connect with ssh -L; or put a \
             reverse proxy with log-in in front of it (--proxy ADDRESS --user-header NAME)"
        ),
    }
}

/// What is listened at.
#[derive(Debug)]
pub enum Listener {
    Network(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Listener {
    /// Where it can be reached; a port that was chosen by the kernel is known by now.
    pub fn place(&self) -> anyhow::Result<Place> {
        Ok(match self {
            Self::Network(listener) => Place::Network(listener.local_addr()?),
            Self::Unix(listener) => {
                let address = listener.local_addr()?;
                Place::Unix(address.as_pathname().unwrap_or(Path::new("?")).to_owned())
            }
        })
    }
}

/// Begins to listen. Called within the runtime.
pub fn bind(place: &Place, group: Option<&str>) -> anyhow::Result<Listener> {
    let cannot = || format!("cannot listen at {place}");
    match place {
        Place::Network(address) => {
            let listener = std::net::TcpListener::bind(address).with_context(cannot)?;
            listener.set_nonblocking(true)?;
            Ok(Listener::Network(tokio::net::TcpListener::from_std(listener)?))
        }
        Place::Unix(path) => {
            remove_stale(path).with_context(cannot)?;
            // The umask lets nobody but root open it before it has its group.
            let listener = UnixListener::bind(path).with_context(cannot)?;
            set_rights(path, group).with_context(cannot)?;
            listener.set_nonblocking(true)?;
            Ok(Listener::Unix(tokio::net::UnixListener::from_std(listener)?))
        }
    }
}

/// Removes a socket that nobody listens at any more.
fn remove_stale(path: &Path) -> anyhow::Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        bail!("there is a file already, which is not a socket");
    }
    if UnixStream::connect(path).is_ok() {
        bail!("another program listens there");
    }
    Ok(fs::remove_file(path)?)
}

fn set_rights(path: &Path, group: Option<&str>) -> anyhow::Result<()> {
    let mode = if group.is_some() { 0o660 } else { 0o600 };
    if let Some(name) = group {
        let group = Group::from_name(name)?.with_context(|| format!("there is no group {name}"))?;
        chown(path, None, Some(group.gid))?;
    }
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(place: &str, proxy: Option<&str>, header: Option<&str>) -> Result<Entrance, String> {
        let proxy = proxy.map(|proxy| proxy.parse().unwrap());
        entrance(&place.parse().unwrap(), proxy, header, None).map_err(|error| error.to_string())
    }

    #[test]
    fn this_machine_needs_a_token_or_the_rights_of_a_socket() {
        assert_eq!(of("127.0.0.1:8040", None, None), Ok(Entrance::Token));
        assert_eq!(of("[::1]:8040", None, None), Ok(Entrance::Token));
        assert_eq!(of("unix:/run/x.sock", None, None), Ok(Entrance::Socket));
        let proxied = Entrance::Proxy { from: None, header: "x-user".to_owned() };
        assert_eq!(of("unix:/run/x.sock", None, Some("X-User")), Ok(proxied));
    }

    #[test]
    fn with_tls_it_listens_anywhere_for_the_token_or_for_certificates() {
        let files = |clients: Option<&str>| Files {
            certificate: "c".into(),
            key: "k".into(),
            clients: clients.map(PathBuf::from),
        };
        let at = |place: &str, proxy: Option<&str>, files: &Files| {
            let proxy: Option<IpAddr> = proxy.map(|proxy| proxy.parse().unwrap());
            let header = proxy.map(|_| "X-User");
            entrance(&place.parse().unwrap(), proxy, header, Some(files)).map_err(|error| error.to_string())
        };
        assert_eq!(at("0.0.0.0:8443", None, &files(None)), Ok(Entrance::TokenByTls));
        assert_eq!(at("0.0.0.0:8443", None, &files(Some("a"))), Ok(Entrance::Certificate));
        assert!(matches!(at("10.0.0.1:1", Some("10.0.0.2"), &files(None)), Ok(Entrance::Proxy { .. })));
        assert!(
            at("10.0.0.1:1", Some("10.0.0.2"), &files(Some("a"))).unwrap_err().contains("either at a proxy")
        );
        assert!(at("unix:/x", None, &files(None)).unwrap_err().contains("leave --tls-certificate out"));
    }

    #[test]
    fn another_address_is_refused_without_a_proxy_on_another_machine() {
        let header = Some("X-User");
        let proxied = Entrance::Proxy { from: Some([192, 168, 7, 9].into()), header: "x-user".to_owned() };
        assert_eq!(of("192.168.7.1:8040", Some("192.168.7.9"), header), Ok(proxied));
        for (place, proxy, header, why) in [
            ("192.168.7.1:8040", None, None, "without TLS"),
            ("0.0.0.0:8040", None, None, "without TLS"),
            ("[::]:8040", None, None, "without TLS"),
            ("192.168.7.1:8040", None, header, "--proxy"),
            ("127.0.0.1:8040", None, header, "--proxy"),
            ("127.0.0.1:8040", Some("127.0.0.1"), header, "through a Unix socket"),
            ("unix:/x", Some("192.168.7.9"), header, "leave --proxy out"),
        ] {
            let error = of(place, proxy, header).unwrap_err();
            assert!(error.contains(why), "{place}: {error}");
        }
        assert!("here".parse::<Place>().is_err() && "unix:x".parse::<Place>().is_err());
    }
}
