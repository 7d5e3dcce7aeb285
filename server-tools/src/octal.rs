//! Paths in tables of the system, in which blanks and their like stand as a backslash and three octal digits (proc(5), exports(5)). Pure.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

/// The path that is written so. What is no such number stands for itself.
pub(crate) fn unescaped(mut word: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(word.len());
    while let Some((first, rest)) = word.split_first() {
        let octal =
            rest.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                word = &rest[3..];
            }
            None => {
                bytes.push(*first);
                word = rest;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}
