//! What the boot does, and in which order.

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
    let steps = steps(&BootOptions::default(), &interface()).unwrap();
    let bind = |from: &str, onto: &str| BootStep {
        task: Task::Bind { from: from.into(), onto: onto.into() },
        on_failure: OnFailure::Abort,
    };
    assert!(steps.contains(&bind("/192.168.7.2etc", "/etc")));
    assert!(steps.contains(&bind("/192.168.7.2var", "/var")));
}

#[test]
fn a_root_without_trees_is_mounted_read_only_and_the_tree_is_mounted_for_this_client_alone() {
    let options = BootOptions::parse(
        "nfsroot=192.168.7.1:/srv/root,vers=3,tcp,nolock ghost.trees=192.168.7.1:/srv/root.trees",
    );
    let to_root = steps_to_root(&options, "eth0").unwrap();
    let mounts = |steps: &[BootStep]| -> Vec<Mount> {
        let mount = |step: &BootStep| match &step.task {
            Task::Mount(mount) => Some(mount.clone()),
            _ => None,
        };
        steps.iter().filter_map(mount).collect()
    };
    assert_eq!(mounts(&to_root)[0].flags, [MountFlag::ReadOnly, MountFlag::NoDev]);
    let steps = steps(&options, &interface()).unwrap();
    let tree = &mounts(&steps)[0];
    assert_eq!(tree.source, "192.168.7.1:/srv/root.trees/192.168.7.2");
    assert_eq!(tree.flags, [MountFlag::NoSuid, MountFlag::NoDev]);
    assert_eq!(tree.options, "vers=3,tcp,nolock,addr=192.168.7.1");
    let by_4_1 = BootOptions::parse(
        "nfsroot=192.168.7.1:/srv/root,vers=4.1,tcp ghost.trees=192.168.7.1:/srv/root.trees",
    );
    let by_4_1 = self::steps(&by_4_1, &interface()).unwrap();
    assert_eq!(mounts(&by_4_1)[0].options, "vers=4.1,tcp,addr=192.168.7.1");
    let etc = Task::Bind { from: tree.target.join("192.168.7.2etc"), onto: "/etc".into() };
    assert!(position(&steps, &Task::Mount(tree.clone())) < position(&steps, &etc));
    assert!(steps.iter().all(|step| step.task != Task::MakeRootWritable));
}

#[test]
fn only_a_root_in_another_network_needs_the_gateway() {
    let route = |gateway: &str, mask: &str| {
        let line = format!("nfsroot=192.168.7.1:/srv/root ip=192.168.7.129:192.168.7.1:{gateway}:{mask}");
        let to_root = steps_to_root(&BootOptions::parse(&line), "eth0").unwrap();
        let is_route = |step: &BootStep| matches!(step.task, Task::RouteBy { .. });
        to_root.into_iter().find(is_route).map(|step| step.on_failure)
    };
    assert_eq!(route("10.0.0.1", "255.255.255.0"), Some(OnFailure::CarryOn));
    assert_eq!(route("192.168.7.254", "255.255.255.128"), Some(OnFailure::Abort));
    assert_eq!(route("", "255.255.255.0"), None);
}

#[test]
fn with_nfs_4_clients_that_have_no_name_yet_are_told_apart_before_the_root_is_mounted() {
    let steps = |version: &str| {
        let line = format!("nfsroot=192.168.7.1:/srv/root,vers={version},tcp");
        steps_to_root(&BootOptions::parse(&line), "eth0").unwrap()
    };
    let name = BootStep::needed(Task::NameNfsClient { interface: "eth0".to_owned() });
    let at = |steps: &[BootStep], is_it: &dyn Fn(&BootStep) -> bool| steps.iter().position(is_it);
    let version_4 = steps("4.1");
    let mounts = |step: &BootStep| matches!(step.task, Task::Mount(_));
    assert!(at(&version_4, &|step| *step == name).unwrap() < at(&version_4, &mounts).unwrap());
    assert!(!steps("3").contains(&name));
}

#[test]
fn a_root_with_the_trees_in_it_is_mounted_for_writing() {
    let options = BootOptions::parse("nfsroot=192.168.7.1:/srv/root");
    let to_root = steps_to_root(&options, "eth0").unwrap();
    assert!(to_root.iter().any(|step| matches!(&step.task, Task::Mount(mount) if mount.flags.is_empty())));
    assert_eq!(steps(&options, &interface()).unwrap()[0].task, Task::MakeRootWritable);
}

#[test]
fn the_server_hears_of_the_client_before_anything_that_can_wait() {
    let steps = steps(&BootOptions::default(), &interface()).unwrap();
    let report = position(&steps, &Task::OpenReport);
    for later in [
        Task::StartWatchdogs,
        Task::LoadKeyboardDrivers,
        Task::ReadHostTable,
        Task::ReadFstab,
        Task::KeepLease { interface: "eth0".to_owned(), address: interface().ip },
        Task::Arm { interface: "eth0".to_owned() },
    ] {
        assert!(report < position(&steps, &later), "{later}");
    }
}

#[test]
fn the_shared_root_is_protected_after_the_trees_are_bound() {
    let steps = steps(&BootOptions::default(), &interface()).unwrap();
    let var = Task::Bind { from: "/192.168.7.2var".into(), onto: "/var".into() };
    assert!(position(&steps, &var) < position(&steps, &Task::ProtectRoot));
}

#[test]
fn a_shell_is_started_only_when_asked_for() {
    let shell = BootStep::wanted(Task::StartShell);
    let asked = BootOptions { shell: Switch::On, ..BootOptions::default() };
    assert!(steps(&asked, &interface()).unwrap().contains(&shell));
    assert!(!steps(&BootOptions::default(), &interface()).unwrap().contains(&shell));
}
