//! Generations of chosen partitions.

use std::fs;

use crate::boot_server::{BootServer, said};
use crate::client::{Behaviour, Client};
use crate::saved_disk::SavedDisk;

use super::{GENERATION, Store};

#[test]
fn a_generation_of_some_partitions_says_so_and_is_never_taken_for_a_whole_one() {
    const PART: &str = "20260223-142501-4f3a";
    let store = Store::new();
    store.disk.put_generation_of_a_part(&store.server, PART);
    store.server.set("GENERATIONS", "1");
    store.server.set("KEEP_DAYS", "0");
    let lacks = "not in the image: all but partition 1, as chosen";
    let listed = said(&store.images(&["list"]));
    assert!(listed.lines().nth(1).unwrap().ends_with(lacks), "{listed}");
    let verified = said(&store.images(&["verify", "pc2", PART]));
    assert!(verified.trim_end().ends_with(&format!("has its checksum; {lacks}")), "{verified}");
    let pruned = said(&store.images(&["prune"]));
    assert!(pruned.contains("removed no generation"), "{pruned}");
    let removed = said(&store.images(&["rm", "--dry-run", "pc2", GENERATION]));
    assert!(removed.contains("the last good generation"), "{removed}");
    let removed = said(&store.images(&["rm", "--dry-run", "pc2", PART]));
    assert!(removed.contains("a good generation of some partitions"), "{removed}");
    for (flags, taken) in [
        (&[][..], GENERATION),
        (&["--partition", "1"], PART),
        (&["--partition", "2"], GENERATION),
        (&["--partition", "1,2"], GENERATION),
    ] {
        let would = store.server.run(&[&["restore", "--dry-run"], flags, &["pc2"]].concat());
        assert!(said(&would).contains(&format!("run restore of {taken}")), "{flags:?}: {}", said(&would));
    }
    let exported = store.server.path("exported");
    let words = ["export", "--generation", PART, "--format", "raw", "pc2", exported.to_str().unwrap()];
    let refused = store.images(&words);
    assert!(said(&refused).contains("holds only partition 1 of the disk"), "{}", said(&refused));
    assert!(!exported.exists());
}

#[test]
fn chosen_partitions_are_in_the_order_whose_version_older_clients_refuse() {
    let server = BootServer::with_hosts(1);
    server.set("IMAGER", "linux");
    let (order, seen) = (server.path("base/192.168.7.2etc/ghost/order.json"), server.path("seen"));
    let keep = {
        let seen = seen.clone();
        move || fs::copy(&order, &seen).is_ok()
    };
    let client = Client::waiting(&server, 2, Behaviour::SavesADisk, Box::new(keep));
    let backup = server.run(&["backup", "--partition", "2,3", "pc2"]);
    assert_eq!(backup.status.code(), Some(0), "{}", said(&backup));
    drop(client);
    let order: serde_json::Value = serde_json::from_slice(&fs::read(seen).unwrap()).unwrap();
    assert_eq!((&order["version"], &order["imager"]["partitions"]), (&2.into(), &serde_json::json!([2, 3])));
    let both = server.run(&["backup", "--partition", "2", "--all-disks", "pc2"]);
    assert_eq!(both.status.code(), Some(2), "{}", said(&both));
    let zero = server.run(&["restore", "--partition", "0", "pc2"]);
    assert!(said(&zero).contains("partitions have numbers from 1 on"), "{}", said(&zero));
}

#[test]
fn that_there_are_generations_of_single_partitions_is_said_with_how_to_write_one_back() {
    const PART: &str = "20260223-142501-4f3a";
    let (server, disk) = (BootServer::with_hosts(1), SavedDisk::get());
    disk.put_generation_of_a_part(&server, PART);
    let refused = server.run(&["restore", "--yes", "pc2"]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    let words = format!(
        "pc2 has no good generation of a whole disk: there are only generations of some partitions, {PART} (partition 1); \
         'ghostctl restore --partition 1 pc2' writes those of the newest one back"
    );
    assert!(said(&refused).contains(&words), "{}", said(&refused));
    let other = server.run(&["restore", "--yes", "--partition", "2", "pc2"]);
    assert!(said(&other).contains("no good generation that holds these partitions"), "{}", said(&other));
    assert!(said(&other).contains(&format!("{PART} (partition 1)")), "{}", said(&other));
}
