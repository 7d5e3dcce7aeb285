//! File handles that a client makes itself, with NFS-Ganesha: they open whatever is on the file system of an export, and nothing
//! on another one. `ghostctl doctor` says so. With Linux' own NFS server `tests/first-backup/inside-with-handles` tries them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ghost_contract::layout;

use crate::apart::ganesha;
use crate::stage::{SOON, Stage};

const SECRET: &str = "nobody's business\n";
/// Joe is off, and somebody has his address.
const JOE: &str = "192.168.7.3";

/// What the server answers to joe's address when it is asked for a file by handles made from that of an export.
fn forged(stage: &Stage, (inode, folder): (u64, u64), export: &Path, more: &[&str]) -> String {
    let (inode, folder) = (inode.to_string(), folder.to_string());
    let words = [env!("CARGO_BIN_EXE_forged-handle"), "--from", JOE, "--inode", &inode, "--folder", &folder];
    let export = export.display().to_string();
    let words: Vec<&str> =
        words.into_iter().chain(more.iter().copied()).chain(["192.168.7.1", &export]).collect();
    let asked = stage.run(&words).unwrap();
    assert_eq!(asked.wait(SOON).unwrap(), 0, "{}", asked.text());
    asked.text()
}

fn inodes(file: &Path) -> (u64, u64) {
    (fs::metadata(file).unwrap().ino(), fs::metadata(file.parent().unwrap()).unwrap().ino())
}

fn does(stage: &Stage, command: &str) -> String {
    let done = stage.run(&["sh", "-ec", command]).unwrap();
    assert_eq!(done.wait(SOON).unwrap(), 0, "{command}: {}", done.text());
    done.text()
}

/// Has Ganesha export a folder to joe, with a file in which it stands how.
fn export(stage: &Stage, id: u16, path: &Path, access: &str) {
    let (conf, path) = (stage.folder().join(format!("etc/{id}.conf")), path.display());
    let block = format!(
        "EXPORT {{ Export_Id = {id}; Path = \"{path}\"; Pseudo = \"{path}\"; Access_Type = {access}; Squash = No_Root_Squash; SecType = sys; \
         Protocols = 3; Transports = TCP; FSAL {{ Name = VFS; }} }}\n"
    );
    fs::write(&conf, block).unwrap();
    ganesha(stage, &["AddExport", "ss", &conf.display().to_string(), &format!("EXPORT(Export_Id={id})")]);
}

#[test]
fn a_client_reaches_by_its_own_handles_the_file_system_of_an_export_and_no_other() {
    let stage = Stage::with("handles", |config| {
        config.ghostrc.insert("EXPORTS".to_owned(), "own".to_owned());
    });
    let folder = stage.folder();
    does(&stage, &format!("ip address add {JOE}/32 dev lo"));
    let (root, trees) = (folder.base_root(), layout::trees(&folder.base_root()));
    let johns = layout::own_folder(&trees, [192, 168, 7, 2].into()).join("order");
    let state = folder.state().join("secret");
    for file in [&johns, &state] {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, SECRET).unwrap();
    }

    let doctor = stage.ghostctl(&["doctor", "john", "joe"]).unwrap();
    doctor.wait(SOON).unwrap();
    let warning =
        format!("warning  NFS export: a client that can mount {} can read whatever is on", root.display());
    assert_eq!(doctor.text().matches(&warning).count(), 1, "{}", doctor.text());
    for file in [&johns, &state] {
        let said = forged(&stage, inodes(file), &root, &[]);
        assert_eq!(said.matches(SECRET).count(), 2, "doctor is right: {said}");
    }
    let own = layout::own_folder(&trees, [192, 168, 7, 3].into());
    let said = forged(&stage, inodes(&johns), &own, &["--write", "joe was"]);
    assert!(said.contains("wrote") && fs::read_to_string(&johns).unwrap().starts_with("joe was"), "{said}");
    let said = forged(&stage, inodes(&johns), &root, &["--write", "joe was"]);
    assert_eq!(said.matches("NFS3ERR_ROFS").count(), 2, "{said}");

    // As doctor advises: a file system for what all can mount, and one for what is each client's own.
    let [base, clients]: [PathBuf; 2] = ["base", "clients"].map(|name| folder.join(name));
    for place in [&base, &clients] {
        let (image, place) = (place.with_extension("raw"), place.display());
        let image = image.display();
        does(
            &stage,
            &format!(
                "truncate -s 16M {image}; mke2fs -qF {image}; mkdir {place}; mount -o loop {image} {place}"
            ),
        );
    }
    let [shared, own, johns] = ["base/root", "clients/joe", "clients/john"].map(|name| folder.join(name));
    for place in [&shared, &own, &johns] {
        does(&stage, &format!("mkdir {0}; echo 'secret of {0}' >{0}/file", place.display()));
    }
    export(&stage, 3001, &shared, "RO");
    export(&stage, 3002, &own, "RW");
    let inodes_there = |file: &Path| {
        let told =
            does(&stage, &format!("stat -c %i {} {}", file.display(), file.parent().unwrap().display()));
        let [inode, folder] = told.lines().map(|line| line.parse().unwrap()).collect::<Vec<u64>>()[..] else {
            panic!("{told}")
        };
        (inode, folder)
    };
    let secrets_of =
        |place: &Path, said: &str| said.matches(&format!("secret of {}\n", place.display())).count();
    let (of_shared, of_johns) = (inodes_there(&shared.join("file")), inodes_there(&johns.join("file")));
    let said = forged(&stage, of_shared, &shared, &[]);
    assert_eq!(secrets_of(&shared, &said), 2, "it is exported: {said}");
    for export in [&shared, &own] {
        let said = forged(&stage, inodes(&state), export, &[]);
        assert_eq!(said.matches("NFS3ERR_STALE").count(), 2, "{said}");
    }
    let said = forged(&stage, of_johns, &shared, &[]);
    assert_eq!(secrets_of(&johns, &said), 0, "{said}");
    let as_of_own = ["--as-of", &own.display().to_string(), "--write", "joe was"];
    let said = forged(&stage, of_shared, &shared, &as_of_own);
    assert_eq!(
        said.matches("NFS3ERR_STALE").count(),
        2,
        "the number of an export does not open another one: {said}"
    );
    let said = forged(&stage, of_johns, &own, &[]);
    assert_eq!(secrets_of(&johns, &said), 2, "clients share the file system of their own folders: {said}");
    // Ganesha holds them, and a lab cannot remove what is mounted in it.
    does(&stage, &format!("umount --lazy {} {}", base.display(), clients.display()));
}
