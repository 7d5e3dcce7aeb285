//! Given a program in the place of partclone.chkimg that is as hostile as one that a client's image has taken over, what can it do
//! on the boot server?

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use ghost_contract::sample::effects::write_program;

use super::boot_server::{BootServer, said};
use super::saved_disk::SavedDisk;

const GENERATION: &str = "20260123-142501-4f3a";
/// What the processes are called that it leaves behind.
const LEFT: &str = "left-behind-by-a-hostile-stand-in";
/// All that it tries.
const ATTACKS: &str = "read-a-secret listed-a-folder wrote-a-file changed-the-image opened-a-socket mapped-8-GiB is-root \
                       forked-100-times made-a-namespace";

/// Tries everything, says what worked, and fails.
const HOSTILE: &str = r#"#!/usr/bin/perl
# A hostile stand-in for partclone.chkimg.
use Socket;
push @did, 'read-a-secret' if open($f, '<', 'PLACE/secret');
push @did, 'listed-a-folder' if opendir($d, 'PLACE');
push @did, 'wrote-a-file' if open($f, '>', 'PLACE/written') || open($f, '>', '/tmp/written-by-a-hostile-stand-in');
push @did, 'changed-the-image' if open($f, '>>', 'PLACE/store/pc2/GENERATION/disk0/disk.json');
push @did, 'opened-a-socket' if socket($s, PF_INET, SOCK_STREAM, 0);
push @did, 'mapped-8-GiB' if syscall(9, 0, 8 << 30, 3, 0x4022, -1, 0) != -1;
$root = $> == 0;
push @did, 'is-root' if $root;
for (1 .. 100) {
    $child = fork;
    last unless defined $child;
    if ($child) { push @children, $child; next }
    $0 = 'LEFT';
    close STDIN;
    close STDERR;
    close STDOUT;
    sleep 600;
    exit;
}
push @did, 'forked-100-times' if @children == 100;
if ($root) { kill 'KILL', @children; waitpid($_, 0) for @children }
push @did, 'made-a-namespace' if syscall(272, 0x10000000) == 0;
print STDERR 'it did: ', join(' ', @did), "\n";
exit 3;
"#;

/// A boot server with a generation, and a folder with the hostile program in it that everybody may run.
struct Attacked {
    server: BootServer,
    tools: tempfile::TempDir,
}

impl Attacked {
    fn new() -> Self {
        let (server, tools) = (BootServer::with_hosts(1), tempfile::tempdir().unwrap());
        SavedDisk::get().put_generation(&server, GENERATION);
        fs::set_permissions(tools.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(server.path("secret"), "for root alone").unwrap();
        fs::set_permissions(server.path("secret"), fs::Permissions::from_mode(0o600)).unwrap();
        let place = server.path("");
        let program = HOSTILE.replace("PLACE", place.to_str().unwrap().trim_end_matches('/'));
        let program = program.replace("GENERATION", GENERATION).replace("LEFT", LEFT);
        write_program(&tools.path().join("partclone.chkimg"), &program);
        Self { server, tools }
    }

    fn tool(&self) -> PathBuf {
        self.tools.path().join("partclone.chkimg")
    }

    fn verify(&self) -> Output {
        let path = format!("{}:{}", self.tools.path().display(), std::env::var("PATH").unwrap());
        self.server.command(["images", "verify", "pc2", GENERATION]).env("PATH", path).output().unwrap()
    }
}

fn are_left() -> bool {
    let processes = fs::read_dir("/proc").unwrap();
    processes.filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok()).any(|line| {
        let line = String::from_utf8_lossy(&line).into_owned();
        line.starts_with(LEFT)
    })
}

#[test]
fn a_parser_that_a_client_has_taken_over_can_do_nothing_and_the_check_says_that_it_failed() {
    let attacked = Attacked::new();
    let unconfined = Command::new(attacked.tool()).output().unwrap();
    let words = String::from_utf8(unconfined.stderr).unwrap();
    assert_eq!(words.trim_end(), format!("it did: {ATTACKS}"), "as root it can do everything");
    fs::remove_file(attacked.server.path("written")).unwrap();
    let before =
        fs::read(attacked.server.path("store/pc2").join(GENERATION).join("disk0/disk.json")).unwrap();

    let output = attacked.verify();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let words = "partclone.chkimg failed (exit status: 3): it did:";
    let line = said(&output).lines().find(|line| line.contains(words)).map(str::to_owned);
    assert!(line.as_ref().is_some_and(|line| line.ends_with(words)), "{}", said(&output));
    assert!(!attacked.server.path("written").exists());
    let after = fs::read(attacked.server.path("store/pc2").join(GENERATION).join("disk0/disk.json")).unwrap();
    assert!(before == after);
    assert!(!are_left(), "no process outlives the check");

    fs::remove_file(attacked.tool()).unwrap();
    let output = attacked.verify();
    assert_eq!(output.status.code(), Some(0), "the generation is as good as before: {}", said(&output));
}
