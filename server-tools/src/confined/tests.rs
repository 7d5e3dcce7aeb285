//! The walls, and that the parser is behind them.

use super::*;

/// Not a test when all are run: the parser of the others is this very program, which is told to run only this one.
#[test]
fn this_is_the_confined_process() {
    let is_ordinary = answer().is_none();
    assert!(is_ordinary || std::env::args().next().unwrap() == NAME);
}

#[test]
fn this_machine_lacks_nothing_or_says_what() {
    let lacks = Parser::own().lacks().unwrap();
    assert!(lacks.iter().all(|lack| lack.contains(": ") || lack.contains("run by root")), "{lacks:?}");
}

#[test]
fn no_two_questions_have_the_same_user() {
    let users: std::collections::BTreeSet<u32> = (0..64).map(|_| user()).collect();
    assert_eq!(users.len(), 64);
    assert!(users.iter().all(|user| (USERS..0x8000_0000).contains(user)), "{users:?}");
}
