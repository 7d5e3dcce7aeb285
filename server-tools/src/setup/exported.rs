//! What the NFS server is told. Pure: `exports` knows what clients mount and how a server is told so, this knows in which files.
//!
//! Linux' own server reads every file in /etc/exports.d (exports(5)), so that ours is a file of its own; Ganesha gets a file of ours, and a
//! line in its own configuration that includes it.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ghost_contract::{HostName, NfsVersion};

use super::{FileStep, Step};
use crate::exports::always::{self, Line};
use crate::exports::{self, Served, Wanted};
use crate::ghostrc::{Exports, Ghostrc};

/// The NFS server of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nfs {
    Kernel,
    Ganesha,
}

impl Nfs {
    /// The file that is ours alone.
    pub(crate) const fn own_file(self) -> &'static str {
        match self {
            Self::Kernel => "/etc/exports.d/ghost4linux.exports",
            Self::Ganesha => "/etc/ganesha/ghost4linux.conf",
        }
    }

    /// The administrator's.
    pub(crate) const fn main_file(self) -> &'static str {
        match self {
            Self::Kernel => "/etc/exports",
            Self::Ganesha => "/etc/ganesha/ganesha.conf",
        }
    }

    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::Kernel => "nfs-kernel-server",
            Self::Ganesha => "nfs-ganesha",
        }
    }

    /// The one that is this service.
    pub(crate) fn of_unit(unit: &str) -> Option<Self> {
        [Self::Kernel, Self::Ganesha].into_iter().find(|nfs| nfs.unit() == unit)
    }

    /// Whether a file of its configuration exports something by itself, or may: what another file of Ganesha's says is not known here.
    pub(crate) fn has_exports(self, text: &[u8]) -> bool {
        let text = String::from_utf8_lossy(text);
        let mut lines =
            text.lines().map(str::trim).filter(|line| !line.starts_with('#') && *line != INCLUDE.trim());
        match self {
            Self::Kernel => lines.any(|line| !line.is_empty()),
            Self::Ganesha => lines.any(|line| {
                let line = line.to_ascii_uppercase();
                line.starts_with("EXPORT") || line.starts_with("%INCLUDE")
            }),
        }
    }
}

/// What has Ganesha take its files up.
fn ganesha(verb: &str) -> Vec<String> {
    ["systemctl", verb, Nfs::Ganesha.unit()].map(str::to_owned).to_vec()
}

/// Whether a command has Ganesha begin anew: until it is up again, and a job's exports are put back, clients have no root.
pub(crate) fn restarts_ganesha(words: &[String]) -> bool {
    words == ganesha("restart")
}

const HEAD: &str =
    "# Made by 'ghostctl setup' and 'ghostctl hosts add', which write it anew for each new client.\n";
/// Ganesha 6 would go on serving a folder after another one of its name took its place, as each job's do. Ganesha 4 knows the setting too.
const FOLDERS_AS_THEY_ARE: OfGanesha = OfGanesha {
    block: "MDCACHE",
    key: "dir_chunk",
    text: "MDCACHE {\n    Dir_Chunk = 0;\n}\n\n",
    remark: "set 'Dir_Chunk = 0;' in the block MDCACHE of /etc/ganesha/ganesha.conf: NFS-Ganesha 6 would go on serving a \
             client's folders after they were replaced, and each second job would fail",
};
/// In version 4 owners are names, which clients cannot turn into numbers: root's files would be nobody's to them.
const OWNERS_BY_NUMBER: OfGanesha = OfGanesha {
    block: "NFSV4",
    key: "only_numeric_owners",
    text: "NFSv4 {\n    Only_Numeric_Owners = true;\n}\n\n",
    remark: "set 'Only_Numeric_Owners = true;' in the block NFSv4 of /etc/ganesha/ganesha.conf: clients cannot read the names of \
             owners, and would take root's files for nobody's",
};
/// Ganesha 6 ends where the kernel does not let it be an IO flusher. Ganesha 4 does not ask, and only warns of the setting.
const WITHOUT_IO_FLUSHER: OfGanesha = OfGanesha {
    block: "NFS_CORE_PARAM",
    key: "allow_set_io_flusher_fail",
    text: "NFS_CORE_PARAM {\n    Allow_Set_Io_Flusher_Fail = true;\n}\n\n",
    remark: "set 'Allow_Set_Io_Flusher_Fail = true;' in the block NFS_CORE_PARAM of /etc/ganesha/ganesha.conf: NFS-Ganesha 6 would \
             not start here, because this machine, a container perhaps, has no CAP_SYS_RESOURCE",
};
/// The line of Ganesha's own file.
pub(super) const INCLUDE: &str = "%include \"/etc/ganesha/ghost4linux.conf\"\n";

/// What is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct There {
    /// The administrator's file.
    pub(crate) main: Option<Vec<u8>>,
    /// Ours, and whether it is as we made it.
    pub(crate) own: Option<(Vec<u8>, bool)>,
    /// Whether the kernel refuses to let a server be an IO flusher.
    pub(crate) is_io_flusher_refused: bool,
    /// Whether the base root is there, or will be by then. One that is not cannot be exported; `root build` does it later.
    pub(crate) has_base_root: bool,
    /// Commands that an earlier run has left undone.
    pub(crate) pending: Vec<Vec<String>>,
}

impl There {
    /// Whether our file has been changed by hand and does not name this client, so that it is left without exports.
    pub(crate) fn leaves_out(&self, ip: Ipv4Addr) -> bool {
        let Some((text, false)) = &self.own else { return false };
        let text = String::from_utf8_lossy(text);
        let mut words = text.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
        !words.any(|word| word == ip.to_string())
    }
}

/// The steps, and what a person has to do.
pub(crate) fn steps(
    ghostrc: &Ghostrc,
    hosts: &[(HostName, Ipv4Addr)],
    nfs: Option<Nfs>,
    there: &There,
) -> anyhow::Result<(Vec<Step>, Vec<String>)> {
    let mut remarks = Vec::new();
    let (mut here, elsewhere) = (exports::of_boot_server(ghostrc, hosts), exports::of_store(ghostrc, hosts));
    if ghostrc.store_is_here() {
        here.extend(elsewhere);
    } else if !hosts.is_empty() {
        let lines = exports::for_nfsd(&elsewhere);
        remarks.push(format!(
            "on {}, which has the image store, export:\n{}",
            ghostrc.store_export.server,
            lines.trim_end()
        ));
    }
    let Some(nfs) = nfs else {
        remarks.push(
            "there is no NFS server: apt-get install nfs-kernel-server, then run this again".to_owned(),
        );
        return Ok((Vec::new(), remarks));
    };
    if hosts.is_empty() {
        return Ok((Vec::new(), remarks));
    }
    if ghostrc.exports == Exports::Common && there.own.is_none() {
        here.retain(|wanted| !is_exported(wanted, nfs, there.main.as_deref().unwrap_or_default()));
    }
    if here.is_empty() {
        return Ok((Vec::new(), remarks));
    }
    let text = match nfs {
        Nfs::Kernel => exports::for_nfsd(&here),
        Nfs::Ganesha => {
            let main = there.main.as_deref().unwrap_or_default();
            let of_version_4 = (ghostrc.nfs_version == NfsVersion::V4_1).then_some(&OWNERS_BY_NUMBER);
            let of_containers = there.is_io_flusher_refused.then_some(&WITHOUT_IO_FLUSHER);
            let mut text = String::new();
            for wanted in [&FOLDERS_AS_THEY_ARE].into_iter().chain(of_version_4).chain(of_containers) {
                let (block, remark) = wanted.beside(main);
                text.push_str(block);
                remarks.extend(remark);
            }
            text + &exports::for_ganesha(&here, Served::by(ghostrc))?
        }
    };
    let own = PathBuf::from(nfs.own_file());
    let mut steps = Vec::new();
    match &there.own {
        Some((now, _)) if now.as_slice() == format!("{HEAD}{text}").as_bytes() => {}
        Some((_, false)) => remarks.push(format!(
            "{} has been changed by hand, so it is left as it is; 'ghostctl exports' prints what should be in it",
            own.display()
        )),
        now => steps.push(Step::File(FileStep {
            path: own,
            before: now.as_ref().map(|(bytes, _)| bytes.clone()),
            after: format!("{HEAD}{text}").into_bytes(),
        })),
    }
    match nfs {
        Nfs::Kernel => steps.extend(tell(&ghostrc.base_root, there, &text, !steps.is_empty())),
        Nfs::Ganesha => {
            steps.extend(include(there));
            if !steps.is_empty() {
                steps.push(Step::Run(ganesha("restart")));
            }
        }
    }
    Ok((steps, remarks))
}

/// Tells the kernel's server what is new in our file, what is not in it any more, and what an earlier run has not told it.
fn tell(base_root: &Path, there: &There, text: &str, is_written: bool) -> Vec<Step> {
    let (after, before) =
        (always::of_file(text.as_bytes()), there.own.as_ref().map(|(own, _)| always::of_file(own)));
    let before = before.filter(|_| is_written).unwrap_or_default();
    let pending: Vec<_> = there.pending.iter().filter(|words| always::is_exportfs(words)).collect();
    // Earlier versions had all files read again.
    let is_all_pending = pending.iter().any(|words| always::read(words).is_none());
    let pending: Vec<Line> =
        pending.into_iter().filter_map(|words| always::read(words)).flat_map(|(_, lines)| lines).collect();
    let is_same = |one: &Line, other: &Line| one.path == other.path && one.ip == other.ip;
    let gone = before.iter().chain(&pending).filter(|line| !after.iter().any(|other| is_same(line, other)));
    let gone: Vec<Line> = gone.cloned().collect();
    let is_to_tell = |line: &&Line| {
        (is_written && !before.contains(line))
            || is_all_pending
            || pending.iter().any(|other| is_same(line, other))
    };
    let new = after.iter().filter(is_to_tell).filter(|line| there.has_base_root || line.path != base_root);
    let new: Vec<Line> = new.cloned().collect();
    always::withdrawing(&gone).into_iter().chain(always::exporting(&new)).map(Step::Run).collect()
}

/// A setting of Ganesha's as a whole.
struct OfGanesha {
    /// Its block in upper case, and its key in lower case.
    block: &'static str,
    key: &'static str,
    text: &'static str,
    /// What an administrator who has such a block has to add to it.
    remark: &'static str,
}

impl OfGanesha {
    /// What is to be written into our file beside this main one, and what a person has to do.
    fn beside(&self, main: &[u8]) -> (&'static str, Option<String>) {
        let text = String::from_utf8_lossy(main);
        let settings: String = text.lines().filter_map(|line| line.split('#').next()).collect();
        if !settings.to_ascii_uppercase().contains(self.block) {
            return (self.text, None);
        }
        let is_set = settings.to_ascii_lowercase().contains(self.key);
        ("", (!is_set).then(|| self.remark.to_owned()))
    }
}

fn include(there: &There) -> Option<Step> {
    let main = there.main.clone().unwrap_or_default();
    let has_it = String::from_utf8_lossy(&main).lines().any(|line| line.trim() == INCLUDE.trim());
    let gap = if main.is_empty() || main.ends_with(b"\n") { "" } else { "\n" };
    let after = [main.as_slice(), gap.as_bytes(), INCLUDE.as_bytes()].concat();
    (!has_it).then(|| {
        Step::File(FileStep { path: Nfs::Ganesha.main_file().into(), before: there.main.clone(), after })
    })
}

/// What has the NFS server forget what was taken away.
pub(crate) fn after_removal(path: &Path, contents: &[u8]) -> Option<Vec<String>> {
    match [Nfs::Kernel, Nfs::Ganesha].into_iter().find(|nfs| Path::new(nfs.own_file()) == path)? {
        Nfs::Kernel => always::withdrawing(&always::of_file(contents)),
        // One that was stopped before stays so.
        Nfs::Ganesha => Some(ganesha("try-restart")),
    }
}

/// Whether a command is one of those.
pub(crate) fn is_after_removal(words: &[String]) -> bool {
    always::read(words).is_some_and(|(exports, _)| !exports) || words == ganesha("try-restart")
}

/// Whether an administrator exports this folder, or one above it, already. To whom and how, `doctor` judges.
fn is_exported(wanted: &Wanted, nfs: Nfs, main: &[u8]) -> bool {
    let text = String::from_utf8_lossy(main);
    let paths: Vec<&str> = match nfs {
        Nfs::Kernel => text
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .filter(|word| word.starts_with('/') || word.starts_with("\"/"))
            .map(|word| word.trim_matches('"'))
            .collect(),
        Nfs::Ganesha => text
            .split(';')
            .filter_map(|part| part.rsplit_once("Path")?.1.split('=').nth(1))
            .map(|value| value.trim().trim_matches('"'))
            .collect(),
    };
    // Ganesha exports the folder that it names, and those in it only under that name.
    paths.iter().any(|path| match nfs {
        Nfs::Kernel => wanted.path.starts_with(path),
        Nfs::Ganesha => wanted.path == Path::new(path),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ghostrc(more: &str) -> Ghostrc {
        let text = format!(
            "PXEADDR=10.0.0.5\nPXEBASE=/home/pxe/base\nGHSTBASE=/b\nGHSTNFS=10.0.0.5:/b\nDHCPD=x\n{more}"
        );
        Ghostrc::parse(Path::new("ghostrc"), text.as_bytes()).unwrap()
    }

    fn hosts(names: &[(&str, u8)]) -> Vec<(HostName, Ipv4Addr)> {
        names.iter().map(|(name, last)| (name.parse().unwrap(), [10, 0, 0, *last].into())).collect()
    }

    fn paths(steps: &[Step]) -> Vec<String> {
        steps.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_client_gets_lines_in_a_file_of_ours_that_follows_the_clients() {
        let (own, john) = (ghostrc("EXPORTS=job\n"), hosts(&[("john", 2)]));
        let at_first = There { has_base_root: true, ..There::default() };
        let (first, _) = steps(&own, &john, Some(Nfs::Kernel), &at_first).unwrap();
        let base = "/home/pxe/base";
        assert_eq!(
            paths(&first),
            ["write /etc/exports.d/ghost4linux.exports".to_owned(), format!("export {base} to 10.0.0.2")]
        );
        let (without_root, _) = steps(&own, &john, Some(Nfs::Kernel), &There::default()).unwrap();
        assert_eq!(paths(&without_root), ["write /etc/exports.d/ghost4linux.exports"]);
        let Step::File(file) = &first[0] else { panic!("{first:?}") };
        let there = There { own: Some((file.after.clone(), true)), ..at_first };
        assert!(
            steps(&own, &john, Some(Nfs::Kernel), &there).unwrap().0.is_empty(),
            "a second time there is nothing to do"
        );
        let (second, _) = steps(&own, &hosts(&[("john", 2), ("joe", 3)]), Some(Nfs::Kernel), &there).unwrap();
        let changed = "change /etc/exports.d/ghost4linux.exports".to_owned();
        assert_eq!(paths(&second), [changed.clone(), format!("export {base} to 10.0.0.3")]);
        let (third, _) = steps(&own, &hosts(&[("joe", 3)]), Some(Nfs::Kernel), &there).unwrap();
        let told = [format!("stop exporting {base} to 10.0.0.2"), format!("export {base} to 10.0.0.3")];
        assert_eq!(paths(&third)[1..], told);
        // What was not told is told by the next run, as it is wanted then.
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (pending, told) in [
            ("exportfs -ra", vec![format!("export {base} to 10.0.0.2")]),
            ("exportfs -o ro 10.0.0.2:/home/pxe/base", vec![format!("export {base} to 10.0.0.2")]),
            ("exportfs -u 10.0.0.2:/home/pxe/base", vec![format!("export {base} to 10.0.0.2")]),
            ("exportfs -o ro 10.0.0.9:/home/pxe/base", vec![format!("stop exporting {base} to 10.0.0.9")]),
            ("systemctl restart x", vec![]),
        ] {
            let there = There { pending: vec![words(pending)], ..there.clone() };
            let (some, _) = steps(&own, &john, Some(Nfs::Kernel), &there).unwrap();
            assert_eq!(paths(&some), told, "{pending}");
        }
        let by_hand = There { own: Some((b"# mine\n".to_vec(), false)), ..There::default() };
        let (none, remarks) = steps(&own, &john, Some(Nfs::Kernel), &by_hand).unwrap();
        assert!(none.is_empty() && remarks[0].contains("has been changed by hand"), "{remarks:?}");
    }

    #[test]
    fn what_an_administrator_exports_already_is_not_exported_again() {
        let exports =
            b"# of 2005\n/home/pxe 192.168.7.0/255.255.255.128(rw,no_root_squash)\n/b\t*(rw)\n".to_vec();
        let there = There { main: Some(exports), ..There::default() };
        assert!(steps(&ghostrc(""), &hosts(&[("john", 2)]), Some(Nfs::Kernel), &there).unwrap().0.is_empty());
        let half = There { main: Some(b"/home/pxe *(rw)\n".to_vec()), ..There::default() };
        let (some, _) = steps(&ghostrc(""), &hosts(&[("john", 2)]), Some(Nfs::Kernel), &half).unwrap();
        let Step::File(file) = &some[0] else { panic!("{some:?}") };
        let text = String::from_utf8(file.after.clone()).unwrap();
        assert!(text.contains("\n/b 10.0.0.2(rw,") && !text.contains("/home/pxe"), "{text}");
    }

    #[test]
    fn ganesha_gets_a_file_and_a_line_that_includes_it() {
        let own = ghostrc("EXPORTS=own\n");
        let there = There { main: Some(b"NFS_CORE_PARAM { Protocols = 3; }".to_vec()), ..There::default() };
        let (some, _) = steps(&own, &hosts(&[("john", 2)]), Some(Nfs::Ganesha), &there).unwrap();
        assert_eq!(
            paths(&some),
            [
                "write /etc/ganesha/ghost4linux.conf",
                "change /etc/ganesha/ganesha.conf",
                "run 'systemctl restart nfs-ganesha'"
            ]
        );
        let Step::File(main) = &some[1] else { panic!("{some:?}") };
        assert_eq!(
            main.after,
            b"NFS_CORE_PARAM { Protocols = 3; }\n%include \"/etc/ganesha/ghost4linux.conf\"\n"
        );
    }

    #[test]
    fn ganesha_serves_folders_as_they_are_and_an_administrators_cache_is_left_alone() {
        let text = |main: &str| {
            let there = There { main: Some(main.as_bytes().to_vec()), ..There::default() };
            let (some, remarks) =
                steps(&ghostrc("EXPORTS=own\n"), &hosts(&[("john", 2)]), Some(Nfs::Ganesha), &there).unwrap();
            let Step::File(own) = &some[0] else { panic!("{some:?}") };
            (String::from_utf8(own.after.clone()).unwrap(), remarks)
        };
        let (own, remarks) = text("# MDCACHE { }\n");
        assert!(own.contains("MDCACHE {\n    Dir_Chunk = 0;\n}\n") && remarks.is_empty(), "{own}{remarks:?}");
        let (own, remarks) = text("MDCACHE { Entries_HWMark = 9; }\n");
        assert!(!own.contains("MDCACHE") && remarks[0].contains("set 'Dir_Chunk = 0;'"), "{own}{remarks:?}");
        assert!(text("mdcache { dir_chunk = 0; }").1.is_empty());
    }

    #[test]
    fn with_version_4_ganesha_gives_owners_by_number() {
        let text = |version: &str, main: &str| {
            let there = There { main: Some(main.as_bytes().to_vec()), ..There::default() };
            let ghostrc = ghostrc(&format!("EXPORTS=own\nNFSVERSION={version}\n"));
            let (some, remarks) =
                steps(&ghostrc, &hosts(&[("john", 2)]), Some(Nfs::Ganesha), &there).unwrap();
            let Step::File(own) = &some[0] else { panic!("{some:?}") };
            (String::from_utf8(own.after.clone()).unwrap(), remarks)
        };
        let block = "NFSv4 {\n    Only_Numeric_Owners = true;\n}\n";
        let (own, remarks) = text("4.1", "NFS_CORE_PARAM { Protocols = 3, 4; }\n");
        assert!(own.contains(block) && remarks.is_empty(), "{own}{remarks:?}");
        let (own, remarks) = text("4.1", "NFSv4 { Graceless = true; }\n");
        assert!(!own.contains(block) && remarks[0].contains("'Only_Numeric_Owners = true;'"), "{remarks:?}");
        assert!(!text("3", "").0.contains("Numeric"));
    }

    #[test]
    fn where_ganesha_cannot_be_an_io_flusher_it_starts_all_the_same() {
        let text = |is_io_flusher_refused: bool, main: &str| {
            let there =
                There { main: Some(main.as_bytes().to_vec()), is_io_flusher_refused, ..There::default() };
            let (some, remarks) =
                steps(&ghostrc("EXPORTS=own\n"), &hosts(&[("john", 2)]), Some(Nfs::Ganesha), &there).unwrap();
            let Step::File(own) = &some[0] else { panic!("{some:?}") };
            (String::from_utf8(own.after.clone()).unwrap(), remarks)
        };
        let block = "NFS_CORE_PARAM {\n    Allow_Set_Io_Flusher_Fail = true;\n}\n";
        let (own, remarks) = text(true, "# NFS_CORE_PARAM { }\n");
        assert!(own.contains(block) && remarks.is_empty(), "{own}{remarks:?}");
        let (own, remarks) = text(true, "NFS_CORE_PARAM { Protocols = 3; }\n");
        assert!(!own.contains(block) && remarks[0].contains("has no CAP_SYS_RESOURCE"), "{own}{remarks:?}");
        assert!(!text(false, "").0.contains("Flusher"));
    }

    #[test]
    fn what_another_machine_has_to_export_is_told() {
        let elsewhere = ghostrc("GHSTNFS=nas:/images\n");
        let (_, remarks) =
            steps(&elsewhere, &hosts(&[("john", 2)]), Some(Nfs::Kernel), &There::default()).unwrap();
        assert!(
            remarks[0].starts_with("on nas, which has the image store, export:\n/images 10.0.0.2(rw,"),
            "{remarks:?}"
        );
        let (none, remarks) = steps(&ghostrc(""), &hosts(&[("john", 2)]), None, &There::default()).unwrap();
        assert!(none.is_empty() && remarks[0].starts_with("there is no NFS server"), "{remarks:?}");
    }
}
