//! Starts what a person can log in with: the shell server of mode `test`, and the root shell on tty2.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::child::{Children, Departure};
use super::file;

/// Where the shell server listens.
const PORT: u16 = 22;
/// The host key, kept in the client's tree so that it is the same every time.
const HOST_KEY: &str = "/var/ghost/ssh_host_ed25519_key";
/// The folder in which the shell server looks for `authorized_keys`.
const KEYS: &str = "/run/ghost/ssh";
/// How long making a host key may take. It needs below a second once the kernel has random numbers.
const KEY_LIMIT: Duration = Duration::from_secs(40);
/// How long the server may take until it listens.
const LISTEN_LIMIT: Duration = Duration::from_secs(40);
/// Pause between two looks whether the server listens.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// The screen of the root shell.
const SHELL_TERMINAL: &str = "/dev/tty2";

/// Starts the shell server; returns the port that it listens on.
pub(crate) fn start_server(children: &Children, authorized_keys: &[String]) -> anyhow::Result<u16> {
    if !Path::new(HOST_KEY).exists() {
        let mut make_key = Command::new("dropbearkey");
        make_key.args(["-t", "ed25519", "-f", HOST_KEY]).stdin(Stdio::null()).stdout(Stdio::null());
        children.run(&mut make_key, KEY_LIMIT)?;
    }
    let mut server = Command::new("dropbear");
    // In the foreground, log to stderr, no passwords, no forwarding to elsewhere.
    server.args(["-F", "-E", "-s", "-j", "-k", "-r", HOST_KEY, "-P", "/run/dropbear.pid"]);
    server.args(["-p", &PORT.to_string()]).stdin(Stdio::null()).stdout(Stdio::null());
    if !authorized_keys.is_empty() {
        write_keys(authorized_keys)?;
        server.args(["-D", KEYS]);
    }
    let (tell, ended) = mpsc::channel();
    children.spawn(&mut server, move |departure| {
        // Once the server listens, nothing waits for its end.
        let _ = tell.send(departure);
    })?;
    wait_until_it_listens(&ended)
}

fn write_keys(authorized_keys: &[String]) -> anyhow::Result<()> {
    file::make_folder(Path::new(KEYS))?;
    file::write(&Path::new(KEYS).join("authorized_keys"), &(authorized_keys.join("\n") + "\n"))
}

fn wait_until_it_listens(ended: &mpsc::Receiver<Departure>) -> anyhow::Result<u16> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let started = Instant::now();
    while started.elapsed() < LISTEN_LIMIT {
        if TcpStream::connect_timeout(&address, LOOK_AGAIN).is_ok() {
            return Ok(PORT);
        }
        match ended.recv_timeout(LOOK_AGAIN) {
            Ok(departure) => bail!("dropbear {departure}"),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
    bail!("dropbear does not listen on port {PORT} after {} s", LISTEN_LIMIT.as_secs())
}

/// Starts the child that is literally `sleep SECONDS`.
pub(crate) fn start_sleep(
    children: &Children,
    duration: Duration,
    at_end: impl FnOnce(Departure) + Send + 'static,
) -> anyhow::Result<()> {
    let mut sleep = Command::new("/bin/sleep");
    sleep.arg0("sleep").arg(duration.as_secs().to_string());
    sleep.stdin(Stdio::null()).stdout(Stdio::null());
    children.spawn(&mut sleep, at_end)?;
    Ok(())
}

/// Starts a root shell on tty2, in a session of its own.
pub(crate) fn start_on_screen(children: &Children) -> anyhow::Result<()> {
    let fails = || format!("cannot open {SHELL_TERMINAL}");
    let terminal: File =
        OpenOptions::new().read(true).write(true).open(SHELL_TERMINAL).with_context(fails)?;
    let again = || terminal.try_clone().with_context(fails);
    let mut shell = Command::new("setsid");
    shell.args(["--ctty", "sh", "-l"]).env("TERM", "linux").env("HOME", "/root");
    shell.stdin(again()?).stdout(again()?).stderr(again()?);
    children.spawn(&mut shell, |_| {})?;
    Ok(())
}
