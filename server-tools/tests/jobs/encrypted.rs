//! Where is the key of encrypted partitions while a job runs, and what is left of it?

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ghost_contract::Order;

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client, Gate};

const SECRET: &str = "the-secret-of-a-disk";

/// The files below a folder with the secret in them.
fn with_the_secret(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(with_the_secret(&path));
        } else if entry.file_type().unwrap().is_file() {
            let bytes = fs::read(&path).unwrap();
            let is_there = bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
            found.extend(is_there.then(|| path.display().to_string()));
        }
    }
    found
}

#[test]
fn a_key_is_in_the_clients_tree_for_root_only_as_long_as_its_order_and_nowhere_else() {
    let server = BootServer::with_hosts(2);
    server.set("IMAGER", "linux");
    let given = server.path("given-key");
    fs::write(&given, SECRET).unwrap();
    let gate = Gate::default();
    let _client = Client::waiting(&server, 2, Behaviour::SavesADisk, Box::new(gate.is_open()));
    let running = server.start(&["backup", "--luks-key", given.to_str().unwrap(), "pc2"]);
    server.wait_until_swapped();
    let key = server.path("base/192.168.7.2etc/ghost/luks.key");
    wait_until("the key is in the tree", || key.exists());
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o7777, 0o600);
    let order = fs::read(server.path("base/192.168.7.2etc/ghost/order.json")).unwrap();
    let order = Order::parse(&order).unwrap();
    assert!(order.luks_key && order.version == ghost_contract::order::VERSION_OF_KEYS, "{order:?}");
    let mut both = [given.display().to_string(), key.display().to_string()];
    both.sort();
    let mut found = with_the_secret(&server.path(""));
    found.sort();
    assert_eq!(found, both);
    gate.open();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(!said(&output).contains(SECRET));
    assert_eq!(with_the_secret(&server.path("")), [given.display().to_string()]);
}

#[test]
fn a_key_that_cannot_be_read_is_refused_before_anything_is_touched() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    server.set("IMAGER", "linux");
    server.set("LUKSKEY_pc2", "/nowhere/key");
    let output = server.run(&["backup", "pc2"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("pc2: cannot read the key in /nowhere/key"), "{}", said(&output));
    assert_eq!((server.configured(), server.restarts()), (before, 0));
    assert!(!server.path("base/192.168.7.2etc").exists());
}
