//! The boot as a table: which steps, in which order, and whether the job goes on when one fails.
//!
//! Does none of the steps. To boot in another way, write another table.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ghost_contract::layout;

use crate::cmdline::{BootOptions, Switch};
use crate::fstab::{Mount, MountFlag};
use crate::network::BootInterface;
use crate::task::Task;

/// What it means when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// The machine is powered off.
    Abort,
    /// It is reported, and the boot goes on.
    CarryOn,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BootStep {
    pub task: Task,
    /// What it means when that fails.
    pub on_failure: OnFailure,
}

impl BootStep {
    /// A step without which nothing can go on.
    pub(crate) const fn needed(task: Task) -> Self {
        Self { task, on_failure: OnFailure::Abort }
    }

    /// A step that the job may do without.
    pub(crate) const fn wanted(task: Task) -> Self {
        Self { task, on_failure: OnFailure::CarryOn }
    }
}

/// The steps that need no options. An initramfs may have mounted these already.
pub(crate) fn first_steps() -> Vec<BootStep> {
    let no_programs = vec![MountFlag::NoSuid, MountFlag::NoExec, MountFlag::NoDev];
    let kernel = |kind: &str, target: &str, flags: Vec<MountFlag>, options: &str| {
        Task::Mount(Mount {
            source: kind.to_owned(),
            target: PathBuf::from(target),
            kind: kind.to_owned(),
            flags,
            options: options.to_owned(),
        })
    };
    vec![
        BootStep::needed(kernel("proc", "/proc", no_programs.clone(), "")),
        BootStep::wanted(kernel("sysfs", "/sys", no_programs, "")),
        BootStep::wanted(kernel("devtmpfs", "/dev", vec![MountFlag::NoSuid], "mode=755")),
        BootStep::wanted(kernel("tmpfs", "/run", vec![MountFlag::NoSuid, MountFlag::NoDev], "mode=755")),
        BootStep::needed(Task::LookAround),
    ]
}

/// What is done once the options and the interface are known. `ReadFstab` and `ReadHostTable` bring steps of
/// their own, which are done before the next line.
pub(crate) fn steps(options: &BootOptions, interface: &BootInterface) -> Vec<BootStep> {
    let mut steps = vec![
        BootStep::wanted(Task::MakeRootWritable),
        BootStep::needed(bind(layout::tree_etc, interface.ip, "/etc")),
        BootStep::needed(bind(layout::tree_var, interface.ip, "/var")),
        BootStep::needed(Task::OpenReport),
        BootStep::wanted(Task::ProtectRoot),
        BootStep::wanted(Task::StartWatchdogs),
        // Ctrl-Alt-Del is to work while the job is announced, on any keyboard.
        BootStep::wanted(Task::LoadKeyboardDrivers),
        BootStep::wanted(Task::RaiseLoopback),
        BootStep::wanted(Task::ReadHostTable),
        BootStep::wanted(Task::Arm { interface: interface.name.clone() }),
        BootStep::wanted(Task::ReadFstab),
    ];
    if options.shell == Switch::On {
        steps.push(BootStep::wanted(Task::StartShell));
    }
    steps.push(BootStep::needed(Task::FlushReport));
    steps
}

fn bind(folder: fn(Ipv4Addr) -> String, ip: Ipv4Addr, onto: &str) -> Task {
    Task::Bind { from: Path::new("/").join(folder(ip)), onto: PathBuf::from(onto) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface() -> BootInterface {
        BootInterface {
            name: "eth0".to_owned(),
            mac: "52:54:00:12:34:56".parse().unwrap(),
            ip: Ipv4Addr::new(192, 168, 7, 2),
        }
    }

    fn position(steps: &[BootStep], wanted: &Task) -> usize {
        steps.iter().position(|step| step.task == *wanted).unwrap()
    }

    #[test]
    fn the_trees_are_this_clients_and_nothing_goes_on_without_them() {
        let steps = steps(&BootOptions::default(), &interface());
        let bind = |from: &str, onto: &str| BootStep {
            task: Task::Bind { from: from.into(), onto: onto.into() },
            on_failure: OnFailure::Abort,
        };
        assert!(steps.contains(&bind("/192.168.7.2etc", "/etc")));
        assert!(steps.contains(&bind("/192.168.7.2var", "/var")));
    }

    #[test]
    fn the_server_hears_of_the_client_before_anything_that_can_wait() {
        let steps = steps(&BootOptions::default(), &interface());
        let report = position(&steps, &Task::OpenReport);
        for later in [
            Task::StartWatchdogs,
            Task::LoadKeyboardDrivers,
            Task::ReadHostTable,
            Task::ReadFstab,
            Task::Arm { interface: "eth0".to_owned() },
        ] {
            assert!(report < position(&steps, &later), "{later}");
        }
    }

    #[test]
    fn the_shared_root_is_protected_after_the_trees_are_bound() {
        let steps = steps(&BootOptions::default(), &interface());
        let var = Task::Bind { from: "/192.168.7.2var".into(), onto: "/var".into() };
        assert!(position(&steps, &var) < position(&steps, &Task::ProtectRoot));
    }

    #[test]
    fn a_shell_is_started_only_when_asked_for() {
        let shell = BootStep::wanted(Task::StartShell);
        let asked = BootOptions { shell: Switch::On, ..BootOptions::default() };
        assert!(steps(&asked, &interface()).contains(&shell));
        assert!(!steps(&BootOptions::default(), &interface()).contains(&shell));
    }
}
