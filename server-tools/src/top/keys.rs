//! Keys, from the bytes that a terminal sends for them. Pure.

/// No sequence is longer.
const LONGEST: usize = 8;
const ESCAPE: u8 = 0x1b;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Letter(char),
}

/// What has come of a sequence that is not complete yet.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    begun: Vec<u8>,
}

impl Keys {
    /// The keys that are complete with these bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Vec<Key> {
        bytes.iter().filter_map(|byte| self.next(*byte)).collect()
    }

    /// Whether the next bytes tell which key it was.
    pub(crate) const fn is_within(&self) -> bool {
        !self.begun.is_empty()
    }

    /// No more has come for a while: a lone Escape is the key itself.
    pub(crate) fn give_up(&mut self) -> Option<Key> {
        (std::mem::take(&mut self.begun) == [ESCAPE]).then_some(Key::Escape)
    }

    fn next(&mut self, byte: u8) -> Option<Key> {
        if self.begun.is_empty() {
            return match byte {
                ESCAPE => {
                    self.begun.push(byte);
                    None
                }
                b'\r' | b'\n' => Some(Key::Enter),
                b' '..=b'~' => Some(Key::Letter(char::from(byte))),
                _ => None,
            };
        }
        self.begun.push(byte);
        let sequence = self.begun.as_slice();
        // ESC, an introducer, numbers, and one byte that ends it (ECMA-48).
        let is_over = match sequence {
            [ESCAPE, b'[' | b'O'] => false,
            [ESCAPE, b'[' | b'O', .., last] => matches!(last, 0x40..=0x7e),
            _ => true,
        };
        if !is_over && sequence.len() < LONGEST {
            return None;
        }
        let key = key(sequence);
        self.begun.clear();
        key
    }
}

fn key(sequence: &[u8]) -> Option<Key> {
    match sequence {
        [ESCAPE, ESCAPE] => Some(Key::Escape),
        [ESCAPE, b'[' | b'O', rest @ ..] => match rest {
            b"A" => Some(Key::Up),
            b"B" => Some(Key::Down),
            b"H" | b"1~" | b"7~" => Some(Key::Home),
            b"F" | b"4~" | b"8~" => Some(Key::End),
            b"5~" => Some(Key::PageUp),
            b"6~" => Some(Key::PageDown),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_however_their_bytes_arrive() {
        let bytes = b"qj\r\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[H\x1b[4~c\x1b[1;5Cy\x1b[200~";
        let expected = [
            Key::Letter('q'),
            Key::Letter('j'),
            Key::Enter,
            Key::Up,
            Key::Down,
            Key::PageUp,
            Key::PageDown,
            Key::Home,
            Key::End,
            Key::Letter('c'),
            Key::Letter('y'),
        ];
        assert_eq!(Keys::default().take(bytes), expected);
        let mut keys = Keys::default();
        let one_by_one: Vec<Key> = bytes.iter().flat_map(|byte| keys.take(&[*byte])).collect();
        assert_eq!(one_by_one, expected);
        assert!(!keys.is_within());
    }

    #[test]
    fn a_lone_escape_is_a_key_once_nothing_follows() {
        let mut keys = Keys::default();
        assert_eq!(keys.take(b"\x1b"), []);
        assert!(keys.is_within());
        assert_eq!(keys.give_up(), Some(Key::Escape));
        assert_eq!(keys.take(b"\x1b["), []);
        assert_eq!(keys.give_up(), None, "half a sequence is no key");
        assert_eq!(keys.take(b"q"), [Key::Letter('q')]);
    }

    #[test]
    fn a_sequence_without_an_end_swallows_no_more_than_a_few_keys() {
        let mut keys = Keys::default();
        assert_eq!(keys.take(b"\x1b[000000q"), [Key::Letter('q')]);
    }
}
