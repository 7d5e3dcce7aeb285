//! Asks a proxyDHCP server of this machine, and waits for its answer.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use super::clock;

/// Where proxies are asked (PXE 2.1 §2.2.5).
const PORT: u16 = 4011;
/// How often the question is asked again.
const ASK_EVERY: Duration = Duration::from_millis(300);

/// What `understand` makes of the first answer that means something; none if none comes in time.
pub(crate) fn ask<T>(
    server: Ipv4Addr,
    question: &[u8],
    patience: Duration,
    understand: impl Fn(&[u8]) -> Option<T>,
) -> io::Result<Option<T>> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect((server, PORT))?;
    let deadline = clock::uptime() + patience;
    let (mut buffer, mut ask_at) = ([0; 2048], Duration::ZERO);
    loop {
        let now = clock::uptime();
        if now >= deadline {
            return Ok(None);
        }
        if now >= ask_at {
            ask_at = now + ASK_EVERY;
            passing(socket.send(question).map(drop))?;
        }
        socket.set_read_timeout(Some(ask_at.min(deadline).saturating_sub(now)))?;
        match socket.recv(&mut buffer) {
            Ok(length) => {
                if let Some(understood) = understand(&buffer[..length]) {
                    return Ok(Some(understood));
                }
            }
            Err(error) => passing(Err(error))?,
        }
    }
}

/// What passes. A port that is closed is opened again: the proxy may just be restarted.
fn passing(result: io::Result<()>) -> io::Result<()> {
    use io::ErrorKind::{ConnectionRefused, Interrupted, WouldBlock};
    result.or_else(|error| match error.kind() {
        ConnectionRefused | Interrupted | WouldBlock => Ok(()),
        _ => Err(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address of its own, so that no other test has the port.
    const OWN: Ipv4Addr = Ipv4Addr::new(127, 40, 11, 1);
    const PATIENCE: Duration = Duration::from_secs(180);

    #[test]
    fn what_means_nothing_is_passed_over_and_the_answer_taken() {
        let proxy = UdpSocket::bind((OWN, PORT)).unwrap();
        let answers = std::thread::spawn(move || {
            let mut question = [0; 16];
            let (length, from) = proxy.recv_from(&mut question).unwrap();
            assert_eq!(&question[..length], b"which?");
            proxy.send_to(b"another", from).unwrap();
            proxy.send_to(b"file", from).unwrap();
        });
        let understand = |answer: &[u8]| (answer == b"file").then_some(());
        assert_eq!(ask(OWN, b"which?", PATIENCE, understand).unwrap(), Some(()));
        answers.join().unwrap();
    }

    #[test]
    fn one_that_is_just_restarted_is_asked_again() {
        let nobody = Ipv4Addr::new(127, 40, 11, 2);
        let answered = ask(nobody, b"which?", Duration::from_millis(10), |_| Some(()));
        assert_eq!(answered.unwrap(), None, "the port is closed now, and may be open in a moment");
        assert!(passing(Err(io::ErrorKind::PermissionDenied.into())).is_err());
    }
}
