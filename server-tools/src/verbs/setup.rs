//! `ghostctl setup` and `ghostctl hosts add`: look, plan, show, ask, do, and say what is left if something fails.

mod remove;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use ghost_contract::HostName;
use serde::Serialize;

use super::{confirmation, doctor, root};
use crate::base_root::{Place, boot_files};
use crate::cli::{Everywhere, NewHostArgs, SetupArgs};
use crate::dhcp::Network;
use crate::dhcp::adding::{Additions, NewHost, NewNetwork};
use crate::dhcp::probe;
use crate::exit::{Exit, WithExit as _};
use crate::exports::always;
use crate::ghostrc::Ghostrc;
use crate::output::Output;
use crate::setup::listening::Listener;
use crate::setup::old::{self, Old};
use crate::setup::plan::{self, First};
use crate::setup::questions::{self, Proposed};
use crate::setup::settings::{self, Surroundings};
use crate::setup::{FileStep, Plan, Step, Told, Wishes, alone, exported, lists, observe, perform};
use crate::site::Site;
use crate::state::made::Made;
use crate::sys::interface::{self, Interface};
use crate::sys::resolve;

/// How long the resolver may take for a name of ethers(5).
const NAME_DEADLINE: Duration = Duration::from_secs(5);

/// One line for programs.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    Planned(Told<'a>),
    Done(Told<'a>),
    Left(Told<'a>),
    Diff(&'a [String]),
    /// What is taken away.
    ToUndo(&'a str),
    Undone(&'a str),
    NotUndone(&'a str),
    /// The client's exports are left to a person.
    NotExported(&'a HostName),
    Remark(&'a str),
}

pub(super) fn run(
    everywhere: &Everywhere,
    arguments: &SetupArgs,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    if arguments.remove {
        return remove::run(everywhere, arguments, output);
    }
    let path = &everywhere.config;
    let there = observe::file(path)?;
    let parsed = there.as_ref().map(|bytes| parse(path, bytes)).transpose()?;
    let mut wishes = wishes(arguments);
    let own_address = wishes.address.or_else(|| parsed.as_ref().map(|ghostrc| ghostrc.boot_server));
    let mut interface = observe::boot_interface(&wishes, own_address)?;
    if parsed.is_none() && confirmation::can_ask() && !arguments.yes && !arguments.dry_run {
        let proposed = proposed(everywhere, interface.as_ref(), &wishes)?;
        wishes = questions::answered(wishes, &proposed, &mut |question, default| {
            confirmation::answer(question, default)
        })?;
        interface = observe::boot_interface(&wishes, own_address)?;
    }
    let around = observe::surroundings(interface.as_ref(), &wishes, own_address)?;
    let (settings, ghostrc, floppy) = settle(path, there, parsed, &wishes, &around)?;
    let site = Site::planned(ghostrc, everywhere.lock_timeout);
    let (machines, mut remarks) = machines(&site, &arguments.import)?;
    let boot_server = site.ghostrc.boot_server;
    let new_network = |network: Network| NewNetwork {
        network,
        router: interface.as_ref().and_then(|interface| router(interface, network, boot_server)),
        interface: interface.as_ref().map(|interface| interface.name.clone()),
    };
    let network = wishes.network.map(new_network);
    remarks.extend(network.as_ref().and_then(|network| by_way_of(network, boot_server)));
    let asked = Additions {
        boot_server,
        network,
        hosts: machines,
        no_boot_file: site.ghostrc.settings().no_boot_file.clone(),
    };
    let added = site
        .dhcp()
        .add(&asked)
        .context("the DHCP configuration cannot be added to")
        .exit_by_default(Exit::Configuration)?;
    let is_new = !site.dhcp_configuration.exists();
    let listener = interface
        .map(|interface| Listener { name: interface.name, address: interface.address.map(|(ip, _)| ip) });
    let mut seen = observe::site(&site, listener, added.configuration.as_ref())?;
    if arguments.without_root {
        seen.base_root = Ok(());
    }
    let mut plan = plan::whole(&site.ghostrc, First { settings, floppy }, &seen, &added, is_new)?;
    if plan.steps.contains(&Step::BaseRoot) {
        let Place { boot_files: made, .. } = Place::of(&site.ghostrc)?;
        let words = "the boot files would not get to the TFTP server; nothing was changed";
        boot_files::require_room(&made, &site.ghostrc.tftp_base, &site.ghostrc.state_folder)
            .context(words)?;
    }
    if seen.hosts.is_empty() {
        remarks.push(no_client(seen.networks.is_empty()));
    }
    plan.remarks.splice(0..0, remarks);
    if carry_out(&site, &plan, (arguments.yes, arguments.dry_run), output)? == Turn::OnlyShown {
        return Ok(Exit::Done);
    }
    let site = Site::open(path, everywhere.lock_timeout).exit_by_default(Exit::Configuration)?;
    Ok(doctor::run(&site, &[], output))
}

/// What leads out of a new network. Where the boot server's address is in another one, this machine's own address leads to it, as Linux
/// answers for all of its addresses on each interface.
fn router(interface: &Interface, network: Network, boot_server: Ipv4Addr) -> Option<Ipv4Addr> {
    let of_machine = interface::router_of(&interface.name).filter(|ip| network.contains(*ip));
    let own = || interface::in_network(network).filter(|_| !network.contains(boot_server))?.address;
    of_machine.or_else(|| own().map(|(ip, _)| ip))
}

fn by_way_of(NewNetwork { network, router, .. }: &NewNetwork, boot_server: Ipv4Addr) -> Option<String> {
    let router = router.filter(|_| !network.contains(boot_server))?;
    Some(format!(
        "{boot_server} (PXEADDR) is not in {network}: where setup declares that network, {router} is the router that its PCs are told, \
         and has to lead them to {boot_server}, as an address of this machine's own does. Their own systems are told the same"
    ))
}

fn no_client(has_no_network: bool) -> String {
    let and_a_network = if has_no_network {
        "; if this machine shall be its DHCP server, give --subnet NETWORK first"
    } else {
        ""
    };
    format!(
        "there is no client yet: 'ghostctl hosts add NAME MAC IP' declares one, 'ghostctl setup --import FILE' many{and_a_network}"
    )
}

pub(super) fn add_host(site: &Site, arguments: &NewHostArgs, output: &mut Output) -> anyhow::Result<Exit> {
    let no_boot_file = site.ghostrc.for_host(&arguments.name).no_boot_file;
    let (ip, remark) = match arguments.ip {
        Some(ip) => (ip, None),
        None => given(site, arguments)?,
    };
    let host = NewHost { name: arguments.name.clone(), mac: arguments.mac, ip, no_boot_file };
    let asked = Additions {
        boot_server: site.ghostrc.boot_server,
        network: None,
        hosts: vec![host],
        no_boot_file: site.ghostrc.settings().no_boot_file.clone(),
    };
    let added = site.dhcp().add(&asked).exit_by_default(Exit::Configuration)?;
    let seen = observe::site(site, None, added.configuration.as_ref())?;
    let mut plan = plan::for_hosts(&site.ghostrc, &seen, &added)?;
    plan.remarks.extend(remark);
    let turn = carry_out(site, &plan, (arguments.yes, arguments.dry_run), output)?;
    let is_left_out = turn == Turn::Done && seen.exports.leaves_out(ip);
    if is_left_out {
        let name = &arguments.name;
        output.either_left(&Line::NotExported(name), || {
            format!("left undone: export to {name}, as the note above says")
        });
    }
    Ok(if is_left_out { Exit::Failed } else { Exit::Done })
}

/// The address that the other DHCP server gives a machine, and what people should know of that.
fn given(
    site: &Site,
    NewHostArgs { name, mac, .. }: &NewHostArgs,
) -> anyhow::Result<(Ipv4Addr, Option<String>)> {
    if !site.dhcp_kind.traits().is_beside_another {
        let words =
            format!("give the address that {name} shall have: this boot server's DHCP server gives it");
        return Err(anyhow!(words).exit(Exit::Usage));
    }
    let (ip, server) = probe::given(site, name, *mac).exit_by_default(Exit::Configuration)?;
    let remark = format!(
        "{ip} is the address that the DHCP server {server} gives {mac} now; have it reserved there, since the client's tree is at that \
         address: a job does not wake a client that would get another one"
    );
    Ok((ip, Some(remark)))
}

fn wishes(arguments: &SetupArgs) -> Wishes {
    Wishes {
        interface: arguments.interface.clone(),
        address: arguments.address,
        base: arguments.base.clone(),
        store: arguments.store.clone(),
        store_export: arguments.store_export.clone(),
        tftp: arguments.tftp.clone(),
        dhcp_server: arguments.dhcp_server,
        dhcp_configuration: arguments.dhcp_configuration.clone(),
        firmware: arguments.firmware,
        http_boot: arguments.http_boot,
        network: arguments.subnet,
        floppy: arguments.floppy.clone(),
    }
}

fn parse(path: &Path, bytes: &[u8]) -> anyhow::Result<Ghostrc> {
    Ghostrc::parse(path, bytes).context("the settings are not usable").exit(Exit::Configuration)
}

fn proposed(
    everywhere: &Everywhere,
    interface: Option<&Interface>,
    wishes: &Wishes,
) -> anyhow::Result<Proposed> {
    let around = observe::surroundings(interface, wishes, None)?;
    let dhcp_server = around.kind;
    // Without an address there are no settings, and no network to propose.
    let settled = settle(&everywhere.config, None, None, wishes, &around).ok();
    let site = settled.map(|(_, ghostrc, _)| Site::planned(ghostrc, everywhere.lock_timeout));
    let network =
        interface.and_then(Interface::network).filter(|_| site.as_ref().is_some_and(has_no_network));
    Ok(Proposed {
        interface: interface.map(|interface| interface.name.clone()),
        network: network.map(|network| network.to_string()),
        dhcp_server,
    })
}

/// Whether the DHCP server answers nobody yet. Debian's dhcpd.conf declares no network.
fn has_no_network(site: &Site) -> bool {
    let networks = || site.dhcp().read().map(|configuration| configuration.networks());
    !site.dhcp_configuration.exists() || networks().is_ok_and(|networks| networks.is_empty())
}

/// The settings as they will be, with the steps that make them so.
fn settle(
    path: &Path,
    there: Option<Vec<u8>>,
    parsed: Option<Ghostrc>,
    wishes: &Wishes,
    around: &Surroundings,
) -> anyhow::Result<(Option<FileStep>, Ghostrc, Option<FileStep>)> {
    let old = Old::of(parsed.as_ref(), wishes, &Path::is_file);
    let after = match (&there, &parsed) {
        (Some(bytes), Some(ghostrc)) => match settings::missing(ghostrc, wishes, around, &old)? {
            lines if lines.is_empty() => bytes.clone(),
            lines => settings::appended(bytes, &lines),
        },
        _ => settings::new(wishes, around)?.into_bytes(),
    };
    let ghostrc = parse(path, &after)?;
    let template = match &old.floppy {
        Some(template) => Some(
            observe::file(template)?
                .ok_or_else(|| anyhow!("there is no boot floppy {}", template.display()).exit(Exit::Usage))?,
        ),
        None => None,
    };
    let there_now = |path: &Path| observe::file(path).ok().flatten();
    let floppy = template.and_then(|template| old::floppy_step(&ghostrc, template, &there_now));
    let is_changed = there.as_ref() != Some(&after);
    let step = is_changed.then(|| FileStep { path: path.to_owned(), before: there, after });
    Ok((step, ghostrc, floppy))
}

/// The machines of all lists, with what people should know of them.
fn machines(site: &Site, files: &[std::path::PathBuf]) -> anyhow::Result<(Vec<NewHost>, Vec<String>)> {
    let (mut hosts, mut remarks) = (Vec::new(), Vec::new());
    for file in files {
        let bytes = observe::file(file)?
            .ok_or_else(|| anyhow!("there is no {}", file.display()).exit(Exit::Usage))?;
        let (machines, told) = lists::read(file, &bytes).exit(Exit::Usage)?;
        remarks.extend(told);
        for lists::Machine { name, mac, ip } in machines {
            let ip = match ip {
                Some(ip) => ip,
                None => looked_up(name.as_str()).exit(Exit::Usage)?,
            };
            let no_boot_file = site.ghostrc.for_host(&name).no_boot_file;
            hosts.push(NewHost { name, mac, ip, no_boot_file });
        }
    }
    lists::require_different(&hosts).exit(Exit::Usage)?;
    Ok((hosts, remarks))
}

fn looked_up(name: &str) -> anyhow::Result<std::net::Ipv4Addr> {
    let words = || {
        format!(
            "{name} has no address in the list, and none is known: write it into /etc/hosts, or use a table"
        )
    };
    match resolve::address_of(name, NAME_DEADLINE).with_context(words)? {
        IpAddr::V4(ip) => Ok(ip),
        IpAddr::V6(_) => Err(anyhow!(words())),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Done,
    OnlyShown,
}

/// Shows a plan, and does it after a yes.
fn carry_out(
    site: &Site,
    plan: &Plan,
    (yes, dry_run): (bool, bool),
    output: &mut Output,
) -> anyhow::Result<Turn> {
    show(plan, output);
    if plan.steps.is_empty() {
        output.either(&Line::Remark("nothing is to be changed"), || "nothing is to be changed".to_owned());
        return Ok(if dry_run { Turn::OnlyShown } else { Turn::Done });
    }
    if dry_run {
        return Ok(Turn::OnlyShown);
    }
    if plan.steps.iter().any(|step| matches!(step, Step::Run(words) if exported::restarts_ganesha(words))) {
        root::require_no_jobs(site)
            .context("NFS-Ganesha has to be restarted for this; nothing was changed")?;
    }
    confirmation::agree(yes, "Make these changes?")?;
    perform_all(site, &plan.steps, output)?;
    Ok(Turn::Done)
}

fn show(plan: &Plan, output: &mut Output) {
    for step in &plan.steps {
        output.either(&Line::Planned(step.told()), || format!("will {step}"));
        let diff = step.diff();
        if !diff.is_empty() {
            output.either(&Line::Diff(&diff), || indented(&diff));
        }
    }
    plan.remarks.iter().for_each(|remark| output.either(&Line::Remark(remark), || format!("note: {remark}")));
}

fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// One after the other, up to the first that fails.
fn perform_all(site: &Site, steps: &[Step], output: &mut Output) -> anyhow::Result<()> {
    let state = &site.ghostrc.state_folder;
    let _alone = alone::take(site, "ghostctl setup", output)?;
    let mut made = Made::read(state)?;
    let tells_nfsd = |step: &Step| matches!(step, Step::Run(words) if always::is_exportfs(words));
    if steps.iter().any(tells_nfsd) {
        // The plan has what of these is still to be done.
        made.pending.retain(|words| !always::is_exportfs(words));
    }
    for step in steps {
        if let Step::Run(words) = step
            && !made.pending.contains(words)
        {
            made.pending.push(words.clone());
        }
    }
    for (at, step) in steps.iter().enumerate() {
        if let Err(error) = perform::perform(site, step, &mut made, output) {
            // It may have noted what it then did not make.
            let _told_with_the_error = made.save(state);
            for left in steps.iter().skip(at + 1) {
                output.either_left(&Line::Left(left.told()), || format!("left undone: {left}"));
            }
            let words =
                format!("cannot {step}. What is above was done; when this is mended, give the command again");
            return Err(error.context(words));
        }
        output.either(&Line::Done(step.told()), || format!("done: {step}"));
    }
    Ok(())
}
