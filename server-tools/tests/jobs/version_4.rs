//! A boot server whose own NFS server, Linux', serves version 4 alone (`vers3=n` in /etc/nfs.conf, no portmapper): nobody can ask its mountd.

use std::fs;
use std::process::{Command, Output};

use ghost_contract::sample::effects::write_program;

use super::boot_server::{BootServer, said};
use super::client::{Behaviour, Client};
use super::exported::for_jobs;

/// Puts into the places where the kernel and exportfs(8) have them how many threads serve, and what they were told to export.
const IN_THEIR_PLACES: &str = "set -e
mount -t tmpfs tmpfs /proc/fs; mkdir /proc/fs/nfsd; echo 8 >/proc/fs/nfsd/threads
mount -t tmpfs tmpfs /var/lib; mkdir /var/lib/nfs; ln -s FOLDER/etab /var/lib/nfs/
exec \"$@\"";
const EXPORTFS: &str = "#!/bin/sh
tab='\t'
case $1 in
-o) echo \"${3#*:}$tab${3%%:*}($2)\" >>FOLDER/etab ;;
-u) grep -vF \"${2#*:}$tab${2%%:*}(\" FOLDER/etab >FOLDER/etab.new; mv FOLDER/etab.new FOLDER/etab ;;
esac
";

fn run(server: &BootServer, words: &[&str]) -> Output {
    let called = server.command(words);
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &of(server, IN_THEIR_PLACES), "sh"]);
    command.arg(called.get_program()).args(called.get_args());
    command.envs(called.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.output().unwrap()
}

fn of(server: &BootServer, text: &str) -> String {
    text.replace("FOLDER", server.path("").to_str().unwrap().trim_end_matches('/'))
}

#[test]
fn what_a_job_exports_is_seen_without_mountd() {
    let server = BootServer::with_hosts(1);
    for_jobs(&server);
    write_program(&server.path("bin/exportfs"), &of(&server, EXPORTFS));
    let always = of(&server, "FOLDER/base\t192.168.7.0/24(ro,no_root_squash,subtree_check)\n");
    fs::write(server.path("etab"), &always).unwrap();
    server.set("NFSVERSION", "4.1");
    // Where nobody listens.
    server.set("MOUNTDPORT", "1");
    let client = Client::off(&server, 2, Behaviour::Succeeds);
    let output = run(&server, &["backup", "pc2"]);
    drop(client);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(fs::read_to_string(server.path("etab")).unwrap(), always);
    let doctor = said(&run(&server, &["doctor"]));
    assert!(!doctor.contains("what is exported cannot be told"), "{doctor}");
    assert!(doctor.contains("good     NFS export: "), "{doctor}");
}
