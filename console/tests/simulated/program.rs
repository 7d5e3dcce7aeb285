//! `ghost-console` as a process.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ghost_contract::sample::effects::write_program;

/// A console that runs, until it is dropped.
pub(crate) struct Program {
    child: Child,
    /// `http://ADDRESS:PORT/`
    pub(crate) place: String,
    pub(crate) token: String,
}

/// What `ghostctl doctor` says on a boot server with little to mend.
const FINDINGS: &str = r#"{"check":"dhcpd.conf","state":"good","found":"/etc/dhcp/dhcpd.conf has 300 hosts, all with an address","mend":null}
{"check":"NFS exports","state":"good","found":"10.7.255.1:/srv/ghost is exported to 10.7.0.0/16","mend":null}
{"check":"image store","state":"warning","found":"81 GiB of 40 TiB are free, and the last night took 3.1 TiB","mend":"remove generations ('ghostctl images prune'), or give it more room"}
{"check":"pc266","state":"bad","found":"its network card has not been armed: Wake-on: d","mend":"allow Wake-on-LAN in its firmware, and run 'ghostctl test pc266'"}
{"check":"boot files","state":"good","found":"vmlinuz, initrd and pxelinux.0 are those of the base root","mend":null}
"#;

impl Program {
    /// `folder`: what [`ghostctl::sample::BootServer`] was made in.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let ghostctl = folder.join("ghostctl");
        fs::write(folder.join("findings"), FINDINGS).unwrap();
        write_program(&ghostctl, &format!("#!/bin/sh\ncat {}/findings\n", folder.display()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_ghost-console"));
        command.arg("--config").arg(folder.join("ghostrc")).args(["--listen", "127.0.0.1:0"]);
        command.arg("--ghostctl").arg(ghostctl).args(arguments).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = said.next().unwrap().unwrap();
        let place = first.strip_prefix("the console is at ").unwrap_or_else(|| panic!("{first}")).to_owned();
        // What it says besides goes to where the test's own words go.
        std::thread::spawn(move || said.map_while(Result::ok).for_each(|line| println!("console: {line}")));
        let token = fs::read_to_string(folder.join("state/console-token")).unwrap_or_default();
        Self { child, place, token: token.trim().to_owned() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
