//! Asks a server by its control socket, a Unix socket on which one question gets one answer.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::clock;

/// No answer is longer; one of a hundred thousand hosts has some 50 MiB.
const LONGEST: usize = 256 << 20;

/// The answer, which ends when the server closes the socket.
pub(crate) fn ask(path: &Path, question: &[u8], patience: Duration) -> io::Result<Vec<u8>> {
    let deadline = clock::uptime() + patience;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // A server that is stuck leaves its queue full.
    set_socket_timeout(&socket, Timeout::Send, Some(patience))?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    let mut socket = UnixStream::from(socket);
    socket.write_all(question)?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 64 << 10]);
    loop {
        let left = deadline.saturating_sub(clock::uptime());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left))?;
        match socket.read(&mut buffer) {
            Ok(0) => return Ok(answer),
            Ok(_) if answer.len() >= LONGEST => return Err(io::ErrorKind::FileTooLarge.into()),
            Ok(length) => answer.extend(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    const PATIENCE: Duration = Duration::from_millis(200);

    #[test]
    fn the_whole_answer_is_read_and_a_stuck_server_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        assert_eq!(ask(&path, b"?", PATIENCE).unwrap_err().kind(), io::ErrorKind::NotFound);
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(ask(&path, b"?", PATIENCE).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let answers = std::thread::spawn(move || {
            let (_given_up, _) = listener.accept().unwrap();
            let (mut socket, _) = listener.accept().unwrap();
            let mut question = [0];
            socket.read_exact(&mut question).unwrap();
            socket.write_all(&vec![b'x'; 200_000]).unwrap();
        });
        assert_eq!(ask(&path, b"?", Duration::from_secs(60)).unwrap().len(), 200_000);
        answers.join().unwrap();
    }
}
