//! Which call of [`crate::sys`] each task is. Runs in the task's own thread.

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use ghost_contract::dhcp::HostTable;
use ghost_contract::layout;
use nix::sys::utsname::uname;

use crate::failure::Failure;
use crate::sys::child::{Children, Departure};
use crate::sys::report_file::ReportFile;
use crate::sys::{ethtool, file, mount, network, order_file, power, shell, store};
use crate::task::{Finding, Surroundings, Task};

/// Does a task. A panic in it is a failure of the task, and of nothing else.
pub(super) fn carry_out(
    task: Task,
    children: &Children,
    report: &ReportFile,
    sleep_ended: impl FnOnce(Departure) + Send + 'static,
) -> Result<Finding, Failure> {
    let name = task.to_string();
    let attempt = AssertUnwindSafe(|| attempt(task, children, report, sleep_ended));
    panic::catch_unwind(attempt).unwrap_or_else(|_| Err(Failure::new(format!("a bug in '{name}'"))))
}

fn attempt(
    task: Task,
    children: &Children,
    report: &ReportFile,
    sleep_ended: impl FnOnce(Departure) + Send + 'static,
) -> Result<Finding, Failure> {
    match task {
        Task::Mount(wanted) => mount::mount_unless_mounted(&wanted)?,
        Task::Bind { from, onto } => mount::bind(&from, &onto)?,
        Task::MakeRootWritable => mount::make_root_writable()?,
        Task::ProtectRoot => mount::protect_root()?,
        Task::OpenReport => {
            report.open()?;
            return Ok(Finding::ReportOpened);
        }
        Task::LookAround => return look_around(),
        Task::ReadFstab => return Ok(Finding::Fstab(file::text(Path::new("/etc/fstab"))?)),
        Task::ReadHostTable => return read_host_table(),
        Task::SetHostName(name) => nix::unistd::sethostname(name.as_str())?,
        Task::RaiseLoopback => network::raise_loopback()?,
        Task::Arm { interface } => return Ok(Finding::WakeOnLan(ethtool::arm(&interface)?)),
        Task::FlushReport => return Ok(Finding::Flushed(report.flush()?)),
        Task::ReadOrder => return Ok(order_file::read(Path::new("/etc"))?),
        Task::Claim(job) => return Ok(order_file::claim(Path::new("/var"), &job)?),
        Task::OpenStore(image_store, nonce) => store::open(&image_store, &nonce)?,
        Task::StartShellServer { authorized_keys } => {
            return Ok(Finding::ShellServer(shell::start_server(children, &authorized_keys)?));
        }
        Task::StartSleep(duration) => shell::start_sleep(children, duration, sleep_ended)?,
        Task::StartShell => shell::start_on_screen(children)?,
        // Done by signals alone, in the loop.
        Task::EndProcesses(_) => {}
        Task::CloseStore => store::close()?,
        Task::Sync => power::sync(),
    }
    Ok(Finding::Done)
}

fn look_around() -> Result<Finding, Failure> {
    Ok(Finding::Surroundings(Surroundings {
        command_line: file::text(Path::new("/proc/cmdline"))?,
        kernel: uname()?.release().to_string_lossy().into_owned(),
        interfaces: network::interfaces()?,
        routes: network::routes()?,
    }))
}

fn read_host_table() -> Result<Finding, Failure> {
    let path = Path::new("/etc").join(layout::HOST_TABLE);
    let table = HostTable::of_one_file(&path, file::bytes(&path)?);
    Ok(Finding::Hosts(table.clients().collect()))
}
