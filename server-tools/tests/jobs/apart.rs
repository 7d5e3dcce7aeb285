//! Clients that have exports of their own (`EXPORTS=own`).

use std::fs;
use std::path::PathBuf;

use super::boot_server::{BootServer, said};
use super::client::{Behaviour, Client};

/// Two hosts, whose exports are what `ghostctl exports` prints.
fn server() -> BootServer {
    let server = BootServer::with_hosts(2);
    server.set("EXPORTS", "own");
    let printed = server.run(&["exports"]);
    assert_eq!(printed.status.code(), Some(0), "{}", said(&printed));
    export(&server, |_| true);
    server
}

/// Lets these of the printed lines be exported.
fn export(server: &BootServer, wanted: impl Fn(&str) -> bool) {
    let printed = server.run(&["exports", "--json"]);
    let mut exported = String::new();
    for line in said(&printed).lines().filter(|line| wanted(line)) {
        let one: serde_json::Value = serde_json::from_str(line).unwrap();
        for client in one["clients"].as_array().unwrap() {
            exported += &format!("{} {}\n", one["path"].as_str().unwrap(), client.as_str().unwrap());
        }
    }
    fs::write(server.path("exports"), exported).unwrap();
}

fn listed(folder: PathBuf) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

#[test]
fn a_backup_goes_its_way_and_nothing_of_it_is_in_the_base_root() {
    let server = server();
    let (before, base) = (server.configured(), listed(server.path("base")));
    server.read_only("base");
    let _client = Client::off(&server, 2, Behaviour::Succeeds);
    let output = server.run(&["backup", "pc2"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(server.configured(), before);
    assert_eq!(listed(server.path("base")), base);
    assert!(
        !server.path("base.trees/192.168.7.2/192.168.7.2etc/ghost/order.json").exists(),
        "it is withdrawn"
    );
    assert!(server.path("base.trees/192.168.7.2/192.168.7.2var/ghost/report.jsonl").exists());
    assert!(server.journal().is_empty() && server.nonces().is_empty());
    let images = server.run(&["images", "list"]);
    assert!(said(&images).contains("good"), "{}", said(&images));
}

#[test]
fn a_job_whose_client_could_not_mount_its_folder_does_not_begin() {
    let server = server();
    export(&server, |line| !line.contains("base.trees/192.168.7.2"));
    let before = server.configured();
    let output = server.run(&["test", "pc2"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("pc2 cannot mount what is theirs in"), "{}", said(&output));
    assert!(said(&output).contains("mend: export what 'ghostctl exports' prints"), "{}", said(&output));
    assert_eq!(server.configured(), before);
    assert!(server.journal().is_empty() && server.nonces().is_empty());
}

#[test]
fn a_boot_loader_that_leads_clients_to_other_trees_is_found_before_a_job() {
    let server = server();
    fs::create_dir(server.path("tftp/pxelinux.cfg")).unwrap();
    let root = format!("nfsroot=192.168.7.1:{}", server.path("base").display());
    let configuration = server.path("tftp/pxelinux.cfg/default");
    fs::write(&configuration, format!("LABEL a\nAPPEND rw {root}\n")).unwrap();
    let output = server.run(&["test", "pc2"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("does not say ghost.trees="), "{}", said(&output));
    let trees = format!("ghost.trees=192.168.7.1:{}", server.path("base.trees").display());
    fs::write(&configuration, format!("LABEL a\nAPPEND ro {root} {trees}\n")).unwrap();
    let doctor = said(&server.run(&["doctor"]));
    assert!(doctor.contains("each client can mount its own folder"), "{doctor}");
}

#[test]
fn doctor_tells_of_an_export_that_lets_one_client_see_the_others() {
    let server = server();
    let mut exported = fs::read_to_string(server.path("exports")).unwrap();
    exported += &format!("{} 192.168.7.0/25\n", server.path("base.trees").display());
    fs::write(server.path("exports"), exported).unwrap();
    let doctor = said(&server.run(&["doctor"]));
    assert!(doctor.contains("can be mounted by others than its client"), "{doctor}");
}
