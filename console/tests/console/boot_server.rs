//! What a boot server's jobs leave: journal, records, reports, screens. No job runs; its owner is whoever holds the journal's entry.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use ghost_contract::sample::effects::write_program;
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};

use super::browser::{Answer, Browser};

pub(crate) struct BootServer {
    folder: tempfile::TempDir,
    /// The entries of jobs that run.
    owned: BTreeMap<String, File>,
}

impl BootServer {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        for below in ["store", "state/journal", "state/jobs", "base"] {
            fs::create_dir_all(folder.path().join(below)).unwrap();
        }
        fs::write(folder.path().join("dhcpd.conf"), "").unwrap();
        let ghostrc = format!(
            "PXEADDR=192.168.7.1\nPXEBASE={path}/base\nGHSTBASE={path}/store\nGHSTNFS=$PXEADDR:{path}/store\nDHCPD=true\n\
             DHCPSERVER=isc\nDHCPDCONF={path}/dhcpd.conf\nSTATEDIR={path}/state\n"
        );
        fs::write(folder.path().join("ghostrc"), ghostrc).unwrap();
        let server = Self { folder, owned: BTreeMap::new() };
        // Stands for `ghostctl`: says what it was asked for, and waits while it is held.
        let script = format!(
            "#!/bin/sh\ntrap '' PIPE\nshift 2\necho \"$*\" >> {path}/asked\nwhile [ -e {path}/hold ]; do sleep 0.05; done\n\
             [ \"$*\" != '--json doctor' ] || echo '{{\"check\":\"store\",\"state\":\"bad\",\"found\":\"<script>alert(1)</script>\",\"mend\":\"mend it\"}}'\n\
             echo 'pc2: <b>busy</b>'; echo \"$*\" >> {path}/ended; exit 75\n"
        );
        write_program(&server.path("ghostctl"), &script);
        server
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// A backup that images, at the address with this number.
    pub(crate) fn runs(&mut self, host: &str, number: u16) {
        let ip = address(number);
        let path = self.path(&format!("state/journal/{ip}.jsonl"));
        let begun = json!({
            "line": "begun", "job": job(host), "host": host, "mac": format!("02:00:00:00:{:02x}:{:02x}", number >> 8, number & 255), "ip": ip,
            "mode": "backup", "pid": 4711, "at": 1_769_178_301_000_u64, "nonce": "00".repeat(16),
        });
        let phase = json!({ "line": "phase", "phase": "imaging", "at": 1_769_178_302_000_u64 });
        fs::write(&path, format!("{begun}\n{phase}\n")).unwrap();
        let file = File::open(path).unwrap();
        flock(&file, FlockOperation::LockExclusive).unwrap();
        self.owned.insert(host.to_owned(), file);
    }

    /// The `ghostctl` of its job is gone.
    pub(crate) fn abandon(&mut self, host: &str) {
        drop(self.owned.remove(host));
    }

    /// What the client at this address says next.
    pub(crate) fn says(&self, number: u16, events: &[Value]) {
        let report = self.path(&format!("base/{}var/ghost/report.jsonl", address(number)));
        fs::create_dir_all(report.parent().unwrap()).unwrap();
        let mut file = File::options().append(true).create(true).open(report).unwrap();
        for (second, event) in (10..).zip(events) {
            let mut event = event.clone();
            (event["at"], event["uptime"]) = (0.into(), (second * 1_000).into());
            writeln!(file, "{event}").unwrap();
        }
    }

    /// The screenshot of a backup that runs.
    pub(crate) fn shows(&self, host: &str, number: u16, name: &str, png: &[u8], text: &str) {
        let folder = self.path(&format!("store/{host}/.incoming-{}/screens", job(host)));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.png")), png).unwrap();
        fs::write(folder.join(format!("{name}.txt")), text).unwrap();
        self.says(number, &[json!({ "event": "screenshot_taken", "name": name, "source": "vga" })]);
    }

    /// A job that is over.
    pub(crate) fn recorded(&self, host: &str, job: &str, ending: &Value) {
        let folder = self.path(&format!("state/jobs/{job}"));
        fs::create_dir_all(&folder).unwrap();
        let record = json!({
            "job": job, "host": host, "mac": "02:00:00:00:00:02", "ip": "192.168.7.2", "mode": "backup", "began": 1_769_178_301_000_u64,
            "ended": 1_769_178_391_000_u64, "phases": [], "ending": ending, "troubles": [], "sample": null, "image": null,
        });
        fs::write(folder.join("record.json"), record.to_string()).unwrap();
    }

    pub(crate) fn console(&self, arguments: &[&str]) -> Console {
        self.console_at("127.0.0.1:0", arguments)
    }

    /// The same where systemd seems to run, whose `systemd-run` is `bin/systemd-run`.
    pub(crate) fn console_beside_systemd(&self, arguments: &[&str]) -> Console {
        let seems = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", seems, "sh"]);
        let console = self.command("127.0.0.1:0", arguments);
        command.arg(console.get_program()).args(console.get_args());
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        self.started(command)
    }

    pub(crate) fn console_at(&self, listen: &str, arguments: &[&str]) -> Console {
        self.started(self.command(listen, arguments))
    }

    fn started(&self, mut command: Command) -> Console {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = said.next().unwrap().unwrap();
        let place = first.strip_prefix("the console is at ").unwrap_or_else(|| panic!("{first}")).to_owned();
        let log = std::thread::spawn(move || said.map_while(Result::ok).collect());
        let token = fs::read_to_string(self.path("state/console-token")).unwrap_or_default();
        Console { child, place, token: token.trim().to_owned(), log: Some(log) }
    }

    pub(crate) fn command(&self, listen: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ghost-console"));
        command.arg("--config").arg(self.path("ghostrc")).args(["--listen", listen]);
        command.arg("--ghostctl").arg(self.path("ghostctl")).args(arguments);
        command
    }

    /// Starts a console that is to end by itself; its exit status and what it said. One that listens is ended after a while.
    pub(crate) fn refused(&self, listen: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let console = self.command(listen, arguments);
        let mut command = Command::new("timeout");
        let output = command.arg("60").arg(console.get_program()).args(console.get_args()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// What was asked of `ghostctl`, one line a call.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.lines("asked")
    }

    /// What of that has ended by itself.
    pub(crate) fn ended(&self) -> Vec<String> {
        self.lines("ended")
    }

    fn lines(&self, file: &str) -> Vec<String> {
        fs::read_to_string(self.path(file)).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

pub(crate) fn job(host: &str) -> String {
    format!("20260123-142501-{host}")
}

fn address(number: u16) -> String {
    format!("192.168.{}.{}", 7 + number / 250, number % 250 + 2)
}

pub(crate) fn failed(reason: &str) -> Value {
    json!({ "ending": "done", "outcome": "failed", "reason": reason })
}

pub(crate) fn sampled(sent: u64) -> Value {
    json!({ "event": "sampled", "disk_read": sent, "disk_written": 0, "received": 0, "sent": sent })
}

/// One colour on 64 by 40 dots.
pub(crate) fn png(colour: [u8; 3]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 64, 40);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().unwrap().write_image_data(&colour.repeat(64 * 40)).unwrap();
    file
}

/// A console that runs, until it is dropped.
pub(crate) struct Console {
    child: Child,
    pub(crate) place: String,
    pub(crate) token: String,
    log: Option<std::thread::JoinHandle<Vec<String>>>,
}

impl Console {
    /// Somebody who has the token.
    pub(crate) fn browser(&self) -> Browser {
        let mut browser = self.stranger();
        browser.set("authorization", &format!("Bearer {}", self.token));
        browser
    }

    /// Somebody who has nothing.
    pub(crate) fn stranger(&self) -> Browser {
        Browser::at(&self.place)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.browser().get(path)
    }

    /// Tells it to end, as systemd does, and waits for that.
    pub(crate) fn stops(&mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }

    /// Ends it; what it has said of itself.
    pub(crate) fn end(mut self) -> Vec<String> {
        self.kill();
        self.log.take().unwrap().join().unwrap()
    }

    fn kill(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Everything below a folder, with its content.
pub(crate) fn everything(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.clone(), fs::read(&path).unwrap_or_default());
            }
        }
    }
    found
}
