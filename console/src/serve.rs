//! Takes connections, each with limits: how many, how long a request may take, how much it may send, how long it may let an
//! answer wait.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::door::Peer;
use crate::listen::Listener;
use crate::log;
use crate::patience::Patient;
use crate::tls;

/// So many connections are open at the same time.
const CONNECTIONS: usize = 256;
/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(10);
/// How large it may be, bytes.
const LARGEST_HEAD: usize = 16 << 10;
/// How long a reader may take nothing of an answer.
const STANDSTILL: Duration = Duration::from_secs(30);
/// After an error of the listener, such as no more descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// How long the beginning of TLS may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Serves until it is dropped. `only_from`: all others are closed at once.
pub async fn run(listener: Listener, router: Router, only_from: Option<IpAddr>, tls: Option<TlsAcceptor>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let taken = match &listener {
            Listener::Network(listener) => listener.accept().await.map(|(stream, from)| {
                let address = from.ip().to_canonical();
                if only_from.is_none_or(|only| only == address) {
                    let (router, tls) = (router.clone(), tls.clone());
                    tokio::spawn(async move {
                        from_network(stream, address, router, tls).await;
                        drop(place);
                    });
                }
            }),
            Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| {
                if let Ok(credentials) = stream.peer_cred() {
                    let router = router.clone();
                    tokio::spawn(async move {
                        let stream = Patient::new(stream, STANDSTILL);
                        one(stream, Peer::User(credentials.uid()), router).await;
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

async fn from_network(stream: TcpStream, address: IpAddr, router: Router, tls: Option<TlsAcceptor>) {
    let stream = Patient::new(stream, STANDSTILL);
    let Some(acceptor) = tls else { return one(stream, Peer::Network(address), router).await };
    // One that speaks no TLS, or has no good certificate, is told so by TLS itself.
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    let peer = match certificate {
        Some(certificate) => Peer::Certified(address, tls::fingerprint(certificate)),
        None => Peer::Network(address),
    };
    one(stream, peer, router).await;
}

/// One connection, until it ends. Its errors are the reader's, who knows them.
async fn one<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, peer: Peer, router: Router) {
    let routed = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer.clone());
        routed.call(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(LARGEST_HEAD);
    let _ended = builder.serve_connection(TokioIo::new(stream), service).await;
}
