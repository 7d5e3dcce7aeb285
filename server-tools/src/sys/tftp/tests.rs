use super::*;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

const LONG: Duration = Duration::from_secs(20);

/// Answers each question with the next packet, from a port of its own; an empty one is silence.
fn server(answers: &'static [&'static [u8]]) -> SocketAddr {
    let listening = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listening.set_read_timeout(Some(LONG)).unwrap();
    let at = listening.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut question = [0; 600];
        for answer in answers {
            let (length, from) = listening.recv_from(&mut question).unwrap();
            assert_eq!(&question[..length], b"\0\x01pxelinux.0\0octet\0");
            if !answer.is_empty() {
                let own = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                own.send_to(answer, from).unwrap();
            }
        }
    });
    at
}

#[test]
fn the_first_block_is_what_the_server_sends() {
    let at = server(&[b"\0\x03\0\x01boot"]);
    assert_eq!(first_block(at, "pxelinux.0", LONG).unwrap(), b"boot");
}

#[test]
fn a_lost_question_is_asked_again() {
    let at = server(&[b"", b"\0\x03\0\x01boot"]);
    assert_eq!(first_block(at, "pxelinux.0", LONG).unwrap(), b"boot");
}

#[test]
fn a_refusal_is_told_in_the_servers_words() {
    let at = server(&[b"\0\x05\0\x01File not found\0"]);
    let error = first_block(at, "pxelinux.0", LONG).unwrap_err();
    assert!(error.to_string().ends_with("refuses: File not found"), "{error}");
}

#[test]
fn silence_has_an_end() {
    let at = server(&[b"", b"", b"", b""]);
    let error = first_block(at, "pxelinux.0", Duration::from_millis(80)).unwrap_err();
    assert!(error.to_string().starts_with("no answer from "), "{error}");
}

#[test]
fn what_is_neither_block_nor_error_is_passed_over() {
    for packet in [&b""[..], b"\0", b"\0\x03\0\x02late", b"\0\x05\0"] {
        assert_eq!(read(packet), None, "{packet:?}");
    }
}

/// Ends the server with the test, however it ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn debians_server_answers() {
    let server = std::path::Path::new("/usr/sbin/in.tftpd");
    if !server.exists() || !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    std::fs::write(folder.path().join("pxelinux.0"), [7; 1000]).unwrap();
    // No other test has a port of this address.
    let at = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 69), 0)).unwrap().local_addr().unwrap();
    let child = Command::new(server)
        .args(["-L", "-s", "-a", &at.to_string()])
        .arg(folder.path())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let _ended = Ended(child);
    assert_eq!(first_block(at, "pxelinux.0", LONG).unwrap(), [7; 512]);
    let error = first_block(at, "nobackup", LONG).unwrap_err();
    assert!(error.to_string().contains(" refuses: "), "{error}");
}
