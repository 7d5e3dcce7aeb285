//! Asks an HTTP server for the beginning of a file, as a boot loader does (RFC 1945: HTTP/1.0, which every server answers).

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// The port of HTTP (RFC 1945 §3.2.2).
pub(crate) const PORT: u16 = 80;
/// More than the headers of any server, and what is asked for behind them.
const MOST: usize = 64 << 10;
const END_OF_HEADERS: &[u8] = b"\r\n\r\n";

/// The first bytes of a file: so many, or all if there are fewer.
pub(crate) fn first_bytes(
    at: SocketAddr,
    file: &str,
    bytes: usize,
    deadline: Duration,
) -> anyhow::Result<Vec<u8>> {
    let asking = || format!("cannot ask the HTTP server at {at}");
    let answer = ask(at, file, bytes, deadline).with_context(asking)?;
    let status = status(&answer);
    let Some(body) = body(&answer).filter(|_| status == Some(200)) else {
        let said = String::from_utf8_lossy(answer.split(|byte| *byte == b'\r').next().unwrap_or_default());
        bail!("the HTTP server at {at} does not give {file}: {}", said.replace(char::is_control, " "));
    };
    Ok(body.get(..bytes).unwrap_or(body).to_owned())
}

/// What the server sends until there is enough of it.
fn ask(at: SocketAddr, file: &str, bytes: usize, deadline: Duration) -> io::Result<Vec<u8>> {
    let started = Instant::now();
    let left = || match deadline.saturating_sub(started.elapsed()) {
        Duration::ZERO => Err(io::Error::from(io::ErrorKind::TimedOut)),
        left => Ok(left),
    };
    let mut line = TcpStream::connect_timeout(&at, left()?)?;
    line.set_write_timeout(Some(left()?))?;
    let path = file.trim_start_matches('/');
    line.write_all(format!("GET /{path} HTTP/1.0\r\nHost: {}\r\n\r\n", at.ip()).as_bytes())?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while answer.len() < MOST && body(&answer).is_none_or(|body| body.len() < bytes) {
        line.set_read_timeout(Some(left()?))?;
        match line.read(&mut buffer)? {
            0 => break,
            length => answer.extend(buffer.iter().take(length)),
        }
    }
    Ok(answer)
}

/// `200` of `HTTP/1.1 200 OK`.
fn status(answer: &[u8]) -> Option<u16> {
    let line = String::from_utf8_lossy(answer.split(|byte| *byte == b'\r').next()?);
    line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

fn body(answer: &[u8]) -> Option<&[u8]> {
    let end = answer.windows(END_OF_HEADERS.len()).position(|window| window == END_OF_HEADERS)?;
    answer.get(end + END_OF_HEADERS.len()..)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What is asked of a server that answers so, and what comes of it.
    fn asked(answer: &'static [u8]) -> (String, Result<Vec<u8>, String>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let at = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut line, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(END_OF_HEADERS) {
                let mut byte = [0];
                line.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            // Whoever has enough hangs up.
            let _sent = line.write_all(answer);
            String::from_utf8(request).unwrap()
        });
        let got =
            first_bytes(at, "/vmlinuz", 4, Duration::from_secs(60)).map_err(|error| format!("{error:#}"));
        (server.join().unwrap(), got)
    }

    #[test]
    fn the_first_bytes_of_a_file_are_those_behind_the_headers() {
        let (request, got) = asked(b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nMZ\0\0 and more");
        assert!(request.starts_with("GET /vmlinuz HTTP/1.0\r\nHost: 127.0.0.1\r\n"), "{request}");
        assert_eq!(got.unwrap(), b"MZ\0\0");
        assert_eq!(asked(b"HTTP/1.0 200 OK\r\n\r\nMZ").1.unwrap(), b"MZ", "it is shorter");
    }

    #[test]
    fn what_is_no_file_is_an_error_in_the_servers_words() {
        let missing = asked(b"HTTP/1.0 404 Not Found\r\n\r\nsorry").1.unwrap_err();
        assert!(missing.ends_with("does not give /vmlinuz: HTTP/1.0 404 Not Found"), "{missing}");
        let other = asked(b"SSH-2.0-x\x1b[2J\r\n").1.unwrap_err();
        assert!(other.ends_with("does not give /vmlinuz: SSH-2.0-x [2J"), "{other}");
        assert!(asked(b"").1.is_err());
    }

    #[test]
    fn where_nothing_listens_it_is_said_who_was_asked() {
        let nothing = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let error = first_bytes(nothing, "x", 4, Duration::from_secs(60)).unwrap_err().to_string();
        assert_eq!(error, format!("cannot ask the HTTP server at {nothing}"));
    }
}
