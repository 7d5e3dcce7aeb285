//! Started by hand on a running machine, the program must do nothing to it.

use std::io;
use std::process::{Command, Output};

fn ghost_init(arguments: &[&str]) -> io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_ghost-init")).args(arguments).output()
}

#[test]
fn it_refuses_to_run_where_it_is_not_pid_one() {
    for arguments in [&[][..], &["ghost.mode=test"], &["--poweroff"]] {
        let output = ghost_init(arguments).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("not PID 1"), "{output:?}");
    }
}

#[test]
fn it_says_what_it_is() {
    let version = ghost_init(&["--version"]).unwrap();
    assert!(version.status.success());
    assert_eq!(
        String::from_utf8_lossy(&version.stdout),
        concat!("ghost-init ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert!(String::from_utf8_lossy(&ghost_init(&["--help"]).unwrap().stdout).contains("ghost.delay"));
}
