//! Given a base root, what does a client's tree look like?

use std::fs;
use std::num::NonZeroU16;
use std::os::unix::fs::{PermissionsExt, symlink};

use ghost_contract::{Mode, NfsVersion, sample};

use super::*;

fn store() -> ImageStore {
    ImageStore {
        server: [192, 168, 7, 1].into(),
        path: "/my backup".into(),
        only: None,
        generation: None,
        nfs: NfsVersion::V3,
        mountd_port: None,
    }
}

#[test]
fn the_store_stands_in_fstab_once_and_the_rest_is_kept() {
    let base = "# own\nproc /proc proc defaults 0 0\nold:/x /backup nfs defaults 0 0";
    assert_eq!(
        fstab(base, &store()),
        "# own\nproc /proc proc defaults 0 0\n192.168.7.1:/my\\040backup /backup nfs vers=3,tcp,nolock,nosuid,nodev,noexec 0 0\n"
    );
}

/// As the client takes fstab apart and compares places.
#[test]
fn another_file_system_is_left_out_however_the_place_of_the_store_is_written() {
    for line in ["old:/x /backup/ nfs", "old:/x //backup nfs", "o\u{a0}ld:/x\t/backup\tnfs"] {
        assert_eq!(fstab(line, &store()).lines().count(), 1, "{line}");
    }
    assert_eq!(fstab("/dev/sda1 /backups ext4", &store()).lines().count(), 2);
}

#[test]
fn of_a_store_of_which_the_client_has_its_own_folder_only_that_is_mounted() {
    let newer = ImageStore { nfs: NfsVersion::V4_1, ..store() };
    assert!(fstab("", &newer).contains(" nfs vers=4.1,tcp,nosuid,nodev,noexec 0 0\n"));
    let known = ImageStore { mountd_port: NonZeroU16::new(20_048), ..store() };
    assert!(
        fstab("", &known)
            .contains(" nfs vers=3,tcp,nolock,port=2049,mountport=20048,nosuid,nodev,noexec 0 0\n")
    );
    let store = ImageStore { only: Some("john".parse().unwrap()), ..store() };
    assert_eq!(
        fstab("old:/x /backup nfs defaults 0 0\n", &store),
        "tmpfs /backup tmpfs size=64k,mode=755,nosuid,nodev,noexec 0 0\n\
         192.168.7.1:/my\\040backup/john /backup/john nfs vers=3,tcp,nolock,nosuid,nodev,noexec 0 0\n"
    );
}

#[test]
fn a_planted_link_does_not_lead_the_order_out_of_the_tree() {
    let base = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let tree = Tree::of(base.path(), Ipv4Addr::new(192, 168, 7, 2));
    fs::create_dir_all(tree.etc()).unwrap();
    symlink(outside.path(), tree.etc().join("ghost")).unwrap();
    assert!(tree.ask_to_stop().is_err());
    fs::write(outside.path().join("order.json"), "theirs").unwrap();
    tree.withdraw(&"a".parse().unwrap()).unwrap();
    assert!(!tree.etc().join("ghost").is_symlink(), "no order is found by its name any more");
    assert_eq!(fs::read(outside.path().join("order.json")).unwrap(), b"theirs");
}

fn base_root() -> tempfile::TempDir {
    let base = tempfile::tempdir().unwrap();
    fs::create_dir_all(base.path().join("etc")).unwrap();
    fs::create_dir_all(base.path().join("var/lib/apt/lists")).unwrap();
    fs::write(base.path().join("etc/hostname"), "client\n").unwrap();
    fs::write(base.path().join("var/lib/apt/lists/debian"), "long").unwrap();
    base
}

fn order(job: &str) -> Order {
    Order { job: job.parse().unwrap(), ..sample::order(Mode::Test) }
}

#[test]
fn a_tree_is_fresh_for_every_job_and_nothing_is_left_beside_it() {
    let base = base_root();
    let tree = Tree::of(base.path(), Ipv4Addr::new(192, 168, 7, 2));
    for job in ["first", "second"] {
        let order = order(job);
        tree.make(&Contents { order: &order, luks_key: None, host_table: "00:e0:7d:c9:1a:2b john\n" })
            .unwrap();
        assert_eq!(tree.order().unwrap(), Some(order));
        assert_eq!(fs::read(tree.etc().join("hostname")).unwrap(), b"client\n");
        assert_eq!(fs::read(tree.etc().join(layout::HOST_TABLE)).unwrap(), b"00:e0:7d:c9:1a:2b john\n");
        assert_eq!(fs::read_dir(tree.var().join(layout::CLAIMS)).unwrap().count(), 0);
        assert_eq!(fs::read_dir(tree.var().join("lib/apt/lists")).unwrap().count(), 0);
        fs::write(tree.var().join(layout::CLAIMS).join(job), "").unwrap();
    }
    assert_eq!(fs::read_dir(base.path()).unwrap().count(), 4);
}

#[test]
fn a_tree_that_cannot_be_made_leaves_the_old_one_alone() {
    let base = base_root();
    let tree = Tree::of(base.path(), Ipv4Addr::new(192, 168, 7, 2));
    let (first, second) = (order("first"), order("second"));
    tree.make(&Contents { order: &first, luks_key: None, host_table: "" }).unwrap();
    fs::write(tree.var().join(layout::REPORT), "theirs").unwrap();
    fs::create_dir(base.path().join("etc/fstab")).unwrap();
    assert!(tree.make(&Contents { order: &second, luks_key: None, host_table: "" }).is_err());
    assert_eq!(tree.order().unwrap(), Some(first));
    assert_eq!(tree.whole_report().unwrap(), b"theirs");
}

#[test]
fn whatever_a_client_has_made_of_its_tree_the_order_is_withdrawn_and_the_next_tree_is_made() {
    type Spoil = fn(&Tree);
    let spoil: [(&str, Spoil); 9] = [
        ("the order a FIFO", |tree| {
            fs::remove_file(tree.etc().join(layout::ORDER)).unwrap();
            nix::unistd::mkfifo(&tree.etc().join(layout::ORDER), nix::sys::stat::Mode::S_IRUSR).unwrap();
        }),
        ("the order a folder", |tree| {
            fs::remove_file(tree.etc().join(layout::ORDER)).unwrap();
            fs::create_dir_all(tree.etc().join(layout::ORDER).join("full")).unwrap();
        }),
        ("a folder beside the order", |tree| {
            fs::create_dir_all(tree.etc().join("ghost/.new-order.json/full")).unwrap();
        }),
        ("a folder beside a key", |tree| {
            fs::create_dir_all(tree.etc().join("ghost/.new-luks.key/full")).unwrap();
        }),
        ("its folder a file", |tree| {
            fs::remove_dir_all(tree.etc().join("ghost")).unwrap();
            fs::write(tree.etc().join("ghost"), "").unwrap();
        }),
        ("the tree a link", |tree| {
            fs::remove_dir_all(tree.etc()).unwrap();
            symlink("/etc", tree.etc()).unwrap();
        }),
        ("no tree", |tree| fs::remove_dir_all(tree.etc()).unwrap()),
        ("a tree that never ends", |tree| {
            let mut deepest = Folder::open(&tree.etc()).unwrap();
            for _ in 0..200 {
                deepest.make_folder("deep", 0o700).unwrap();
                deepest = deepest.folder("deep").unwrap();
            }
        }),
        ("one beside it that was being made", |tree| {
            let beside = tree.etc().with_file_name(".192.168.7.2etc.new");
            fs::create_dir_all(beside.join("ghost")).unwrap();
            fs::write(beside.join(layout::ORDER), "an order").unwrap();
        }),
    ];
    for (what, spoil) in spoil {
        let base = base_root();
        let tree = Tree::of(base.path(), Ipv4Addr::new(192, 168, 7, 2));
        let order = order("first");
        tree.make(&Contents { order: &order, luks_key: None, host_table: "" }).unwrap();
        spoil(&tree);
        tree.withdraw(&order.job).unwrap_or_else(|error| panic!("{what}: {error:#}"));
        assert_eq!(tree.order().unwrap(), None, "{what}");
        assert!(!base.path().join(".192.168.7.2etc.new").exists(), "{what}");
        tree.make(&Contents { order: &order, luks_key: None, host_table: "" })
            .unwrap_or_else(|error| panic!("{what}: {error:#}"));
        assert_eq!(tree.order().unwrap(), Some(order), "{what}");
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 4, "{what}");
    }
}

#[test]
fn a_fifo_as_fstab_is_not_waited_for() {
    let base = base_root();
    nix::unistd::mkfifo(&base.path().join("etc/fstab"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    let tree = Tree::of(base.path(), Ipv4Addr::new(192, 168, 7, 2));
    let error = tree.make(&Contents { order: &order("first"), luks_key: None, host_table: "" }).unwrap_err();
    assert!(format!("{error:#}").ends_with("etc/fstab: it is not a regular file"), "{error:#}");
}

#[test]
fn the_driver_of_a_device_in_a_tree_is_not_called() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let devices = tempfile::tempdir().unwrap();
    for (name, _kind) in crate::sys::folder::made_devices(devices.path()) {
        let base = base_root();
        let tree = Tree::of(base.path(), Ipv4Addr::new(192, 168, 7, 2));
        let order = order("first");
        let contents = Contents { order: &order, luks_key: None, host_table: "" };
        tree.make(&contents).unwrap();
        let device = devices.path().join(name);
        for path in
            [tree.etc().join(layout::ORDER), tree.var().join(layout::REPORT), base.path().join("etc/fstab")]
        {
            let _was_there = fs::remove_file(&path);
            fs::hard_link(&device, path).unwrap();
        }
        let said = [
            tree.order().map(drop),
            tree.whole_report().map(drop),
            tree.more_of_report(0, 10).map(drop),
            tree.make(&contents),
        ];
        for said in said {
            let said = format!("{:#}", said.unwrap_err());
            assert!(said.ends_with("it is not a regular file"), "{said}");
        }
        tree.withdraw(&order.job).unwrap();
        fs::remove_file(base.path().join("etc/fstab")).unwrap();
        tree.make(&contents).unwrap();
        assert_eq!(tree.order().unwrap(), Some(order));
        assert!(!tree.var().join(layout::REPORT).exists());
    }
}

#[test]
fn orders_and_reports_are_roots_alone() {
    let base = base_root();
    let tree = Tree::of(base.path(), Ipv4Addr::new(192, 168, 7, 2));
    tree.make(&Contents { order: &order("first"), luks_key: None, host_table: "" }).unwrap();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(tree.etc().join(layout::ORDER)), 0o600);
    assert_eq!(mode(tree.etc().join("ghost")), 0o700);
    assert_eq!(mode(tree.var().join("ghost")), 0o700);
}

#[test]
fn a_key_is_for_root_only_and_goes_with_its_order_and_from_what_a_crash_left() {
    let base = base_root();
    let tree = Tree::of(base.path(), Ipv4Addr::new(192, 168, 7, 2));
    let with_key = order("first");
    let contents = Contents { order: &with_key, luks_key: Some(b"secret"), host_table: "" };
    tree.make(&contents).unwrap();
    let key = tree.etc().join(layout::LUKS_KEY);
    assert_eq!(fs::read(&key).unwrap(), b"secret");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o7777, 0o600);
    tree.withdraw(&"another".parse().unwrap()).unwrap();
    assert!(key.exists(), "it is another job's");
    let beside = base.path().join(".192.168.7.2etc.new/ghost");
    fs::create_dir_all(&beside).unwrap();
    fs::write(beside.join("luks.key"), "secret").unwrap();
    tree.withdraw(&"first".parse().unwrap()).unwrap();
    assert!(!key.exists() && !beside.exists() && tree.order().unwrap().is_none());
    fs::write(&key, "left without its order").unwrap();
    tree.withdraw(&"first".parse().unwrap()).unwrap();
    assert!(!key.exists());
}

/// A base root, and beside it the client's tree in a folder of its own.
fn own() -> (tempfile::TempDir, PathBuf, Tree) {
    let server = tempfile::tempdir().unwrap();
    let base = server.path().join("root");
    fs::create_dir_all(base.join("etc")).unwrap();
    fs::create_dir_all(base.join("var")).unwrap();
    fs::write(base.join("etc/hostname"), "client\n").unwrap();
    let tree = Tree::in_own_folder(&base, Ipv4Addr::new(192, 168, 7, 2));
    (server, base, tree)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_tree_of_its_own_lies_beside_the_base_root_in_a_folder_that_stays() {
    use std::os::unix::fs::MetadataExt as _;
    let (_server, base, tree) = own();
    let identity = || fs::metadata(tree.home()).unwrap().ino();
    let order = order("first");
    let contents = Contents { order: &order, luks_key: None, host_table: "" };
    tree.make(&contents).unwrap();
    let exported = identity();
    tree.make(&contents).unwrap();
    assert_eq!(identity(), exported, "an NFS server holds on to it");
    assert_eq!(names(&base), ["etc", "var"], "nothing is written into the base root");
    assert_eq!(names(tree.home()), ["192.168.7.2etc", "192.168.7.2var"]);
    assert_eq!(fs::read(tree.etc().join("hostname")).unwrap(), b"client\n");
    assert_eq!(tree.order().unwrap(), Some(order.clone()));
    for folder in [tree.home(), tree.home().parent().unwrap()] {
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700, "{}", folder.display());
    }
    tree.withdraw(&order.job).unwrap();
    assert_eq!(tree.order().unwrap(), None);
}

#[test]
fn a_tree_that_lies_in_the_base_root_from_before_goes_when_the_client_gets_one_of_its_own() {
    let (_server, base, tree) = own();
    let order = order("first");
    let contents = Contents { order: &order, luks_key: None, host_table: "" };
    Tree::of(&base, Ipv4Addr::new(192, 168, 7, 2)).make(&contents).unwrap();
    Tree::of(&base, Ipv4Addr::new(192, 168, 7, 3)).make(&contents).unwrap();
    tree.make(&contents).unwrap();
    assert_eq!(names(&base), ["192.168.7.3etc", "192.168.7.3var", "etc", "var"]);
}

#[test]
fn before_the_first_job_there_is_no_tree_and_that_is_no_error() {
    let (_server, _base, tree) = own();
    assert_eq!(tree.order().unwrap(), None);
    assert_eq!(tree.whole_report().unwrap(), b"");
    tree.withdraw(&"a".parse().unwrap()).unwrap();
}

#[test]
fn what_a_client_plants_in_its_own_folder_leads_neither_order_nor_tree_out_of_it() {
    let (server, _base, tree) = own();
    let order = order("first");
    let contents = Contents { order: &order, luks_key: Some(b"secret"), host_table: "" };
    tree.make(&contents).unwrap();
    let outside = server.path().join("outside");
    fs::create_dir(&outside).unwrap();
    for name in ["192.168.7.2etc", "192.168.7.2var", ".192.168.7.2etc.new", ".192.168.7.2var.new"] {
        let place = tree.home().join(name);
        if place.exists() {
            fs::remove_dir_all(&place).unwrap();
        }
        symlink(&outside, place).unwrap();
    }
    assert!(tree.ask_to_stop().is_err());
    tree.make(&contents).unwrap();
    assert_eq!(names(&outside), [""; 0]);
    assert_eq!(names(tree.home()), ["192.168.7.2etc", "192.168.7.2var"]);
    assert_eq!(tree.order().unwrap(), Some(order));
}

#[test]
fn a_tree_that_its_client_has_given_another_name_goes_with_its_order_and_key() {
    let (_server, _base, tree) = own();
    let order = order("first");
    let contents = Contents { order: &order, luks_key: Some(b"secret"), host_table: "" };
    let rename = || {
        fs::rename(tree.etc(), tree.home().join("kept")).unwrap();
        fs::write(tree.home().join("more"), "").unwrap();
        symlink("/etc", tree.home().join("link")).unwrap();
        assert!(tree.home().join("kept/ghost/luks.key").exists());
    };
    tree.make(&contents).unwrap();
    rename();
    tree.withdraw(&order.job).unwrap();
    assert_eq!(names(tree.home()), ["192.168.7.2var"]);
    tree.make(&contents).unwrap();
    rename();
    tree.make(&contents).unwrap();
    assert_eq!(names(tree.home()), ["192.168.7.2etc", "192.168.7.2var"]);
}

/// What a client fills all the time, or a folder that cannot be removed for another reason.
#[test]
fn order_and_key_go_even_if_what_is_beside_them_cannot_be_removed() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for stays in [".192.168.7.2etc.new", ".192.168.7.2var.new.old", "192.168.7.2etc/ghost/.new-order.json"] {
        let tests = |(_server, tree): (tempfile::TempDir, Tree)| {
            let order = order("first");
            tree.make(&Contents { order: &order, luks_key: Some(b"secret"), host_table: "" }).unwrap();
            let stays = tree.home().join(stays);
            crate::sys::folder::with_one_that_stays(&stays, || {
                assert!(tree.withdraw(&order.job).is_err(), "{} is still there", stays.display());
                assert_eq!(tree.order().unwrap(), None, "{}", stays.display());
                assert!(!tree.etc().join(layout::LUKS_KEY).exists(), "{}", stays.display());
            });
            tree.withdraw(&order.job).unwrap();
            assert!(!stays.exists());
        };
        let base = base_root();
        let common = Tree::of(base.path(), Ipv4Addr::new(192, 168, 7, 2));
        tests((base, common));
        let (server, _base, tree) = own();
        tests((server, tree));
    }
}
