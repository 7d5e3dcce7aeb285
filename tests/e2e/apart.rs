//! Clients with exports of their own: what `ghostctl exports` prints is served by NFS-Ganesha (`EXPORTS=own`), or it is told by
//! `ghostctl` for the time of a job (`EXPORTS=job`). Jobs go their way, and a client whose root turns against the others reaches
//! nothing of theirs, nor what it has finished itself. What it plants in its own folders leads the boot server nowhere, and is an
//! obstacle neither to the other job of the same run nor to its own next one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use ghost_contract::layout;
use ghost_contract::report::{Event, Outcome};
use ghost_lab::lab::Pc;
use ghost_lab::{shell, stand_in};

use crate::backup::{SMALL, job};
use crate::stage::{BOOT, OFF, SOON, Stage};

/// What john has and joe must not see.
const SECRET: &str = "john's secret";

/// What joe's root leaves in its own folders: names that command a terminal, links out of them, pipes where files are expected,
/// folders without end, a generation that no job has made, and lines of a report that claim to be another host's.
const PLANT: &str = r#"
set -e
cd /backup/joe
mkdir -p "$(seq -s / 1 300)" 20260123-142501-4f3a
echo '{}' >20260123-142501-4f3a/manifest.json
mkfifo disk.json SHA256SUMS
ln -s /etc/shadow image.gho
touch "$(printf 'a\033[2Jb\nghostctl: all is well')"
rm -rf /etc/fstab /etc/ghost/order.json /var/ghost/screens
mkfifo /etc/fstab /etc/ghost/order.json
ln -s / /var/ghost/screens
ln -s ../../../../../../../etc /etc/ghost/up
printf '{"at":0,"uptime":0,"event":"imager_remarked","remark":"\\u001b[2J\\u202e done\\njane: succeeded"}\n' >>/var/ghost/report.jsonl
printf '\033]0;title\007\nghostctl: all is well\r\n' >>/var/ghost/report.jsonl
"#;

/// Asserts that a terminal shows these words and obeys none of them, and that each line says whose it is.
fn assert_plain(shown: &str) {
    let commands = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}');
    assert!(!shown.contains(commands), "{shown:?}");
    let forged = |line: &&str| line.starts_with("jane: ") || line.starts_with("ghostctl: all is well");
    assert_eq!(shown.lines().find(forged), None, "{shown}");
}

/// Every path with what it is, how large, and when it was changed last.
fn inventory(folder: &Path) -> String {
    let listed =
        shell::run(Command::new("find").arg(folder).args(["-printf", "%P %y %m %s %T@ %l\\n"])).unwrap();
    let mut lines: Vec<&str> = listed.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Has NFS-Ganesha's export manager do something.
pub(crate) fn ganesha(stage: &Stage, words: &[&str]) -> String {
    let call = "busctl --system --json=short call org.ganesha.nfsd /org/ganesha/nfsd/ExportMgr org.ganesha.nfsd.exportmgr";
    let words: Vec<&str> = call.split(' ').chain(words.iter().copied()).collect();
    let called = stage.run(&words).unwrap();
    assert_eq!(called.wait(SOON).unwrap(), 0, "{}", called.text());
    called.text()
}

/// What it exports, with the numbers by which it knows that.
fn exported(stage: &Stage) -> BTreeMap<String, String> {
    let reply: serde_json::Value = serde_json::from_str(&ganesha(stage, &["ShowExports"])).unwrap();
    let exports = reply["data"][1].as_array().unwrap().iter();
    exports.map(|one| (one[1].as_str().unwrap().to_owned(), one[0].to_string())).collect()
}

/// Waits until it is up in mode test, so that its root can be used.
fn is_up(stage: &Stage, pc: &Pc<'_>) {
    pc.wait_on(SOON).unwrap();
    stage.wait_report(pc, "the test's start", BOOT, |event| match event {
        Event::TestStarted { ssh_port: Some(22), .. } => Some(()),
        _ => None,
    });
}

#[test]
fn a_hostile_client_reaches_nothing_but_its_own() {
    let stage = Stage::with("apart", |config| {
        config.ghostrc.insert("EXPORTS".to_owned(), "own".to_owned());
    });
    let (john, joe) = (stage.pc("john").unwrap(), stage.pc("joe").unwrap());
    let folder = stage.folder();
    let (root, trees) = (folder.base_root(), layout::trees(&folder.base_root()));
    let johns = layout::own_folder(&trees, [192, 168, 7, 2].into());
    let store = folder.image_store();
    let image = store.join("john/20260123-142501-4f3a/image.gho");
    fs::create_dir_all(image.parent().unwrap()).unwrap();
    fs::write(&image, SECRET).unwrap();

    let doctor = stage.ghostctl(&["doctor", "john", "joe"]).unwrap();
    doctor.wait(SOON).unwrap();
    for place in [&trees, &store] {
        let good = format!("each client can mount its own folder in {}, and no other", place.display());
        assert!(doctor.text().contains(&good), "{}", doctor.text());
    }

    stand_in::fill_disk(&stage, &joe, SMALL).unwrap();
    let (status, said) = job(&stage, &joe, &["backup", "joe"]);
    assert_eq!(status, 0, "{said}");
    let finished = fs::read_dir(store.join("joe")).unwrap().next().unwrap().unwrap().path();
    let others = [root.clone(), store.join("john"), finished.clone()];
    let inventories = || others.each_ref().map(|folder| inventory(folder));
    let before = inventories();

    // From now on theirs are exported while they have a job.
    fs::write(folder.ghostrc(), fs::read_to_string(folder.ghostrc()).unwrap() + "EXPORTS=job\n").unwrap();
    let is_theirs =
        |path: &str| ["/john", "/joe", "/192.168.7.2", "/192.168.7.3"].iter().any(|end| path.ends_with(end));
    let doctor = stage.ghostctl(&["doctor", "joe"]).unwrap();
    doctor.wait(SOON).unwrap();
    assert!(doctor.text().contains("by its client though no job runs"), "{}", doctor.text());
    for (path, id) in exported(&stage).into_iter().filter(|(path, _)| is_theirs(path)) {
        assert!(path.starts_with('/'), "{path}");
        ganesha(&stage, &["RemoveExport", "q", &id]);
    }
    let always = exported(&stage);
    let ghostctl = stage.ghostctl(&["test", "--parallel", "2", "joe", "john"]).unwrap();
    is_up(&stage, &joe);
    is_up(&stage, &john);

    let lab = folder.path().display().to_string();
    let (root, johns) = (root.display().to_string(), johns.display().to_string());
    let mount = |options: &str, path: &str| {
        format!(
            "mkdir -p /run/x && mount -t nfs -o {options}vers=3,nolock,tcp,addr=192.168.7.1 192.168.7.1:{path} /run/x"
        )
    };
    let refused = [
        mount("", &johns),
        mount("ro,", &johns),
        mount("", &format!("{johns}/192.168.7.2etc")),
        mount("", &trees.display().to_string()),
        mount("", &lab),
        mount("", &store.display().to_string()),
        mount("ro,", &store.join("john").display().to_string()),
        "ls -d /backup/john /backup/.ghost4linux".to_owned(),
        "touch /planted".to_owned(),
        "mount -o remount,rw / && touch /planted".to_owned(),
        format!("{} && touch /run/x/planted", mount("", &root)),
        "mount -o remount,rw /run/x; echo >>/run/x/etc/passwd".to_owned(),
        "mknod /run/ghost-tree/sda b 8 0 && head -c1 /run/ghost-tree/sda".to_owned(),
        "ls -d /*.*var /run/x/*.*var".to_owned(),
        mount("", &store.join("joe").display().to_string()),
        mount("ro,", &finished.display().to_string()),
        format!("{} && echo >>/run/x/planted", mount("", &finished.display().to_string())),
        "ls -d /backup/joe/../joe/2*".to_owned(),
    ];
    for attack in &refused {
        let tried = stage
            .ssh(joe.config().ip, &format!("( {attack} ) 2>&1 && echo SUCCEEDED || echo refused"))
            .unwrap();
        assert_eq!(tried.wait(SOON).unwrap(), 0, "{}", tried.text());
        let said = tried.text();
        assert!(said.trim_end().ends_with("refused"), "{attack}: {said}");
        assert!(!said.contains(SECRET), "{attack}: {said}");
    }
    let own = stage
        .ssh(
            joe.config().ip,
            "touch /var/own /etc/own /backup/joe/own && ls -d /run/ghost-tree/*etc /backup/*",
        )
        .unwrap();
    assert_eq!(own.wait(SOON).unwrap(), 0, "it can write to what is its own: {}", own.text());
    assert_eq!(own.lines(), ["/backup/joe", "/run/ghost-tree/192.168.7.3etc"]);

    let plants = stage.ssh(joe.config().ip, PLANT).unwrap();
    assert_eq!(plants.wait(SOON).unwrap(), 0, "{}", plants.text());

    for pc in [&joe, &john] {
        let _kill = stage.ssh(pc.config().ip, "pkill -x sleep").unwrap();
        pc.wait_off(OFF).unwrap();
    }
    assert_eq!(ghostctl.wait(SOON).unwrap(), 0, "{}", ghostctl.text());
    assert!(ghostctl.text().contains("done jane: succeeded"), "it is told all the same: {}", ghostctl.text());
    let of_john = stage.report(john.config().ip);
    assert!(of_john.contains(&Event::Ended { outcome: Outcome::Succeeded }), "{of_john:#?}");
    assert_plain(&ghostctl.text());
    assert_eq!(exported(&stage), always, "the job is over");

    let (status, said) = job(&stage, &joe, &["verify", "joe"]);
    assert_eq!(status, 0, "what it has planted keeps nobody from its next job: {said}");
    for words in [["recover"].as_slice(), &["images", "list", "joe"], &["images", "prune", "joe"]] {
        let called = stage.ghostctl(words).unwrap();
        assert_eq!(called.wait(SOON).unwrap(), 0, "{words:?}: {}", called.text());
        assert_plain(&called.text());
        assert!(!called.text().contains("20260123-142501-4f3a"), "{words:?}: {}", called.text());
    }
    for ((folder, before), now) in others.iter().zip(before).zip(inventories()) {
        assert!(now == before, "{} is as it was", folder.display());
    }
    assert_eq!(exported(&stage), always, "nothing of joe's is exported any more");
}
