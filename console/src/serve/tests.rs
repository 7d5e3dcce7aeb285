//! Each limit, with readers that would hold the console up for ever. The network is one of the test's own.

use std::future::Future;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use super::*;
use crate::listen;
use crate::tls::Files;

const CONSOLE: &str = "192.168.7.1";
const NEIGHBOUR: &str = "192.168.7.8";
const PROXY: &str = "192.168.7.9";
/// What is to happen has happened by then.
const PATIENCE: Duration = Duration::from_secs(180);
/// A limit that these tests do not reach.
const NEVER: Duration = Duration::from_secs(100_000);
const SOON: Duration = Duration::from_millis(200);
/// More than the kernel takes of an answer before the reader has read any of it.
const ENDLESS: usize = 64 << 20;
const ASKS: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

const PATIENT: Limits =
    Limits { handshake: NEVER, head: NEVER, standstill: NEVER, silence: NEVER, ..Limits::USUAL };

fn way(limits: Limits) -> Way {
    Way { limits, only_from: None, tls: None }
}

/// Runs this in a network of three machines, as the addresses of one.
fn in_a_network<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        ip(&["link", "set", "lo", "up"]);
        for address in [CONSOLE, NEIGHBOUR, PROXY] {
            ip(&["address", "add", &format!("{address}/24"), "dev", "lo"]);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test());
    });
    thread.join().unwrap();
}

fn ip(words: &[&str]) {
    assert!(Command::new("ip").args(words).status().unwrap().success(), "{words:?}");
}

/// A console that says "seen" at `/`, and too much at `/endless`. Where it is.
fn console(way: Way) -> SocketAddr {
    let router = Router::new()
        .route("/", get(|| async { "seen" }))
        .route("/endless", get(|| async { vec![b'x'; ENDLESS] }));
    let listener = listen::bind(&format!("{CONSOLE}:0").parse().unwrap(), None).unwrap();
    let listen::Place::Network(address) = listener.place().unwrap() else { panic!("no address") };
    tokio::spawn(run(listener, router, way));
    address
}

async fn connect(to: SocketAddr, from: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    timeout(PATIENCE, socket.connect(to)).await.unwrap().unwrap()
}

/// What comes until the console closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection may be reset instead of closed.
    let _ended = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("it is not closed");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a request is answered, on a connection that stays open.
async fn is_answered(stream: &mut TcpStream) -> bool {
    let (mut seen, mut some) = (Vec::new(), [0; 1024]);
    if stream.write_all(ASKS.as_bytes()).await.is_err() {
        return false;
    }
    while !seen.ends_with(b"seen") {
        match timeout(PATIENCE, stream.read(&mut some)).await.expect("no answer") {
            Ok(read @ 1..) => seen.extend(&some[..read]),
            _ => return false,
        }
    }
    true
}

#[test]
fn a_machine_has_its_share_of_the_connections_and_the_others_have_the_rest() {
    in_a_network(|| async {
        let to = console(way(Limits { connections: 4, share: 2, ..PATIENT }));
        let mut held = vec![connect(to, NEIGHBOUR).await, connect(to, NEIGHBOUR).await];
        assert!(is_answered(&mut held[0]).await && is_answered(&mut held[1]).await);
        assert_eq!(rest(&mut connect(to, NEIGHBOUR).await).await, "", "a third is closed at once");
        assert!(is_answered(&mut connect(to, PROXY).await).await, "another machine is served");
        drop(held);
        // The console may not have noticed yet that they have gone.
        let again = async { while !is_answered(&mut connect(to, NEIGHBOUR).await).await {} };
        timeout(PATIENCE, again).await.unwrap();
    });
}

#[test]
fn behind_a_proxy_its_address_has_no_share_and_no_other_address_gets_a_word() {
    in_a_network(|| async {
        let only_from = Some(PROXY.parse().unwrap());
        let to = console(Way { only_from, ..way(Limits { connections: 4, share: 1, ..PATIENT }) });
        for from in [NEIGHBOUR, CONSOLE] {
            let mut stream = connect(to, from).await;
            let _may_be_closed_already = stream.write_all(ASKS.as_bytes()).await;
            assert_eq!(rest(&mut stream).await, "", "{from}");
        }
        let mut held = [connect(to, PROXY).await, connect(to, PROXY).await];
        assert!(is_answered(&mut held[0]).await && is_answered(&mut held[1]).await);
    });
}

#[test]
fn who_says_nothing_or_never_ends_a_head_or_waits_with_the_next_one_is_closed() {
    in_a_network(|| async {
        let to = console(way(Limits { head: SOON, ..PATIENT }));
        for (said, answer) in [("", ""), ("GET / HTTP/1.1\r\nhost: x\r\nx-slow: ", ""), (ASKS, "seen")] {
            let mut stream = connect(to, NEIGHBOUR).await;
            stream.write_all(said.as_bytes()).await.unwrap();
            let rest = rest(&mut stream).await;
            assert!(
                rest.ends_with(answer) && !answer.is_empty() || !rest.contains("200 OK"),
                "{said:?}: {rest}"
            );
        }
    });
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    in_a_network(|| async {
        let to = console(way(Limits { largest_head: 16 << 10, ..PATIENT }));
        let mut stream = connect(to, NEIGHBOUR).await;
        let large = format!("GET / HTTP/1.1\r\nhost: x\r\nx-large: {}", "x".repeat(20 << 10));
        let _may_be_refused_already = stream.write_all(large.as_bytes()).await;
        assert!(rest(&mut stream).await.starts_with("HTTP/1.1 431"));
    });
}

#[test]
fn who_takes_nothing_of_an_answer_makes_room_for_another() {
    in_a_network(|| async {
        let to = console(way(Limits { connections: 1, standstill: SOON, ..PATIENT }));
        let mut held = connect(to, NEIGHBOUR).await;
        held.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(is_answered(&mut connect(to, PROXY).await).await);
        drop(held);
    });
}

#[test]
fn a_machine_that_has_gone_without_a_word_makes_room_for_another() {
    in_a_network(|| async {
        let to = console(way(Limits { connections: 1, silence: SOON, ..PATIENT }));
        let mut held = connect(to, NEIGHBOUR).await;
        assert!(is_answered(&mut held).await);
        // From here on nothing reaches it, and nothing comes from it.
        ip(&["route", "add", "blackhole", NEIGHBOUR, "table", "7"]);
        ip(&["rule", "add", "to", NEIGHBOUR, "table", "7", "priority", "0"]);
        ip(&["rule", "delete", "table", "local"]);
        ip(&["rule", "add", "table", "local", "priority", "1"]);
        held.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(is_answered(&mut connect(to, PROXY).await).await);
        drop(held);
    });
}

#[test]
fn who_does_not_begin_tls_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (certificate, key) = (path("pem"), path("key"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=x",
    ]);
    openssl.arg("-out").arg(&certificate).arg("-keyout").arg(&key);
    assert!(openssl.output().unwrap().status.success());
    let tls = Some(tls::acceptor(&Files { certificate, key, clients: None }).unwrap());
    in_a_network(|| async {
        let to = console(Way { tls, ..way(Limits { handshake: SOON, ..PATIENT }) });
        assert_eq!(rest(&mut connect(to, NEIGHBOUR).await).await, "");
        let mut plain = connect(to, NEIGHBOUR).await;
        plain.write_all(ASKS.as_bytes()).await.unwrap();
        assert!(!rest(&mut plain).await.contains("seen"));
    });
}
