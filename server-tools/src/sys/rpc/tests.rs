use super::*;
use std::net::{Ipv4Addr, TcpListener};

const LONG: Duration = Duration::from_secs(20);
const NFS: Program = Program { number: 100_003, version: 3 };

/// What a server makes of a call: the call's words after the record mark in, the whole answer out.
pub(crate) type Answer = Box<dyn Fn(&[u32]) -> Vec<u8> + Send>;

/// Serves calls on a port of its own until the process ends.
pub(crate) fn server(answer: Answer) -> SocketAddr {
    let listening = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = listening.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listening.incoming() {
            let mut stream = stream.unwrap();
            let mut mark = [0; 4];
            stream.read_exact(&mut mark).unwrap();
            let mut words = vec![0; usize::try_from(u32::from_be_bytes(mark) & !LAST_FRAGMENT).unwrap()];
            stream.read_exact(&mut words).unwrap();
            let words: Vec<u32> =
                words.chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect();
            // A caller that has heard enough may be gone.
            let _gone = stream.write_all(&answer(&words));
        }
    });
    at
}

/// An answer in one fragment: the head of an accepted call that was done, and the result.
pub(crate) fn done(result: &[u8]) -> Vec<u8> {
    fragment(true, &[&xdr(&[TRANSACTION, REPLY, ACCEPTED, 0, 0, 0]), result].concat())
}

/// Why a call was not done.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refusal {
    /// This version of the program is not served, but one to three (PROG_MISMATCH).
    Version,
    /// The server does not know the caller (AUTH_ERROR, AUTH_BADCRED).
    Caller,
}

pub(crate) fn refused(why: Refusal) -> Vec<u8> {
    let words: &[u32] = match why {
        Refusal::Version => &[TRANSACTION, REPLY, ACCEPTED, 0, 0, 2, 1, 3],
        Refusal::Caller => &[TRANSACTION, REPLY, 1, AUTH_ERROR, 1],
    };
    fragment(true, &xdr(words))
}

pub(crate) fn xdr(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn fragment(last: bool, bytes: &[u8]) -> Vec<u8> {
    let mark = u32::try_from(bytes.len()).unwrap() | if last { LAST_FRAGMENT } else { 0 };
    [&mark.to_be_bytes()[..], bytes].concat()
}

#[test]
fn a_null_call_is_forty_bytes_and_has_an_empty_result() {
    let at = server(Box::new(|words| {
        assert_eq!(words, [TRANSACTION, 0, 2, 100_003, 3, 0, 0, 0, 0, 0]);
        done(b"")
    }));
    assert_eq!(call(at, NFS, NULL, &[], LONG).unwrap(), b"");
}

#[test]
fn a_reply_in_pieces_is_put_together() {
    let at = server(Box::new(|_| {
        let whole = [&xdr(&[TRANSACTION, REPLY, ACCEPTED, 0, 0, 0]), &xdr(&[2049])[..]].concat();
        [fragment(false, &whole[..10]), fragment(false, b""), fragment(true, &whole[10..])].concat()
    }));
    assert_eq!(call(at, NFS, 3, &[1, 2], LONG).unwrap(), xdr(&[2049]));
}

#[test]
fn a_program_that_is_not_served_is_said_to_be_so() {
    for refusal in [[ACCEPTED, 0, 0, 1], [1, 0, 2, 2]] {
        let words = [&[TRANSACTION, REPLY][..], &refusal].concat();
        let at = server(Box::new(move |_| fragment(true, &xdr(&words))));
        let error = call(at, NFS, NULL, &[], LONG).unwrap_err();
        assert!(error.to_string().contains(" does not serve program "), "{error}");
    }
}

#[test]
fn a_caller_who_is_not_served_is_told_so() {
    let at = server(Box::new(|_| refused(Refusal::Caller)));
    assert_eq!(call_if_let(at, NFS, NULL, &[], LONG).unwrap(), None);
    let error = call(at, NFS, NULL, &[], LONG).unwrap_err();
    assert!(error.to_string().ends_with(" refuses to answer this machine"), "{error}");
}

#[test]
fn what_is_no_reply_is_not_taken_for_one() {
    for reply in [xdr(&[TRANSACTION + 1, REPLY, 0, 0, 0, 0]), xdr(&[TRANSACTION]), vec![]] {
        let at = server(Box::new(move |_| fragment(true, &reply)));
        let error = call(at, NFS, NULL, &[], LONG).unwrap_err();
        assert!(error.to_string().ends_with("does not answer as an RPC server does"), "{error}");
    }
}

#[test]
fn a_reply_that_never_ends_is_not_waited_for() {
    let at = server(Box::new(|_| fragment(false, &vec![0; LARGEST_REPLY]).repeat(3)));
    let error = call(at, NFS, NULL, &[], LONG).unwrap_err();
    assert!(error.to_string().starts_with("cannot reach "), "{error}");
}

#[test]
fn silence_has_an_end() {
    let listening = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = listening.local_addr().unwrap();
    let error = call(at, NFS, NULL, &[], Duration::from_millis(50)).unwrap_err();
    assert!(error.to_string().starts_with("cannot reach "), "{error}");
}

#[test]
fn a_string_is_padded_to_four_bytes() {
    let encoded = [&xdr(&[5])[..], b"/data\0\0\0rest"].concat();
    assert_eq!(string(&encoded), Some((&b"/data"[..], &b"rest"[..])));
    assert_eq!(string(&xdr(&[u32::MAX])), None);
    assert_eq!(string(b"\0\0\0\x05/dat"), None);
}
