use super::*;

fn one(line: &str) -> Mount {
    mounts(line).remove(0).unwrap()
}

#[test]
fn the_mounts_of_a_clients_fstab_are_made_in_its_order() {
    let text = "\
# what a client mounts
192.168.7.1:/tftpboot/root / nfs defaults 1 1
none /dev/pts devpts gid=5,mode=620 0 0
none /proc proc defaults 0 0

tmpfs /tmp tmpfs nosuid,nodev,size=64m,mode=1777 0 0
/dev/hda2 none swap sw 0 0
/dev/fd0 /mnt/floppy vfat noauto,user 0 0
192.168.7.1:/home/ghost /backup nfs rw,hard,intr,rsize=8192 0 0
";
    let targets: Vec<_> = mounts(text).into_iter().map(|mount| mount.unwrap().target).collect();
    assert_eq!(targets, ["/dev/pts", "/proc", "/tmp", "/backup"].map(PathBuf::from));
}

#[test]
fn nothing_is_mounted_over_the_root_however_it_is_written() {
    for root in ["/", "//", "/.", "/..", "/../"] {
        assert!(mounts(&format!("tmpfs {root} tmpfs defaults 0 0")).is_empty(), "{root}");
    }
}

#[test]
fn flags_and_options_are_told_apart() {
    let tmp = one("tmpfs /tmp tmpfs nosuid,nodev,size=64m,mode=1777,x-systemd.automount 0 0");
    assert_eq!(tmp.flags, [MountFlag::NoSuid, MountFlag::NoDev]);
    assert_eq!(tmp.options, "size=64m,mode=1777");
}

#[test]
fn an_nfs_mount_gets_what_no_mount_program_adds_here() {
    let store = one("192.168.7.1:/home/ghost /backup nfs defaults 0 0");
    assert_eq!(store.options, "vers=3,nolock,proto=tcp,addr=192.168.7.1");
    assert_eq!((store.source.as_str(), store.kind.as_str()), ("192.168.7.1:/home/ghost", "nfs"));
}

#[test]
fn an_nfs_mounts_own_words_are_kept() {
    let store = one("192.168.7.1:/home/ghost /backup nfs nfsvers=4.1,udp,lock,addr=1.2.3.4 0 0");
    assert_eq!(store.options, "nfsvers=4.1,udp,lock,addr=192.168.7.1");
}

#[test]
fn an_nfs_mount_of_version_4_keeps_its_locks_at_the_server() {
    for (asked, got) in [
        ("vers=4.1,tcp", "vers=4.1,tcp"),
        ("nfsvers=4", "nfsvers=4,proto=tcp"),
        ("v4", "v4,proto=tcp"),
        ("vers=3,tcp", "vers=3,tcp,nolock"),
    ] {
        let store = one(&format!("192.168.7.1:/home/ghost /backup nfs {asked} 0 0"));
        assert_eq!(store.options, format!("{got},addr=192.168.7.1"));
    }
}

#[test]
fn a_line_that_cannot_be_obeyed_does_not_hide_the_others() {
    let found = mounts("storehouse:/x /backup nfs\nnone /proc\nnone /run\\040time tmpfs");
    let refused = |index: usize| found[index].as_ref().unwrap_err().to_string();
    assert!(
        refused(0).starts_with("'storehouse:/x' does not begin with the numeric address"),
        "{}",
        refused(0)
    );
    assert_eq!(refused(1), "line 2 of fstab has no type of file system");
    assert_eq!(found[2].as_ref().unwrap().target, PathBuf::from("/run time"));
}
