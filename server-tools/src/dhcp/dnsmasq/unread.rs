//! What dnsmasq cannot read of the files and folders that its configuration names. Its checker looks at none of them, and dnsmasq
//! itself says so in its log and goes on without (tried with dnsmasq 2.90).
//!
//! The judgement is pure; [`look`] is what sees.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::table::HostTable;
use crate::dhcp::Advice;
use crate::dhcp::text::absolute;
use crate::sys::service;
use crate::sys::user::User;

/// The options that name what is read again, and whether they name a folder.
const NAMES: [(&str, bool); 4] =
    [("dhcp-optsdir", true), ("dhcp-hostsdir", true), ("dhcp-optsfile", false), ("dhcp-hostsfile", false)];
/// How long a look at a folder may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// What is seen where the configuration names a file or a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    Missing,
    File,
    EmptyFolder,
    Folder,
    /// This user may not read it, or this file in it.
    Closed {
        path: PathBuf,
        user: String,
    },
}

impl HostTable {
    /// What of that dnsmasq does without, and what to do about it.
    pub(super) fn unread(&self, look: &mut dyn FnMut(&Path) -> Seen) -> Vec<Advice> {
        let entries = self.sources.entries.iter().enumerate();
        let named = entries.filter_map(|(place, entry)| {
            let (option, is_folder) = NAMES.into_iter().find(|(option, _)| *option == entry.option)?;
            Some((place, option, is_folder))
        });
        let mut advice = Vec::new();
        for (entry, option, is_folder) in named {
            for path in self.sources.named(entry) {
                let Some((what, mend)) = wrong(&path, is_folder, look) else { continue };
                let place = self.sources.place(entry);
                let what = format!("{place}: {option} names {what}\n{}", place.excerpt());
                advice.push(Advice { what, mend });
            }
        }
        advice
    }
}

/// What is wrong with a path that an option names, and what to do about it.
fn wrong(named: &str, is_folder: bool, look: &mut dyn FnMut(&Path) -> Seen) -> Option<(String, String)> {
    if named.is_empty() {
        return Some(("nothing".to_owned(), "write the path behind it, or remove the line".to_owned()));
    }
    let path = absolute(Path::new(named));
    let seen = look(&path);
    let path = path.display();
    let (what, mend) = match seen {
        Seen::Missing => {
            let kind = if is_folder { "folder" } else { "file" };
            let mend = format!("make the {kind}, and restart dnsmasq, which looks for it only then");
            ("which is not there, so that dnsmasq goes on without".to_owned(), mend)
        }
        Seen::File if is_folder => {
            let mend = "name the folder that it is in, alone there, and restart dnsmasq".to_owned();
            ("which is a file and no folder, so that dnsmasq reads nothing of it".to_owned(), mend)
        }
        Seen::EmptyFolder => {
            let mend = "write the file of the hosts into it ('ghostctl hosts add' does), or remove the line"
                .to_owned();
            ("in which there is no file, so that dnsmasq reads nothing of it".to_owned(), mend)
        }
        Seen::Closed { path: closed, user } => {
            let mend =
                format!("chmod -R a+rX {path}, let all search the folders above it, and restart dnsmasq");
            let what = format!("and dnsmasq, which runs as {user}, may not read {}", closed.display());
            (what, mend)
        }
        Seen::File | Seen::Folder => return None,
    };
    Some((format!("{path}, {what}"), mend))
}

/// Looks at a path, as this user would if one is given.
pub(super) fn look(path: &Path, user: Option<&User>) -> Seen {
    let seen = match std::fs::metadata(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Seen::Missing;
        }
        // What this program may not see it cannot judge.
        Err(_) => return Seen::Folder,
        Ok(found) if !found.is_dir() => Seen::File,
        Ok(_) => match std::fs::read_dir(path).map(|mut listed| listed.next().is_none()) {
            Ok(true) => Seen::EmptyFolder,
            Ok(false) | Err(_) => Seen::Folder,
        },
    };
    let closed = user.and_then(|user| Some((closed_to(user, path)?, user.name().to_owned())));
    closed.map_or(seen, |(path, user)| Seen::Closed { path, user })
}

/// The first of a path and the files in it that this user may not read. The kernel is asked: modes alone do not tell. None where it
/// cannot be asked.
fn closed_to(user: &User, path: &Path) -> Option<PathBuf> {
    let folder = path.to_str()?;
    // dnsmasq passes over hidden files.
    let tests = ["-maxdepth", "1", "(", "-path", folder, "-o", "!", "-name", ".*", ")", "!", "-readable"];
    let words = [&["find", "-H", folder][..], &tests, &["-print", "-quit"]].concat();
    let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    match service::run_with_input(&words, b"", DEADLINE, Some(user)) {
        Ok(said) => said.lines().next().map(PathBuf::from),
        // It cannot even get there.
        Err(service::RunError::Failed { .. }) => Some(path.to_owned()),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::sources::Content;
    use super::super::table::Around;
    use super::*;

    fn unread(text: &str, seen: &[(&str, Seen)]) -> Vec<Advice> {
        let mut file = |_: &Path| Err(io::ErrorKind::NotFound.into());
        let mut folder = |path: &Path| {
            assert_ne!(path, Path::new(""), "that would be this program's own folder");
            Err(io::ErrorKind::NotFound.into())
        };
        let mut content = Content { file: &mut file, folder: &mut folder };
        let path = Path::new("/etc/dnsmasq.conf");
        let table = HostTable::read(path, text.into(), &Around::default(), &mut content).unwrap();
        table.unread(&mut |path| {
            let found = seen.iter().find(|(named, _)| Path::new(named) == path);
            found.map(|(_, seen)| seen.clone()).unwrap_or_else(|| panic!("{}", path.display()))
        })
    }

    #[test]
    fn what_dnsmasq_goes_on_without_is_told_with_its_place() {
        let closed = Seen::Closed { path: "/o/pc2".into(), user: "dnsmasq".to_owned() };
        for (line, seen, words) in [
            ("dhcp-optsdir=", None, "dhcp-optsdir names nothing"),
            ("dhcp-hostsfile=", None, "dhcp-hostsfile names nothing"),
            ("dhcp-optsdir=/o", Some(Seen::Missing), "names /o, which is not there"),
            ("dhcp-optsfile=/o", Some(Seen::Missing), "names /o, which is not there"),
            ("dhcp-hostsdir=o", Some(Seen::File), "names /o, which is a file and no folder"),
            ("dhcp-optsdir=/o", Some(Seen::EmptyFolder), "names /o, in which there is no file"),
            ("dhcp-optsdir=/o", Some(closed), "and dnsmasq, which runs as dnsmasq, may not read /o/pc2"),
        ] {
            let seen: Vec<_> = seen.into_iter().map(|seen| ("/o", seen)).collect();
            let told = unread(&format!("port=0\n{line}\n"), &seen);
            let [Advice { what, .. }] = &told[..] else { panic!("{line}: {told:?}") };
            assert!(what.contains(words) && what.starts_with("/etc/dnsmasq.conf:2:"), "{line}: {what}");
        }
    }

    #[test]
    fn what_dnsmasq_reads_is_not_told() {
        let text = "dhcp-optsdir=/o\ndhcp-hostsfile=/h\n# dhcp-hostsdir=/none\nport=0\n";
        assert_eq!(unread(text, &[("/o", Seen::Folder), ("/h", Seen::File)]), []);
    }

    #[test]
    fn whether_a_user_may_read_is_what_the_kernel_says() {
        let above = tempfile::tempdir().unwrap();
        let (folder, nobody) = (above.path().join("options"), User::named("nobody").unwrap().unwrap());
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let closed = |path: &Path| Seen::Closed { path: path.to_owned(), user: "nobody".to_owned() };
        assert_eq!(look(&folder, Some(&nobody)), Seen::Missing);
        fs::create_dir(&folder).unwrap();
        mode(above.path(), 0o755);
        mode(&folder, 0o755);
        assert_eq!(look(&folder, Some(&nobody)), Seen::EmptyFolder);
        let file = folder.join("hosts");
        fs::write(&file, "tag:john,67,nobackup").unwrap();
        mode(&file, 0o644);
        assert_eq!(look(&folder, Some(&nobody)), Seen::Folder);
        assert_eq!(look(&file, Some(&nobody)), Seen::File);
        mode(&file, 0o600);
        assert_eq!(look(&folder, Some(&nobody)), closed(&file));
        assert_eq!(look(&folder, None), Seen::Folder);
        mode(&folder, 0o700);
        assert_eq!(look(&folder, Some(&nobody)), closed(&folder));
        mode(above.path(), 0o700);
        assert_eq!(look(&folder, Some(&nobody)), closed(&folder));
    }
}
