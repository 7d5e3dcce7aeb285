//! A file system that does not answer any more.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::boot_server::{BootServer, said, wait_until};

/// A file system over a folder, of a server that never answers: whoever looks into it waits until this is dropped.
struct Dead {
    folder: PathBuf,
    server: Child,
}

impl Dead {
    fn over(folder: &Path) -> Self {
        let script = "exec 3<>/dev/fuse
            mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 dead \"$1\"
            exec sleep 600";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(folder).stdout(Stdio::null()).stderr(Stdio::null());
        let dead = Self { folder: folder.to_owned(), server: command.spawn().unwrap() };
        let is_mounted =
            || std::fs::read_to_string("/proc/self/mounts").unwrap().contains(&folder.display().to_string());
        wait_until("it is mounted", is_mounted);
        dead
    }
}

impl Drop for Dead {
    fn drop(&mut self) {
        // Without its server the kernel tells those who wait that it is not connected.
        let _gone = self.server.kill();
        let _status = self.server.wait();
        let _unmounted = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}

#[test]
fn an_entry_is_put_back_though_the_base_root_does_not_answer_any_more() {
    let server = BootServer::with_hosts(2);
    server.set("UP_DEADLINE", "15");
    let before = server.configured();
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    let dead = Dead::over(&server.path("base"));
    wait_until("its own file is offered", || server.configured() == before && server.serves(&before));
    drop(dead);
    let output = running.wait_with_output().unwrap();
    assert!(said(&output).contains("ghostctl stands still"), "{}", said(&output));
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
    assert!(server.configured() == before && server.serves(&before) && server.journal().is_empty());
}
