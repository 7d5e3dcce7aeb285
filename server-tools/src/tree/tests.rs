//! Given a base root, what does a client's tree look like?

use std::os::unix::fs::symlink;

use ghost_contract::{Mode, sample};

use super::*;

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
        tree.make(&Contents { order: &order, host_table: "00:e0:7d:c9:1a:2b john\n" }).unwrap();
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
    tree.make(&Contents { order: &first, host_table: "" }).unwrap();
    fs::write(tree.var().join(layout::REPORT), "theirs").unwrap();
    fs::create_dir(base.path().join("etc/fstab")).unwrap();
    assert!(tree.make(&Contents { order: &second, host_table: "" }).is_err());
    assert_eq!(tree.order().unwrap(), Some(first));
    assert_eq!(tree.whole_report().unwrap(), b"theirs");
}
