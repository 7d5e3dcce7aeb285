//! What tells this boot server from others that have the same image store.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::paths;
use crate::lease::ServerId;
use crate::sys::{private, random};

/// The digits that were made for this STATEDIR; they are made when they are first asked for.
pub(crate) fn own(state_folder: &Path) -> io::Result<ServerId> {
    let path = paths::server(state_folder);
    if let Some(known) = read(&path)? {
        return Ok(known);
    }
    private::folder(state_folder)?;
    let digits: String = random::bytes::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    // In one piece: two that begin at the same time must not have two names, and a crash must not leave half of one.
    let beside = path.with_extension(&digits);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let linked = file
        .write_all(digits.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&beside, &path));
    let removed = fs::remove_file(&beside);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => removed?,
    }
    read(&path)?.ok_or_else(|| io::Error::other(format!("{} is empty: remove it", path.display())))
}

/// What this machine is called, for people.
pub(crate) fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn read(path: &Path) -> io::Result<Option<ServerId>> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => Ok(Some(read?.trim().to_owned()).filter(|digits| !digits.is_empty()).map(ServerId)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Barrier;

    #[test]
    fn a_server_has_one_name_for_ever_however_many_begin_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (state, gate) = (folder.path().join("state"), Barrier::new(8));
        let names: Vec<ServerId> = std::thread::scope(|scope| {
            let begin = |_| scope.spawn(|| (gate.wait(), own(&state).unwrap()).1);
            let threads: Vec<_> = (0..8).map(begin).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(names.iter().all(|name| *name == names[0] && name.0.len() == 32), "{names:?}");
        assert_eq!(own(&state).unwrap(), names[0]);
        let listed: Vec<_> = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(listed.len(), 1, "nothing is left beside it: {listed:?}");
        assert_eq!(listed[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
