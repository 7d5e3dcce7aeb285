//! `lab`: the virtual network of the tests, by hand.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::{Parser, Subcommand};
use ghost_contract::HostName;
use ghost_lab::config::{LabConfig, Nic};
use ghost_lab::folder::LabFolder;
use ghost_lab::{DhcpServer, Firmware, Lab, demo, lab, supervisor};

/// A virtual network with real DHCP, TFTP and NFS servers, and PCs that can be woken.
///
/// Needs root. Example: lab up; lab pc john on; lab pc john console; lab run -- dhcpd -t; lab down
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Which lab, if there are several.
    #[arg(long, global = true, default_value = "hand")]
    name: HostName,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Bring the lab up. It stays until `lab down`.
    Up {
        /// The base root to copy (default: target/rootfs/base, or what LAB_BASE_ROOT says).
        #[arg(long)]
        base_root: Option<PathBuf>,
        /// The TFTP folder to copy (default: target/rootfs/netboot, or what LAB_NETBOOT says).
        #[arg(long)]
        netboot: Option<PathBuf>,
        /// Add this flag to the clients' kernel command line. May be given more than once.
        #[arg(long)]
        kernel_flag: Vec<String>,
        /// Give a PC another firmware, as in john=uefi: bios, uefi or secure-boot. May be given more than once.
        #[arg(long, value_name = "PC=FIRMWARE", value_parser = firmware)]
        firmware: Vec<(HostName, Firmware)>,
        /// Its DHCP server: isc, kea or dnsmasq.
        #[arg(long, default_value_t)]
        dhcp: DhcpServer,
        /// Have no boot server, only the switch and the PCs. Another machine's network card is `uplink-end`.
        #[arg(long)]
        servers_elsewhere: bool,
        /// End the lab when this command ends, as by Ctrl-C.
        #[arg(long)]
        foreground: bool,
    },
    /// End the lab. Nothing is left of it.
    Down {
        /// End all labs, and remove what any has left.
        #[arg(long)]
        all: bool,
    },
    /// Show which PCs are on, and where things are.
    Status,
    /// Do something with a PC.
    Pc {
        /// john, joe, linuxbox or fakebox.
        pc: String,
        #[command(subcommand)]
        what: PcVerb,
    },
    /// Run a command on the lab's boot server.
    Run {
        /// The command and its arguments.
        #[arg(required = true, trailing_var_arg = true)]
        command: Vec<String>,
    },
    /// Back up and restore a PC in a lab of its own, and show each step.
    Demo,
    /// What a lab starts to hold it.
    #[command(hide = true)]
    Supervise {
        /// The folder that the lab lives in.
        folder: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum PcVerb {
    /// Press the power button of a PC that is off.
    On,
    /// Cut its power.
    Off,
    /// Press the power button of a PC that is on.
    Button,
    /// Put another network card into a PC that is off.
    Insert {
        /// The model: rtl8139, e1000, e1000e or virtio-net-pci.
        nic: Nic,
    },
    /// Show what it wrote to its serial line.
    Console,
    /// Save a picture of its screen as PNG.
    Screendump {
        /// The PNG file to write.
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    match perform(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let program = std::env::current_exe()?;
    let mut config = LabConfig::new(arguments.name);
    let there = |config: &LabConfig| Lab::of_name(&config.labs, &config.name, &program);
    match arguments.verb {
        Verb::Up { base_root, netboot, kernel_flag, firmware, dhcp, servers_elsewhere, foreground } => {
            config.base_root = base_root.unwrap_or(config.base_root);
            config.netboot = netboot.unwrap_or(config.netboot);
            config.kernel_flags = kernel_flag;
            config.serve_dhcp_by(dhcp);
            config.servers_elsewhere = servers_elsewhere;
            for (name, firmware) in firmware {
                let found = config.pcs.iter_mut().find(|pc| pc.name == name);
                found.with_context(|| format!("there is no PC {name} in the lab"))?.with_firmware(firmware);
            }
            let lab = Lab::up(config, &program)?;
            show(&lab)?;
            if foreground {
                wait_for_a_signal();
            }
            lab.detach()?;
        }
        Verb::Down { all: true } => lab::end_all(&config.labs)?,
        Verb::Down { all: false } => lab::end(&LabFolder::new(&config.labs, &config.name))?,
        Verb::Status => show(&there(&config)?)?,
        Verb::Pc { pc, what } => with_pc(&there(&config)?.pc(&pc)?, what)?,
        Verb::Run { command } => return run(&there(&config)?, &command),
        Verb::Demo => demo::run(&program)?,
        Verb::Supervise { folder } => supervise(folder)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads `PC=FIRMWARE`.
fn firmware(text: &str) -> anyhow::Result<(HostName, Firmware)> {
    let (pc, firmware) = text.split_once('=').context("write PC=FIRMWARE, as in john=uefi")?;
    Ok((pc.parse()?, firmware.parse()?))
}

/// Whatever ends this process ends the lab. Parking may end by itself, so it is done again.
fn wait_for_a_signal() -> ! {
    loop {
        std::thread::park();
    }
}

fn show(lab: &Lab) -> anyhow::Result<()> {
    println!("{} is up in {}", lab.config().name, lab.folder().path().display());
    println!("settings: {}", lab.folder().ghostrc().display());
    for pc in lab.status()? {
        let power = if pc.on { "on" } else { "off" };
        println!(
            "{:10} {:4} {:8} switched on {} times, {} magic packets",
            pc.name.as_str(),
            power,
            pc.nic.as_str(),
            pc.boots,
            pc.wakes.len()
        );
    }
    Ok(())
}

fn with_pc(pc: &lab::Pc<'_>, what: PcVerb) -> anyhow::Result<()> {
    match what {
        PcVerb::On => pc.switch_on()?,
        PcVerb::Off => pc.cut_power()?,
        PcVerb::Button => pc.press_power_button()?,
        PcVerb::Insert { nic } => pc.insert(nic)?,
        PcVerb::Console => print!("{}", pc.whole_console()?),
        PcVerb::Screendump { file } => pc.screendump(&std::path::absolute(file)?)?,
    }
    Ok(())
}

fn run(lab: &Lab, words: &[String]) -> anyhow::Result<ExitCode> {
    let Some((program, arguments)) = words.split_first() else { return Ok(ExitCode::FAILURE) };
    let status = lab.spawn(Command::new(program).args(arguments))?.wait()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

fn supervise(folder: PathBuf) -> anyhow::Result<()> {
    let owner = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    supervisor::run(&LabFolder::existing(folder), owner)
}
