//! Given an image store that another machine exports, does setup wait for it to be mounted?

use super::machine::Machine;
use super::{FRESH, held};

#[test]
fn in_the_place_of_another_machines_image_store_that_is_not_mounted_nothing_is_made() {
    let machine = Machine::fresh();
    let before = held(&machine);
    let store = ["--store", "/srv/images", "--store-export", "192.168.7.100:/images"];
    // The folders of a test's machine are mounted, as those of a container are, of which less is known.
    let said = machine.does_after("mount -t tmpfs tmpfs /srv", 78..=78, &[&FRESH[..], &store].concat());
    let mend = "'mkdir -p /srv/images && mount 192.168.7.100:/images /srv/images'";
    assert!(said.contains("nothing was changed") && said.contains(mend), "{said}");
    assert_eq!(held(&machine), before);
    assert!(!machine.path("srv/images").exists());
    // Nor does doctor take a folder of this machine for it.
    machine.does(0, &FRESH);
    let ghostrc = machine.text("etc/ghostrc").replace(":/srv/ghost ", ":/images ");
    machine.write("etc/ghostrc", &ghostrc.replace("GHSTNFS=192.168.7.1:", "GHSTNFS=192.168.7.100:"));
    let on_a_disk = "mount -t tmpfs tmpfs /srv/ghost";
    let said = machine.does_after(on_a_disk, 78..=78, &["doctor"]);
    let words = "BAD      same place: another machine exports GHSTNFS (192.168.7.100:/images), and /srv/ghost is on a disk of this one";
    assert!(
        said.contains(words) && said.contains("mend: mount it: 'mount 192.168.7.100:/images /srv/ghost'"),
        "{said}"
    );
    let add = ["hosts", "add", "--yes", "pc7", "2:0:0:0:0:7", "192.168.7.7"];
    let said = machine.does_after(on_a_disk, 78..=78, &add);
    assert!(said.contains("nothing is mounted at /srv/ghost here"), "{said}");
}
