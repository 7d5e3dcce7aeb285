//! The first process in a lab's name spaces: makes the lab, runs its PCs, and removes everything at the end.
//!
//! Performs what [`switchboard`] decides.
//!
//! ```text
//!  making ──▶ up (one loop: requests, magic packets, ended processes) ──▶ ending
//!    └─────────────── owner gone, or a signal ──────────────────────────────▶│
//! ```

mod ending;
mod making;
mod owner;
pub mod switchboard;

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use anyhow::{Context, anyhow, bail};
use ghost_contract::HostName;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

use crate::config::{LabConfig, Nic};
use crate::control::{PATIENCE, Reply, Request};
use crate::folder::LabFolder;
use crate::magic;
use crate::{network, pc};
use making::Made;
use owner::Life;
pub use owner::{DETACH, READY};
use switchboard::{Action, Event, Switchboard};

/// Enough of a frame to hold any magic packet.
const FRAME: usize = 2048;

/// Makes the lab in this folder, runs it until its owner goes or it is told to end, and removes it.
pub fn run(folder: &LabFolder, owner: UnixStream) -> anyhow::Result<()> {
    // The end of a lab is a SIGKILL to all processes that this one sees.
    if getpid() != Pid::from_raw(1) {
        bail!("this process is not the first of its name space: only a lab starts it");
    }
    match (live(folder, owner), ending::end(folder)) {
        (Err(error), Err(left)) => Err(error.context(format!("what is left of the lab stays: {left:#}"))),
        (lived, ended) => lived.and(ended),
    }
}

fn live(folder: &LabFolder, owner: UnixStream) -> anyhow::Result<()> {
    let mut life = Life::new(owner)?;
    let config = folder.config()?;
    let Some(made) = make(folder, &config, &mut life)? else { return Ok(()) };
    life.report(&made.as_ref().map(drop).map_err(|error| format!("{error:#}")))?;
    match made {
        Ok(made) => Supervisor::new(folder, config, made).run(&mut life),
        Err(error) => {
            // The owner may want the logs before all is removed.
            life.wait_for_end()?;
            Err(error)
        }
    }
}

/// Makes the lab on a thread of its own, and watches the owner meanwhile. `None` if the owner has gone; the thread then
/// fails by itself, since the end of the lab takes away what it needs.
fn make(
    folder: &LabFolder,
    config: &LabConfig,
    life: &mut Life,
) -> anyhow::Result<Option<anyhow::Result<Made>>> {
    let (done, notice) = UnixStream::pair().context("cannot make a socket")?;
    let (its_folder, its_config) = (folder.clone(), config.clone());
    let maker = std::thread::spawn(move || {
        // Closed when the thread is done, in whatever way.
        let _notice = notice;
        making::make(&its_folder, &its_config)
    });
    while !is_ready(&done)? {
        let mut sources = life.sources();
        sources.push(PollFd::new(done.as_fd(), PollFlags::POLLIN));
        wait_for(&mut sources)?;
        if life.is_over()? {
            return Ok(None);
        }
    }
    Ok(Some(maker.join().unwrap_or_else(|_| Err(anyhow!("the thread that makes the lab panicked")))))
}

fn is_ready(stream: &UnixStream) -> anyhow::Result<bool> {
    let mut sources = [PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
    let ready = poll(&mut sources, PollTimeout::ZERO).context("cannot poll")?;
    Ok(ready > 0)
}

fn wait_for(sources: &mut [PollFd<'_>]) -> anyhow::Result<()> {
    match poll(sources, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno).context("cannot wait for events"),
    }
}

/// A lab that is up.
struct Supervisor<'lab> {
    folder: &'lab LabFolder,
    config: LabConfig,
    made: Made,
    board: Switchboard,
    running: HashMap<Pid, HostName>,
}

impl<'lab> Supervisor<'lab> {
    fn new(folder: &'lab LabFolder, config: LabConfig, made: Made) -> Self {
        let board = Switchboard::new(&config.pcs);
        Self { folder, config, made, board, running: HashMap::new() }
    }

    fn run(mut self, life: &mut Life) -> anyhow::Result<()> {
        println!("up, PCs run under {}", self.made.accelerator.as_str());
        loop {
            let mut sources = life.sources();
            sources.push(PollFd::new(self.made.control.as_fd(), PollFlags::POLLIN));
            sources.push(PollFd::new(self.made.packets.as_fd(), PollFlags::POLLIN));
            wait_for(&mut sources)?;
            let [.., control, packets] = &sources[..] else { continue };
            let (asked, packet) = (control.any().unwrap_or(false), packets.any().unwrap_or(false));
            if life.is_over()? {
                return Ok(());
            }
            self.reap();
            if packet {
                self.packet()?;
            }
            if asked && self.request()? == Next::End {
                return Ok(());
            }
        }
    }

    /// Takes note of processes that have ended.
    fn reap(&mut self) {
        loop {
            let pid = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, _, _)) => pid,
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return,
                Ok(_) | Err(_) => continue,
            };
            if let Some(name) = self.running.remove(&pid) {
                println!("{name} is off");
                let actions = self.board.decide(Event::PcEnded(name));
                debug_assert!(actions.is_empty(), "an ended PC asks for nothing");
            } else if let Some(server) = self.made.servers.remove(&pid) {
                println!("{server} has ended");
            }
        }
    }

    fn packet(&mut self) -> anyhow::Result<()> {
        let mut buffer = [0_u8; FRAME];
        let frame = self.made.packets.receive(&mut buffer).context("cannot receive a frame")?;
        let Some(packet) = magic::parse(frame) else { return Ok(()) };
        println!("magic packet ({:?}) for {}", packet.kind, packet.target);
        for action in self.board.decide(Event::PacketSeen(packet)) {
            self.perform(action, None)?;
        }
        Ok(())
    }

    fn request(&mut self) -> anyhow::Result<Next> {
        let (stream, _) = self.made.control.accept().context("cannot accept a request")?;
        let request = match read_request(&stream) {
            Ok(request) => request,
            Err(error) => {
                println!("a request that cannot be read: {error}");
                return Ok(Next::GoOn);
            }
        };
        let mut next = Next::GoOn;
        for action in self.board.decide(Event::Requested(request)) {
            if action == Action::End {
                next = Next::End;
            }
            self.perform(action, Some(&stream))?;
        }
        Ok(next)
    }

    fn perform(&mut self, action: Action, asking: Option<&UnixStream>) -> anyhow::Result<()> {
        match action {
            Action::Start { pc, nic, because } => {
                println!("{pc} is switched on by {because}");
                self.start(&pc, nic, because).with_context(|| format!("cannot start {pc}"))
            }
            Action::Kill(name) => {
                let killed = self.running.iter().filter(|(_, running)| **running == name);
                killed.for_each(|(pid, _)| {
                    // It may just have ended by itself.
                    let _ended = kill(*pid, Signal::SIGKILL);
                });
                Ok(())
            }
            Action::Answer(reply) => {
                // Who does not wait for the answer does not want it.
                let _unheard = asking.map(|stream| write_reply(stream, &reply));
                Ok(())
            }
            // The loop's business.
            Action::End => Ok(()),
        }
    }

    fn start(&mut self, name: &HostName, nic: Nic, because: &str) -> io::Result<()> {
        let found = self.config.pcs.iter_mut().enumerate().find(|(_, pc)| pc.name == *name);
        let (position, pc) = found.ok_or(io::ErrorKind::NotFound)?;
        pc.nic = nic;
        let folder = self.folder.pc(name);
        let mut console = OpenOptions::new().create(true).append(true).open(folder.join(pc::CONSOLE))?;
        writeln!(console, "\n{}{name}, by {because}", crate::lab::SWITCHED_ON)?;
        let log = OpenOptions::new().create(true).append(true).open(folder.join("qemu.log"))?;
        let arguments = pc::arguments(pc, &network::tap(position), self.made.accelerator);
        let child = Command::new("qemu-system-x86_64")
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        self.running.insert(Pid::from_raw(pid), name.clone());
        Ok(())
    }
}

/// What the loop does after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

fn read_request(stream: &UnixStream) -> io::Result<Request> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

fn write_reply(mut stream: &UnixStream, reply: &Reply) -> io::Result<()> {
    let mut line = serde_json::to_string(reply)?;
    line.push('\n');
    stream.write_all(line.as_bytes())
}
