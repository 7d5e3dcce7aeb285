//! What `ghostctl setup` and `ghostctl hosts add` are asked for.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueHint};
use ghost_contract::{HostName, MacAddress};

use crate::dhcp::{Kind, Network};
use crate::ghostrc::{Export, Firmware};

pub(super) const AFTER_HELP: &str = "Examples:\n  ghostctl setup\n  ghostctl setup --dry-run --subnet 10.0.0.0/24\n  ghostctl setup --dhcp-server kea --subnet 10.0.0.0/24\n  \
    ghostctl setup --yes --store /images --import machines.csv\n  ghostctl setup --remove\n\n\
    Makes the settings, the folders, the base root with the boot files, the exports, and the clients' DHCP entries, and has the services \
    run; then checks all of it as 'ghostctl doctor' does. What is there already is kept, so it can be given again at any time. All changes are \
    shown first, and made only after a yes at the terminal, or with --yes. An old /etc/ghostrc of the HOWTO of 2005 is \
    taken as it is, and its boot floppy with it.\n\n\
    FILE of --import is a table (name,hardware address,address), ethers(5), or the leases of ISC dhcpd.";

#[derive(Debug, Clone, Args)]
pub struct SetupArgs {
    /// The network interface that the clients are on
    #[arg(long, value_name = "NAME")]
    pub interface: Option<String>,
    /// This server's address as clients see it; without it, that of the interface
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<Ipv4Addr>,
    /// Where the base root is made, a folder called base
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub base: Option<PathBuf>,
    /// The image store as this server sees it
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub store: Option<PathBuf>,
    /// The image store as clients mount it, if another machine has it
    #[arg(long, value_name = "SERVER:FOLDER", value_parser = export)]
    pub store_export: Option<Export>,
    /// The TFTP server's folder
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub tftp: Option<PathBuf>,
    /// The DHCP server; without it, the one that runs or is installed
    #[arg(long, value_name = "isc|kea|dnsmasq|proxy", value_parser = dhcp_server)]
    pub dhcp_server: Option<Kind>,
    /// The DHCP server's configuration, if it is not at its usual place
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub dhcp_configuration: Option<PathBuf>,
    /// A network that this server shall answer in by DHCP, such as 10.0.0.0/24; only clients that are declared are answered
    #[arg(long, value_name = "NETWORK", value_parser = crate::setup::network)]
    pub subnet: Option<Network>,
    /// The firmware of most clients
    #[arg(long, value_name = "bios|uefi", value_parser = firmware)]
    pub firmware: Option<Firmware>,
    /// UEFI clients load kernel and initramfs over HTTP, which a server of yours on port 80 gives from the TFTP server's folder
    #[arg(long)]
    pub http_boot: bool,
    /// The template of a boot floppy with Norton Ghost
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub floppy: Option<PathBuf>,
    /// Lists of machines that shall be clients
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub import: Vec<PathBuf>,
    /// Leave the base root for later ('ghostctl root build')
    #[arg(long)]
    pub without_root: bool,
    /// Make the changes that are shown, without asking
    #[arg(long)]
    pub yes: bool,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Take away what setup has made and nobody has changed since; images stay
    #[arg(long, conflicts_with_all = ["interface", "address", "base", "store", "store_export", "tftp", "dhcp_server", "dhcp_configuration", "subnet", "firmware", "http_boot", "floppy", "import"])]
    pub remove: bool,
}

#[derive(Debug, Subcommand)]
pub enum HostsVerb {
    /// Declare a machine in the DHCP configuration, so that it can be backed up
    #[command(after_help = "Examples:\n  ghostctl hosts add pc7 00:11:22:33:44:55 10.0.0.7\n  \
        ghostctl hosts add --yes pc7 00:11:22:33:44:55 10.0.0.7\n  ghostctl hosts add pc7 00:11:22:33:44:55\n\n\
        The change is shown first, and made only after a yes at the terminal, or with --yes, and only if the DHCP server's own checker \
        accepts it. Exports that 'ghostctl setup' has made get the new client too.")]
    Add(NewHostArgs),
}

#[derive(Debug, Clone, Args)]
pub struct NewHostArgs {
    /// The machine's name
    pub name: HostName,
    /// Its hardware address
    pub mac: MacAddress,
    /// Its IP address; beside a DHCP server that is not ours (DHCPSERVER=proxy) that one is asked which it gives
    pub ip: Option<Ipv4Addr>,
    /// Make the change that is shown, without asking
    #[arg(long)]
    pub yes: bool,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

fn export(text: &str) -> Result<Export, &'static str> {
    let whole =
        text.contains(":/").then(|| Export::parse(text, Path::new("/"), Ipv4Addr::UNSPECIFIED)).flatten();
    whole.ok_or("an export is SERVER:/FOLDER")
}

fn dhcp_server(text: &str) -> Result<Kind, &'static str> {
    Kind::named(text).ok_or("isc, kea, dnsmasq or proxy")
}

fn firmware(text: &str) -> Result<Firmware, &'static str> {
    Firmware::parse(text).ok_or("bios or uefi")
}
