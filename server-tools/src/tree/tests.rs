//! Given a base root, what does a client's tree look like?

use super::*;
use std::os::unix::fs::symlink;

fn store() -> ImageStore {
    ImageStore { server: [192, 168, 7, 1].into(), path: "/my backup".into() }
}

#[test]
fn the_store_stands_in_fstab_once_and_the_rest_is_kept() {
    let base = "# own\nproc /proc proc defaults 0 0\nold:/x /backup nfs defaults 0 0";
    assert_eq!(
        fstab(base, &store()),
        "# own\nproc /proc proc defaults 0 0\n192.168.7.1:/my\\040backup /backup nfs vers=3,tcp,nolock 0 0\n"
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
    assert!(tree.withdraw(&"a".parse().unwrap()).is_err());
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}
