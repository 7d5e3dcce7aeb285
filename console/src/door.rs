//! Who is let in, and which forms are ours. Pure, but for [`read_token`].

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE, HOST};
use sha2::{Digest as _, Sha256};

use crate::listen::Entrance;

/// The name of the cookie that stands for the token.
pub const COOKIE_NAME: &str = "ghost_console";
/// No token has fewer characters: it cannot be guessed then.
const SHORTEST_TOKEN: usize = 16;
/// What a proxy may say of who it has let in, bytes.
const LONGEST_NAME: usize = 128;

/// The other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    Network(IpAddr),
    /// By TLS, with a certificate of this fingerprint that was checked.
    Certified(IpAddr, String),
    /// By the socket; the kernel's word on who it is.
    User(u32),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(address) => address.fmt(f),
            Self::Certified(address, fingerprint) => {
                write!(f, "the holder of certificate {fingerprint} at {address}")
            }
            Self::User(uid) => write!(f, "user {uid} of this machine"),
        }
    }
}

/// The name of a person who was let in, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who(pub String);

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Welcome(Who),
    /// It may come in with the token.
    ShowsNoToken,
    Refused(&'static str),
}

/// What the door knows.
#[derive(Debug)]
pub struct Door {
    entrance: Entrance,
    token: Option<String>,
    /// Known to this process only.
    secret: [u8; 32],
}

impl Door {
    pub fn new(entrance: Entrance, token: Option<String>, secret: [u8; 32]) -> Self {
        Self { entrance, token, secret }
    }

    pub fn verdict(&self, peer: &Peer, headers: &HeaderMap) -> Verdict {
        match (&self.entrance, peer) {
            (Entrance::Socket, Peer::User(_)) => Verdict::Welcome(Who(peer.to_string())),
            (Entrance::Proxy { from: None, header }, Peer::User(_)) => said_by_proxy(headers, header),
            (Entrance::Proxy { from: Some(from), header }, Peer::Network(address)) if from == address => {
                said_by_proxy(headers, header)
            }
            (Entrance::Token, Peer::Network(address)) if address.is_loopback() => {
                if !is_for_this_machine(headers) {
                    return Verdict::Refused(
                        "open this console as http://127.0.0.1 or http://localhost: it answers to no other name",
                    );
                }
                self.by_token(*address, headers)
            }
            (Entrance::TokenByTls, Peer::Network(address)) => self.by_token(*address, headers),
            (Entrance::Certificate, Peer::Certified(..)) => Verdict::Welcome(Who(peer.to_string())),
            _ => Verdict::Refused("this console takes no requests from your address"),
        }
    }

    fn by_token(&self, address: IpAddr, headers: &HeaderMap) -> Verdict {
        if self.shows_token(headers) {
            Verdict::Welcome(Who(format!("the token's holder at {address}")))
        } else {
            Verdict::ShowsNoToken
        }
    }

    /// Whether a browser may send the cookie over a connection without TLS.
    pub fn is_by_tls_only(&self) -> bool {
        self.entrance == Entrance::TokenByTls
    }

    fn shows_token(&self, headers: &HeaderMap) -> bool {
        let bearer = header(headers, AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
        if bearer.is_some_and(|token| self.is_token(token)) {
            return true;
        }
        let session = self.session();
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut named = cookies.flat_map(|line| line.split(';')).filter_map(|one| one.trim().split_once('='));
        named.any(|(name, value)| name == COOKIE_NAME && is_same(value, &session))
    }

    /// Whether it is the token that was typed.
    pub fn is_token(&self, typed: &str) -> bool {
        self.token.as_ref().is_some_and(|token| is_same(typed.trim(), token))
    }

    /// What the cookie holds: it stands for the token, and does not tell it.
    pub fn session(&self) -> String {
        digest(&[b"session", self.token.as_deref().unwrap_or_default().as_bytes()])
    }

    /// What a form of ours holds for this person.
    pub fn form_word(&self, who: &Who) -> String {
        digest(&[b"form", who.0.as_bytes(), &self.secret])
    }

    /// Whether the form came from a page of ours, and was made for this person.
    pub fn is_our_form(&self, who: &Who, word: &str, headers: &HeaderMap) -> bool {
        let is_from_here = header(headers, "sec-fetch-site").is_none_or(|site| site == "same-origin");
        is_from_here && is_same(word, &self.form_word(who))
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// One name, in one header: a client of the proxy must not be able to add another one.
fn said_by_proxy(headers: &HeaderMap, name: &str) -> Verdict {
    let mut said = headers.get_all(name).iter();
    let (Some(value), None) = (said.next(), said.next()) else {
        return Verdict::Refused("the proxy must name you in its header, and once only");
    };
    let is_name = |value: &&str| {
        !value.is_empty()
            && value.len() <= LONGEST_NAME
            && value.bytes().all(|byte| matches!(byte, b'!'..=b'~' | b' '))
    };
    match value.to_str().ok().filter(is_name) {
        Some(value) => Verdict::Welcome(Who(value.to_owned())),
        None => Verdict::Refused(
            "the name that the proxy gave for you is empty, too long, or has characters that are not allowed",
        ),
    }
}

/// Whether the page was asked for by an address of this machine, and not by a name that another has made lead here.
fn is_for_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = header(headers, HOST.as_str()) else { return false };
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Compares digests, so that how long it takes tells nothing of where they differ.
fn is_same(one: &str, other: &str) -> bool {
    Sha256::digest(one) == Sha256::digest(other)
}

fn digest(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads the token; makes a new one if there is no file. Only root may read it.
pub fn read_token(path: &Path, new: &str) -> anyhow::Result<String> {
    let cannot = || format!("cannot use the token in {}", path.display());
    let make = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match make() {
        Ok(mut file) => file.write_all(format!("{new}\n").as_bytes()).with_context(cannot)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        // A unit may have no right to make it, and it is there.
        Err(_) if path.exists() => {}
        Err(error) => return Err(error).with_context(cannot),
    }
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).with_context(cannot)?;
    let metadata: fs::Metadata = file.metadata().with_context(cannot)?;
    if !metadata.is_file() || metadata.mode() & 0o077 != 0 {
        bail!("{} must be a file that only its owner can read: chmod 600 it", path.display());
    }
    let mut text = String::new();
    file.take(4_096).read_to_string(&mut text).with_context(cannot)?;
    let token = text.trim();
    if token.len() < SHORTEST_TOKEN {
        bail!(
            "the token in {} has fewer than {SHORTEST_TOKEN} characters: remove the file, and a new one is made",
            path.display()
        );
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const LOCAL: Peer = Peer::Network(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn token_door() -> Door {
        Door::new(Entrance::Token, Some("0123456789abcdef".to_owned()), [7; 32])
    }

    #[test]
    fn the_token_is_asked_for_by_a_local_name_only() {
        let door = token_door();
        let session = format!("a=b; {COOKIE_NAME}={}", door.session());
        let welcome = |list: &[(&'static str, &str)]| {
            matches!(door.verdict(&LOCAL, &headers(list)), Verdict::Welcome(_))
        };
        for host in ["127.0.0.1:8040", "localhost:1", "LOCALHOST", "[::1]:8040", "127.9.9.9"] {
            assert!(welcome(&[("host", host), ("authorization", "Bearer 0123456789abcdef")]), "{host}");
            assert!(welcome(&[("host", host), ("cookie", &session)]), "{host}");
        }
        for (what, list) in [
            ("nothing", vec![("host", "localhost")]),
            ("another token", vec![("host", "localhost"), ("authorization", "Bearer 0123456789abcdeg")]),
            (
                "the token as a cookie",
                vec![("host", "localhost"), ("cookie", "ghost_console=0123456789abcdef")],
            ),
            ("a name that leads here", vec![("host", "evil.example"), ("cookie", &session)]),
            ("a name that begins like ours", vec![("host", "localhost.evil.example"), ("cookie", &session)]),
            ("no name", vec![("cookie", &session)]),
        ] {
            assert!(!welcome(&list), "{what}");
        }
        let right = headers(&[("host", "localhost"), ("cookie", &session)]);
        let other = Peer::Network([192, 168, 7, 2].into());
        assert!(matches!(door.verdict(&other, &right), Verdict::Refused(_)));
    }

    #[test]
    fn by_tls_the_token_counts_from_anywhere_and_a_certificate_only_where_they_are_asked_for() {
        let far = Peer::Network([192, 168, 7, 2].into());
        let certified = Peer::Certified([192, 168, 7, 2].into(), "AB:CD".to_owned());
        let by_token = Door::new(Entrance::TokenByTls, Some("0123456789abcdef".to_owned()), [7; 32]);
        let shown = headers(&[("host", "boot.example"), ("authorization", "Bearer 0123456789abcdef")]);
        assert!(matches!(by_token.verdict(&far, &shown), Verdict::Welcome(_)));
        assert_eq!(by_token.verdict(&far, &headers(&[])), Verdict::ShowsNoToken);
        let by_certificate = Door::new(Entrance::Certificate, None, [7; 32]);
        let who = Who("the holder of certificate AB:CD at 192.168.7.2".to_owned());
        assert_eq!(by_certificate.verdict(&certified, &headers(&[])), Verdict::Welcome(who));
        assert!(matches!(by_certificate.verdict(&far, &shown), Verdict::Refused(_)));
    }

    #[test]
    fn a_proxys_word_counts_from_its_address_only_and_only_once() {
        let from = Some([192, 168, 7, 9].into());
        let door = Door::new(Entrance::Proxy { from, header: "x-user".to_owned() }, None, [0; 32]);
        let proxy = Peer::Network([192, 168, 7, 9].into());
        let said = headers(&[("x-user", "anna")]);
        assert_eq!(door.verdict(&proxy, &said), Verdict::Welcome(Who("anna".to_owned())));
        for (peer, list) in [
            (Peer::Network([192, 168, 7, 8].into()), said.clone()),
            (LOCAL, said.clone()),
            (Peer::User(0), said.clone()),
            (proxy.clone(), headers(&[])),
            (proxy.clone(), headers(&[("x-user", "")])),
            (proxy.clone(), headers(&[("x-user", "anna"), ("x-user", "root")])),
            (proxy, headers(&[("x-user", "an\tna")])),
        ] {
            assert!(matches!(door.verdict(&peer, &list), Verdict::Refused(_)), "{peer:?} {list:?}");
        }
    }

    #[test]
    fn a_form_is_for_one_person_and_from_a_page_of_ours() {
        let door = token_door();
        let (anna, ben) = (Who("anna".to_owned()), Who("ben".to_owned()));
        let word = door.form_word(&anna);
        assert!(door.is_our_form(&anna, &word, &headers(&[])));
        assert!(door.is_our_form(&anna, &word, &headers(&[("sec-fetch-site", "same-origin")])));
        assert!(!door.is_our_form(&anna, &word, &headers(&[("sec-fetch-site", "cross-site")])));
        assert!(!door.is_our_form(&ben, &word, &headers(&[])) && !door.is_our_form(&anna, "", &headers(&[])));
        let after_a_restart = Door::new(Entrance::Token, None, [8; 32]);
        assert!(!after_a_restart.is_our_form(&anna, &word, &headers(&[])));
    }

    #[test]
    fn a_token_is_made_once_and_is_nobody_elses_to_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert_eq!(read_token(&path, "0123456789abcdef").unwrap(), "0123456789abcdef");
        assert_eq!(read_token(&path, "another-one-of-16").unwrap(), "0123456789abcdef");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read_token(&path, "x").unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short\n").unwrap();
        assert!(read_token(&path, "x").unwrap_err().to_string().contains("fewer than 16"));
    }
}
