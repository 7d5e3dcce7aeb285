//! A lab as tests and the program `lab` use it: bring it up, use its PCs, run programs in it, end it.

mod ending;
mod failure;
mod machine;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context, bail};
use ghost_contract::HostName;
use rustix::process::Pid;

use crate::config::LabConfig;
use crate::control::{self, PcStatus, Request};
use crate::dhcp;
use crate::folder::LabFolder;
use crate::network::BRIDGE;
use crate::running::Running;
use crate::servers;
use crate::supervisor::{DETACH, READY};
use crate::sys::name_space;
use crate::sys::packet::PacketSocket;

pub use ending::{end, end_all};
pub use failure::keep_failure;
pub use machine::Pc;

/// With this, behind it what switched it on, each boot of a PC begins in its console log.
pub const SWITCHED_ON: &str = "=== switched on: ";
/// What could not be done where a supervisor does not start.
const START: &str = "cannot start the lab's supervisor (root is needed)";

/// A lab that is up.
#[derive(Debug)]
pub struct Lab {
    folder: LabFolder,
    config: LabConfig,
    process: Pid,
    program: PathBuf,
    ownership: Option<Ownership>,
}

/// The connection that ends the lab when this process ends.
#[derive(Debug)]
struct Ownership {
    line: UnixStream,
    supervisor: Child,
}

impl Lab {
    /// Brings a lab up. It ends when the result is dropped, or this process ends, in whatever way. `program` is
    /// the program `lab`.
    pub fn up(config: LabConfig, program: &Path) -> anyhow::Result<Self> {
        let folder = LabFolder::new(&config.labs, &config.name);
        let log = folder.claim(&config)?;
        let (mut line, theirs) = UnixStream::pair().context(START)?;
        let mut command = Command::new(program);
        command.arg("supervise").arg(folder.path()).stdin(OwnedFd::from(theirs));
        command.stdout(log.try_clone().context(START)?).stderr(log);
        let supervisor = name_space::spawn_in_new(&mut command).context(START)?;
        // Closes our copies of the supervisor's ends, so that we see it when the supervisor ends.
        drop(command);
        let mut first = [0];
        let read = line.read(&mut first).context(START)?;
        if read == 0 || first != [READY] {
            return Err(ending::not_up(&folder, &first[..read], Ownership { line, supervisor }));
        }
        let process = folder.supervisor()?;
        let ownership = Some(Ownership { line, supervisor });
        Ok(Self { folder, config, process, program: program.to_owned(), ownership })
    }

    /// A lab that another process brought up.
    pub fn of_name(labs: &Path, name: &HostName, program: &Path) -> anyhow::Result<Self> {
        let folder = LabFolder::new(labs, name);
        if !folder.is_up()? {
            bail!("there is no lab in {}", folder.path().display());
        }
        let (config, process) = (folder.config()?, folder.supervisor()?);
        Ok(Self { folder, config, process, program: program.to_owned(), ownership: None })
    }

    /// Lets the lab live on without this process.
    pub fn detach(mut self) -> anyhow::Result<()> {
        let Some(mut ownership) = self.ownership.take() else { return Ok(()) };
        ownership.line.write_all(&[DETACH]).context(START)
    }

    pub const fn folder(&self) -> &LabFolder {
        &self.folder
    }

    pub const fn config(&self) -> &LabConfig {
        &self.config
    }

    pub fn pc(&self, name: &str) -> anyhow::Result<Pc<'_>> {
        let found = self.config.pcs.iter().find(|pc| pc.name.as_str() == name);
        found.map(|pc| Pc::new(self, pc)).with_context(|| format!("there is no PC {name} in the lab"))
    }

    pub fn status(&self) -> anyhow::Result<Vec<PcStatus>> {
        self.ask(&Request::Status)
    }

    fn ask(&self, request: &Request) -> anyhow::Result<Vec<PcStatus>> {
        control::ask(self.folder.path(), request)
    }

    /// Starts a program in the lab, on the boot server.
    pub fn run<Word: AsRef<std::ffi::OsStr>>(&self, words: &[Word]) -> anyhow::Result<Running> {
        let (program, arguments) = words.split_first().context("no program is named")?;
        let mut command = Command::new(program);
        command.args(arguments);
        let transcript = self.transcript(program.as_ref())?;
        Running::start(command, transcript, |command| name_space::spawn_in_those_of(self.process, command))
    }

    /// The log that keeps what this program says, beside the servers' logs.
    fn transcript(&self, program: &std::ffi::OsStr) -> anyhow::Result<File> {
        let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned();
        let path = self.folder.logs().join(name + ".log");
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        opened.with_context(|| format!("cannot write {}", path.display()))
    }

    /// Starts `command` in the lab, on the boot server, with the terminal that this program has.
    pub fn spawn(&self, command: &mut Command) -> anyhow::Result<Child> {
        name_space::spawn_in_those_of(self.process, command).context("cannot run a program in the lab")
    }

    /// The `ghostctl` beside the program `lab`, or what `GHOSTCTL` names.
    pub fn ghostctl_program(&self) -> PathBuf {
        servers::ghostctl(&self.program)
    }

    /// Starts [`Self::ghostctl_program`] with the lab's settings.
    pub fn ghostctl(&self, arguments: &[&str]) -> anyhow::Result<Running> {
        let mut words =
            vec![self.ghostctl_program().into_os_string(), "--config".into(), self.folder.ghostrc().into()];
        words.extend(arguments.iter().map(Into::into));
        self.run(&words)
    }

    /// Starts a command on the machine with this address, as the administrator would: with ssh and his key.
    pub fn ssh(&self, ip: Ipv4Addr, command: &str) -> anyhow::Result<Running> {
        let key = self.folder.ssh_key().display().to_string();
        let machine = format!("root@{ip}");
        let flags = "-F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
                     -o LogLevel=ERROR -o IdentitiesOnly=yes -o ConnectTimeout=60";
        let words =
            ["ssh", "-i", &key].into_iter().chain(flags.split(' ')).chain([machine.as_str(), command]);
        self.run(&words.collect::<Vec<_>>())
    }

    /// Sends a frame from the boot server's interface, byte for byte.
    pub fn send_frame(&self, frame: &[u8]) -> anyhow::Result<()> {
        let send = || PacketSocket::open(BRIDGE)?.send(frame);
        name_space::in_network_of(self.process, send).context("cannot send a frame")
    }

    /// The file of the DHCP server's configuration in which the boot files stand, as it is now.
    pub fn dhcpd_conf(&self) -> anyhow::Result<Vec<u8>> {
        self.read(&self.folder.join(self.config.dhcp.boot_files()))
    }

    /// All files of the DHCP server's configuration as they are now.
    pub fn dhcp_configuration(&self) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
        dhcp::configuration(&self.config, &self.folder)
    }

    /// What the service script of ISC dhcpd was asked to do so far, one word for each time.
    pub fn dhcpd_service_calls(&self) -> anyhow::Result<Vec<String>> {
        let log = self.read(&self.folder.logs().join("dhcpd-service.log"))?;
        Ok(String::from_utf8_lossy(&log).lines().map(str::to_owned).collect())
    }

    fn read(&self, path: &Path) -> anyhow::Result<Vec<u8>> {
        std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Ends the lab and waits until nothing is left of it.
    pub fn down(mut self) -> anyhow::Result<()> {
        match self.ownership.take() {
            Some(ownership) => ending::end_owned(&self.folder, ownership),
            None => ending::end(&self.folder),
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let Some(ownership) = self.ownership.take() else { return };
        if std::thread::panicking() {
            match keep_failure(self) {
                Ok(kept) => {
                    eprintln!(
                        "the logs and screens of the lab {} are kept in {}",
                        self.config.name,
                        kept.display()
                    )
                }
                Err(error) => eprintln!(
                    "the logs and screens of the lab {} cannot be kept: {error:#}",
                    self.config.name
                ),
            }
        }
        if let Err(error) = ending::end_owned(&self.folder, ownership) {
            eprintln!("the lab {} cannot be ended: {error:#}", self.config.name);
        }
    }
}
