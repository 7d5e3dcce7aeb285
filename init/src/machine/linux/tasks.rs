//! Maps each task to its calls of [`crate::sys`]. Runs in the task's own thread.

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;
use ghost_contract::{ethers, layout};
use nix::sys::utsname::uname;

use super::imaging::Bench;
use crate::failure::Failure;
use crate::memory;
use crate::sys::child::{Children, Departure};
use crate::sys::power_button::PowerButton;
use crate::sys::report_file::ReportFile;
use crate::sys::way_out::WayOut;
use crate::sys::{
    card, dhcp, ethtool, file, interface, modules, mount, neighbours, network, nfs_client, order_file, power,
    root, shell, store,
};
use crate::task::{Finding, Surroundings, Task};

/// What the tasks of this machine have in common.
#[derive(Clone)]
pub(super) struct Workplace {
    pub(super) children: Arc<Children>,
    pub(super) report: ReportFile,
    pub(super) bench: Bench,
    pub(super) way_out: WayOut,
    /// The devices that drivers were loaded for on the way to the root.
    pub(super) asked: card::Asked,
    pub(super) button: PowerButton,
}

/// Does a task; `child_ended` is told how the child ended that it starts, if it starts one that matters. A
/// panic in it is a failure of the task, and of nothing else.
pub(super) fn carry_out(
    task: Task,
    workplace: &Workplace,
    child_ended: impl FnOnce(Departure) + Send + 'static,
) -> Result<Finding, Failure> {
    let name = task.to_string();
    let attempt = AssertUnwindSafe(|| attempt(task, workplace, child_ended));
    panic::catch_unwind(attempt).unwrap_or_else(|_| Err(anyhow!("a bug in '{name}'"))).map_err(Failure::from)
}

fn attempt(
    task: Task,
    workplace: &Workplace,
    child_ended: impl FnOnce(Departure) + Send + 'static,
) -> anyhow::Result<Finding> {
    let Workplace { children, report, bench, way_out, asked, button } = workplace;
    match task {
        Task::Mount(wanted) => mount::mount_unless_mounted(&wanted)?,
        Task::Bind { from, onto } => mount::bind(&from, &onto)?,
        Task::MakeRootWritable => mount::make_root_writable()?,
        Task::ProtectRoot => mount::protect(Path::new("/"))?,
        Task::OpenReport => {
            report.open()?;
            return Ok(Finding::ReportOpened);
        }
        Task::BeSpared => power::never_end_for_memory()?,
        Task::LookAround => return look_around(way_out),
        Task::ReadFstab => return Ok(Finding::Fstab(file::text(Path::new("/etc/fstab"))?)),
        Task::ReadHostTable => return read_host_table(),
        Task::SetHostName(name) => nix::unistd::sethostname(name.for_kernel())?,
        Task::FindCard(mac) => return Ok(Finding::Card(card::find(mac, asked, children)?)),
        Task::Raise { interface } => asked.explain(interface::raise(&interface))?,
        Task::CheckLink { interface } => asked.explain(interface::ensure_link(&interface))?,
        Task::CheckAddress { interface, address, neighbour } => {
            return neighbours::check_address(&interface, address, neighbour);
        }
        Task::GiveAddress { interface, address } => interface::give_address(&interface, address)?,
        Task::RouteBy { gateway } => interface::route_by(gateway)?,
        Task::KeepLease { interface, address } => dhcp::keep(children, &interface, address)?,
        Task::NameNfsClient { interface } => nfs_client::take_name(children, &interface)?,
        Task::AskForAddress { interface } => dhcp::ask(children, &interface)?,
        Task::EnterRoot(root) => root::enter(&root)?,
        Task::Arm { interface } => return Ok(Finding::WakeOnLan(ethtool::arm(&interface)?)),
        Task::StartWatchdogs => return Ok(Finding::Watchdogs(way_out.watchdogs.start(children)?)),
        Task::LoadKeyboardDrivers => modules::load_for_keyboards(children)?,
        Task::WatchPowerButton => button.watch()?,
        Task::FlushReport => return Ok(Finding::Flushed(report.flush()?)),
        Task::ReadOrder => return order_file::read(Path::new("/etc")),
        Task::Claim(job) => return order_file::claim(Path::new("/var"), &job),
        Task::LookForStop => return order_file::look_for_stop(Path::new("/etc")),
        Task::OpenStore(image_store, nonce) => store::open(&image_store, &nonce)?,
        Task::StartShellServer { authorized_keys } => {
            return Ok(Finding::ShellServer(shell::start_server(children, &authorized_keys)?));
        }
        Task::StartSleep(duration) => shell::start_sleep(children, duration, child_ended)?,
        Task::StartShell => shell::start_on_screen(children)?,
        Task::PrepareImager(job) => return bench.prepare(&job, children),
        Task::StartImager => return bench.start(children, child_ended),
        Task::LookAtImager { interface, glance } => return bench.look(&interface, glance),
        Task::Type(keys) => return bench.type_keys(&keys),
        Task::Capture { name } => return bench.capture(name),
        Task::RemoveScreenshot { name } => return bench.remove(&name),
        Task::EndImager(farewell) => return bench.end(farewell),
        Task::JudgeImager => return bench.judge(),
        // Done by signals alone, in the loop.
        Task::EndProcesses(_) => {}
        Task::CloseStore => store::close()?,
        Task::Sync => power::sync(),
    }
    Ok(Finding::Done)
}

fn look_around(way_out: &WayOut) -> anyhow::Result<Finding> {
    Ok(Finding::Surroundings(Surroundings {
        root: root::kind(),
        command_line: file::text(Path::new("/proc/cmdline"))?,
        power_switch: way_out.look(),
        memory: Some(memory::total(&file::text(Path::new("/proc/meminfo"))?)?),
        kernel: uname()?.release().to_string_lossy().into_owned(),
        interfaces: network::interfaces()?,
        routes: network::routes()?,
    }))
}

fn read_host_table() -> anyhow::Result<Finding> {
    let path = Path::new("/etc").join(layout::HOST_TABLE);
    Ok(Finding::Hosts(ethers::read(&file::bytes(&path)?)))
}
