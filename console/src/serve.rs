//! Takes connections, each with limits: how many, how long a request may take, how much it may send, how long it may let an
//! answer wait.

use std::net::IpAddr;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::door::Peer;
use crate::listen::Listener;
use crate::log;
use crate::patience::Patient;
use crate::room::{Room, machine};
use crate::tls;

/// After an error of the listener, such as no more descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// The limits of connections: how many there are, and how long each may wait.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// So many are open at the same time.
    pub connections: usize,
    /// So many of them are of one other machine. All users of this machine, and of a proxy, come from one address: they share all.
    pub share: usize,
    /// How long the beginning of TLS may take.
    pub handshake: Duration,
    /// How long the head of a request may take. One that has ended a request may wait so long with the next, too.
    pub head: Duration,
    /// How large the head of a request may be, bytes.
    pub largest_head: usize,
    /// How long a reader may take nothing of an answer.
    pub standstill: Duration,
    /// How long the other machine may acknowledge nothing of what it was sent.
    pub silence: Duration,
}

impl Limits {
    pub const USUAL: Self = Self {
        connections: 256,
        share: 64,
        handshake: Duration::from_secs(10),
        head: Duration::from_secs(10),
        largest_head: 16 << 10,
        standstill: Duration::from_secs(30),
        silence: Duration::from_secs(60),
    };
}

/// How connections are taken.
#[derive(Clone)]
pub struct Way {
    pub limits: Limits,
    /// All others are closed at once.
    pub only_from: Option<IpAddr>,
    pub tls: Option<TlsAcceptor>,
}

/// Serves until it is dropped.
pub async fn run(listener: Listener, router: Router, way: Way) {
    let room = Room::new(way.limits.connections, way.limits.share);
    loop {
        let Ok(free) = room.free().await else { return };
        let taken = match &listener {
            Listener::Network(listener) => listener.accept().await.map(|(stream, from)| {
                let address = from.ip().to_canonical();
                if way.only_from.is_some_and(|only| only != address) {
                    return;
                }
                if let Some(place) = room.give(free, way.shares(address)) {
                    let (router, way) = (router.clone(), way.clone());
                    tokio::spawn(async move {
                        from_network(stream, address, router, way).await;
                        drop(place);
                    });
                }
            }),
            Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| {
                let place = room.give(free, None);
                if let Ok(credentials) = stream.peer_cred() {
                    let (router, limits) = (router.clone(), way.limits);
                    tokio::spawn(async move {
                        let stream = Patient::new(stream, limits.standstill);
                        one(stream, Peer::User(credentials.uid()), router, limits).await;
                        drop(place);
                    });
                }
            }),
        };
        if let Err(error) = taken {
            log::line(&format!("a connection could not be taken: {error}"));
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Way {
    /// The machine whose share counts, if that can be told.
    fn shares(&self, address: IpAddr) -> Option<IpAddr> {
        (!address.is_loopback() && self.only_from.is_none()).then(|| machine(address))
    }
}

async fn from_network(stream: TcpStream, address: IpAddr, router: Router, way: Way) {
    // Otherwise the kernel would believe for a quarter of an hour in a machine that has gone.
    let silence = u32::try_from(way.limits.silence.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(&stream, silence) {
        return log::line(&format!("a connection could not be given its limits: {error}"));
    }
    let stream = Patient::new(stream, way.limits.standstill);
    let Some(acceptor) = way.tls else {
        return one(stream, Peer::Network(address), router, way.limits).await;
    };
    // One that speaks no TLS, or has no good certificate, is told so by TLS itself.
    let begun = tokio::time::timeout(way.limits.handshake, acceptor.accept(stream)).await;
    let Ok(Ok(stream)) = begun else { return };
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    let peer = match certificate {
        Some(certificate) => Peer::Certified(address, tls::fingerprint(certificate)),
        None => Peer::Network(address),
    };
    one(stream, peer, router, way.limits).await;
}

/// One connection, until it ends. Its errors are the reader's, who knows them.
async fn one<S>(stream: S, peer: Peer, router: Router, limits: Limits)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let routed = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer.clone());
        routed.call(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(limits.largest_head);
    let _ended = builder.serve_connection(TokioIo::new(stream), service).await;
}

#[cfg(test)]
mod tests;
