//! The unit that the package brings.

use std::path::Path;
use std::process::Command;

#[test]
fn systemd_accepts_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_ghost-console"));
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/ghost4linux-console.service");
    let text = std::fs::read_to_string(unit).unwrap();
    let text = text.replace("@SBINDIR@", program.parent().unwrap().to_str().unwrap());
    let path = folder.path().join("ghost4linux-console.service");
    std::fs::write(&path, text).unwrap();
    let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
