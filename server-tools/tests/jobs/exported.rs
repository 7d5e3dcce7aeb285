//! Clients whose folders are exported for the time of a job only (`EXPORTS=job`), by an nfsd whose `exportfs` is a script. What it
//! exports is the list that the servers of the test's network tell.

use std::fs;
use std::path::{Path, PathBuf};

use ghost_contract::sample::effects::write_program;

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client, Gate};
use super::standstill::Dead;

/// What the script does before it exports or takes away, each if there is a file of that name beside the settings.
const FAULTS: &str = "[ ! -e @/refuses$1 ] || { echo exportfs: no such luck; exit 1; }
[ ! -e @/hangs$1 ] || exec sleep 1000
[ ! -e @/lies$1 ] || exit 0
[ ! -e @/at$1 ] || . @/at$1
";

/// Lets it export for the time of a job. The base root is exported always.
pub(crate) fn for_jobs(server: &BootServer) {
    server.set("EXPORTS", "job");
    server.set("NFSSERVER", "nfsd");
    server.set("EXPORTSDIR", server.path("exports.d").to_str().unwrap());
    fs::write(server.path("exports"), always(server)).unwrap();
    fs::create_dir(server.path("bin")).unwrap();
    let script = format!(
        "#!/bin/sh\nset -e\nexec 9>@/exports.lock\nflock 9\n{FAULTS}case $1 in\n\
         -o) target=$3; line=\"${{target#*:}} ${{target%%:*}}\"; echo \"$line\" >>@/exports; echo \"$2 $line\" >>@/options;;\n\
         -u) target=$2; line=\"${{target#*:}} ${{target%%:*}}\"; grep -vxF \"$line\" @/exports >@/exports.new; mv @/exports.new @/exports;;\n\
         *) exit 2;;\nesac\n"
    );
    write_program(&server.path("bin/exportfs"), &script.replace('@', server.path("").to_str().unwrap()));
}

fn always(server: &BootServer) -> String {
    format!("{} 192.168.7.0/24\n", server.path("base").display())
}

fn exported(server: &BootServer) -> Vec<String> {
    let exported = fs::read_to_string(server.path("exports")).unwrap();
    let below = server.path("").display().to_string();
    exported.lines().skip(1).map(|line| line.replace(&below, "")).collect()
}

fn kept(server: &BootServer) -> Vec<PathBuf> {
    fs::read_dir(server.path("exports.d"))
        .map(|listed| listed.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default()
}

/// What a job has left of its exports, if anything.
pub(crate) fn left(server: &BootServer) -> Option<String> {
    let (exported, kept) = (exported(server), kept(server));
    (!exported.is_empty() || !kept.is_empty()).then(|| format!("{exported:?}, {kept:?}"))
}

fn server() -> BootServer {
    let server = BootServer::with_hosts(2);
    for_jobs(&server);
    server
}

#[track_caller]
fn assert_nothing_left(server: &BootServer, before: &[u8]) {
    assert_eq!(left(server), None);
    assert_eq!(server.configured(), before);
    assert!(server.journal().is_empty() && server.nonces().is_empty());
}

/// A backup of pc2 that succeeds.
fn backed_up(server: &BootServer) -> String {
    let _client = Client::off(server, 2, Behaviour::Succeeds);
    let output = server.run(&["backup", "pc2"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let made = fs::read_dir(server.path("store/pc2")).unwrap().next().unwrap().unwrap();
    made.file_name().into_string().unwrap()
}

#[test]
fn a_clients_folders_are_exported_to_it_alone_while_its_job_runs() {
    let server = server();
    let before = server.configured();
    let (comes_up, ends) = (Gate::default(), Gate::default());
    let client = Client::working_until(&server, 2, comes_up.is_open(), ends.is_open());
    let running = server.start(&["backup", "pc2"]);
    server.wait_until_swapped();
    let own = ["base.trees/192.168.7.2 192.168.7.2", "store/.clients/pc2 192.168.7.2"];
    assert_eq!(exported(&server), own);
    let [file] = &kept(&server)[..] else { panic!("{:?}", kept(&server)) };
    assert!(file.ends_with("exports.d/ghost4linux-192.168.7.2.exports"), "{file:?}");
    let after_a_reboot = fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = after_a_reboot.lines().filter(|line| line.starts_with('/')).collect();
    assert_eq!(lines.len(), 2, "{after_a_reboot}");
    let options = "192.168.7.2(rw,sync,no_root_squash,subtree_check)";
    assert!(lines.iter().all(|line| line.ends_with(options)), "{lines:?}");
    comes_up.open();
    ends.open();
    let output = running.wait_with_output().unwrap();
    drop(client);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_nothing_left(&server, &before);
    assert!(said(&server.run(&["images", "list"])).contains("good"));
}

#[test]
fn a_restore_gets_one_generation_for_reading_and_no_finished_one_is_where_a_client_writes() {
    let server = server();
    let generation = backed_up(&server);
    assert_eq!(fs::read_dir(server.path("store/.clients/pc2")).unwrap().count(), 1, "only nonces");
    fs::remove_file(server.path("options")).unwrap();
    let _client = Client::off(&server, 2, Behaviour::Succeeds);
    let output = server.run(&["verify", "pc2"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let options = fs::read_to_string(server.path("options")).unwrap();
    let of_store: Vec<&str> = options.lines().filter(|line| line.contains("/store/")).collect();
    assert_eq!(of_store.len(), 2, "{options}");
    assert!(of_store[0].starts_with("rw,") && of_store[0].contains("/store/.clients/pc2 "), "{options}");
    assert!(of_store[1].starts_with("ro,"), "{options}");
    assert!(of_store[1].ends_with(&format!("/store/pc2/{generation} 192.168.7.2")), "{options}");
    assert_eq!(left(&server), None);
}

#[test]
fn a_generation_is_checked_when_its_client_can_write_to_it_no_more() {
    let server = server();
    // The last that a hostile client can do, when it has said that it is off.
    let late = "for image in @/store/.clients/pc2/.incoming-*/image.gho; do [ ! -e \"$image\" ] || echo late >\"$image\"; done\n";
    let late = late.replace('@', server.path("").to_str().unwrap());
    fs::write(server.path("at-u"), late).unwrap();
    let generation = backed_up(&server);
    let image = server.path("store/pc2").join(&generation).join("image.gho");
    assert_eq!(fs::read_to_string(image).unwrap(), "late\n");
    let verified = server.run(&["images", "verify", "pc2", &generation]);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
}

#[test]
fn a_job_whose_folders_cannot_be_exported_ends_before_anything_is_swapped() {
    let missing: fn(&BootServer) = |server| fs::remove_file(server.path("bin/exportfs")).unwrap();
    let refuses: fn(&BootServer) = |server| fs::write(server.path("refuses-o"), "").unwrap();
    let lies: fn(&BootServer) = |server| fs::write(server.path("lies-o"), "").unwrap();
    const COULD_NOT: &str = "could not export the client's folders to it";
    for (fault, status, what, words) in [
        (
            missing,
            78,
            "ghostctl cannot tell the NFS server what to export",
            "told by exportfs: it is in no folder",
        ),
        (refuses, 1, COULD_NOT, "saying: exportfs: no such luck"),
        (lies, 1, COULD_NOT, "and does not list it"),
    ] {
        let server = server();
        let before = server.configured();
        fault(&server);
        let output = server.run(&["backup", "pc2"]);
        assert_eq!(output.status.code(), Some(status), "{}", said(&output));
        assert!(said(&output).contains(what) && said(&output).contains(words), "{}", said(&output));
        assert_eq!(server.restarts(), 0, "DHCP was not touched");
        assert_nothing_left(&server, &before);
    }
}

#[test]
fn exports_that_cannot_be_taken_away_are_told_and_recovered_and_hold_up_no_revert() {
    for fault in ["refuses-u", "lies-u", "hangs-u"] {
        let server = server();
        let before = server.configured();
        fs::write(server.path(fault), "").unwrap();
        let client = Client::off(&server, 2, Behaviour::Succeeds);
        let output = server.run(&["backup", "pc2"]);
        drop(client);
        assert_eq!(output.status.code(), Some(1), "{fault}: {}", said(&output));
        let left_undone = "the client may still write to its backup, which is no generation yet; correct the cause above, then run 'ghostctl recover'";
        assert!(said(&output).contains(left_undone), "{fault}: {}", said(&output));
        assert_eq!(server.configured(), before, "{fault}");
        assert!(
            !said(&server.run(&["images", "list"])).contains("good"),
            "{fault}: nobody vouches for it yet"
        );
        let recovered = server.run(&["recover"]);
        assert_eq!(recovered.status.code(), Some(1), "{fault}: {}", said(&recovered));
        assert!(!said(&server.run(&["images", "list"])).contains("good"), "{fault}: nor yet");
        // What a client that can write to it can do meanwhile.
        let staged = fs::read_dir(server.path("store/.clients/pc2")).unwrap().map(|one| one.unwrap().path());
        let images: Vec<PathBuf> =
            staged.map(|one| one.join("image.gho")).filter(|image| image.exists()).collect();
        let [image] = &images[..] else { panic!("{fault}: {images:?}") };
        fs::write(image, "late").unwrap();
        assert_eq!(exported(&server).len(), 2, "{fault}");
        assert_eq!(server.journal().len(), 1, "{fault}: the entry tells of it");
        assert!(kept(&server).is_empty(), "{fault}: a reboot would not bring them back");
        fs::remove_file(server.path(fault)).unwrap();
        let recovered = server.run(&["recover"]);
        assert_eq!(recovered.status.code(), Some(0), "{fault}: {}", said(&recovered));
        assert_nothing_left(&server, &before);
        assert!(said(&server.run(&["images", "list"])).contains("good"), "{fault}: {}", said(&recovered));
        let verified = server.run(&["images", "verify", "pc2"]);
        assert_eq!(verified.status.code(), Some(0), "{fault}: {}", said(&verified));
    }
}

#[test]
fn a_host_that_holds_up_its_recovery_keeps_no_other_host_waiting() {
    let server = server();
    let before = server.configured();
    let (comes_up, ends) = (Gate::default(), Gate::default());
    let clients =
        [2, 3].map(|number| Client::working_until(&server, number, comes_up.is_open(), ends.is_open()));
    let crashed = server
        .command(["backup", "--parallel", "2", "pc2", "pc3"])
        .env("GHOSTCTL_CRASH_AT", "after-OfferBoot")
        .output()
        .unwrap();
    assert_eq!(crashed.status.code(), None, "{}", said(&crashed));
    drop(clients);
    assert_eq!((exported(&server).len(), server.journal().len()), (4, 2));
    let held_up = Dead::over(&server.home_of_tree(2).join("192.168.7.2etc/ghost"));
    let recovering = server.start(&["recover"]);
    wait_until("both entries are put back", || server.configured() == before);
    wait_until("nothing is exported any more", || left(&server).is_none());
    wait_until("nothing is left of pc3's job", || server.journal().len() == 1);
    drop(held_up);
    let recovered = recovering.wait_with_output().unwrap();
    assert!(said(&recovered).contains("pc3: job"), "{}", said(&recovered));
    server.run(&["recover"]);
    assert_nothing_left(&server, &before);
}

#[test]
fn a_setting_that_has_changed_since_keeps_no_export_from_being_taken_away() {
    let server = server();
    let before = server.configured();
    fs::write(server.path("refuses-u"), "").unwrap();
    let client = Client::off(&server, 2, Behaviour::Succeeds);
    assert_eq!(server.run(&["backup", "pc2"]).status.code(), Some(1));
    drop(client);
    fs::remove_file(server.path("refuses-u")).unwrap();
    server.set("EXPORTS", "common");
    let recovered = server.run(&["recover"]);
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert_nothing_left(&server, &before);
}

#[test]
fn what_is_exported_without_a_job_is_told() {
    let server = server();
    let johns = server.path("store/.clients/pc2");
    let list = format!("{}{} 192.168.7.2\n", always(&server), johns.display());
    fs::write(server.path("exports"), list).unwrap();
    let doctor = said(&server.run(&["doctor"]));
    let told = format!("{} can be mounted by its client though no job runs", johns.display());
    assert!(doctor.contains(&told), "{doctor}");
    assert!(
        doctor.contains("good     NFS export: ghostctl can tell what to export: nfsd, by exportfs"),
        "{doctor}"
    );
}

#[test]
fn what_a_server_forgets_while_a_job_runs_is_exported_again_and_told() {
    let server = server();
    let before = server.configured();
    let (comes_up, ends) = (Gate::default(), Gate::default());
    let client = Client::working_until(&server, 2, comes_up.is_open(), ends.is_open());
    let running = server.start(&["backup", "pc2"]);
    server.wait_until_swapped();
    let own = exported(&server);
    assert_eq!(own.len(), 2);
    fs::write(server.path("exports"), always(&server)).unwrap();
    wait_until("it is exported again", || exported(&server) == own);
    comes_up.open();
    ends.open();
    let output = running.wait_with_output().unwrap();
    drop(client);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        said(&output).contains("pc2: warning: the NFS server has forgotten the client's folders"),
        "{}",
        said(&output)
    );
    assert_nothing_left(&server, &before);
}

#[test]
fn an_nfs_server_that_cannot_be_told_is_seen_before_a_job_needs_it() {
    let server = server();
    server.set("NFSSERVER", "ganesha");
    write_program(&server.path("bin/busctl"), "#!/bin/sh\necho The name is not activatable >&2\nexit 1\n");
    let doctor = said(&server.run(&["doctor"]));
    let told = "BAD      NFS export: ghostctl cannot tell the NFS server what to export for a job: NFS-Ganesha does not do";
    assert!(doctor.contains(told) && doctor.contains("The name is not activatable"), "{doctor}");
}

#[test]
fn generations_that_were_made_before_stay_where_they_are_and_are_ours() {
    let server = BootServer::with_hosts(2);
    let common = backed_up(&server);
    for_jobs(&server);
    let listed = said(&server.run(&["images", "list", "pc2"]));
    assert!(listed.contains(&common) && listed.contains("good"), "{listed}");
    let _client = Client::off(&server, 2, Behaviour::Succeeds);
    let output = server.run(&["restore", "--yes", "pc2"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(Path::new(&server.path("store/pc2")).join(common).exists());
}
