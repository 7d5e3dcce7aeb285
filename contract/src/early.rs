//! What a client says before it can write its report, while it looks for its root: one datagram to the boot server, in the form of
//! syslog (RFC 3164), so that a server of that kind shows it too.
//!
//! Writer: the client. But anybody on the network can send the same, so that it is shown to people and decides nothing.

/// The UDP port that it is sent to (RFC 3164 §2).
pub const PORT: u16 = 514;
/// A warning of a system daemon: 8 × 3 + 4 (RFC 3164 §4.1.1).
const HEAD: &str = "<28>ghost-init: ";
/// How much is said and understood, bytes. It fits a frame.
const LONGEST: usize = 800;

/// The datagram that says these words. What is too long is cut.
pub fn datagram(words: &str) -> Vec<u8> {
    let end = (0..=LONGEST.min(words.len())).rev().find(|end| words.is_char_boundary(*end)).unwrap_or(0);
    format!("{HEAD}{}", words[..end].replace(char::is_control, " ")).into_bytes()
}

/// The words of a datagram, if it is one of a client's. Whoever shows them filters them.
pub fn words(datagram: &[u8]) -> Option<String> {
    let words = datagram.strip_prefix(HEAD.as_bytes())?;
    Some(String::from_utf8_lossy(&words[..words.len().min(LONGEST)]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let said = datagram("cannot mount 192.168.7.1:/srv/root\nyet");
        assert_eq!(said, b"<28>ghost-init: cannot mount 192.168.7.1:/srv/root yet");
        assert_eq!(words(&said).as_deref(), Some("cannot mount 192.168.7.1:/srv/root yet"));
    }

    #[test]
    fn what_is_long_is_cut_between_two_characters_on_both_sides() {
        let long = "a".to_owned() + &"ü".repeat(4_000);
        let said = datagram(&long);
        assert_eq!(said.len(), HEAD.len() + LONGEST - 1);
        assert_eq!(words(&said).unwrap(), long[..LONGEST - 1]);
        let hostile = [HEAD.as_bytes(), &[b'x'; 60_000]].concat();
        assert_eq!(words(&hostile).unwrap().len(), LONGEST);
    }

    #[test]
    fn what_other_programs_say_is_not_a_clients() {
        for other in [&b""[..], b"<28>ghost-init:", b"<13>root: ghost-init: hello", b"\xff\xff"] {
            assert_eq!(words(other), None, "{other:?}");
        }
        assert_eq!(words(b"<28>ghost-init: \xff").as_deref(), Some("\u{fffd}"));
    }
}
