//! What becomes of the files that setup has written, and of NFS-Ganesha's own, which includes one of them: Ganesha does not start, and
//! serves nobody, where a file that it includes is gone.

use std::path::Path;

use super::{Now, Removal, Undo};
use crate::setup::exported::{self, INCLUDE, Nfs};
use crate::state::made::{Before, Made};

/// What stands in our file as long as a line that cannot be taken out includes it.
const EMPTIED: &str = "# Empty: Ghost4Linux exports nothing any more. A line of NFS-Ganesha's configuration includes this file; remove both.\n";

impl Removal {
    /// All files but this one.
    pub(super) fn files_but(&mut self, made: &Made, settings: &Path, now: Now<'_>) -> anyhow::Result<()> {
        let of_ganesha = [Nfs::Ganesha.main_file(), Nfs::Ganesha.own_file()].map(Path::new);
        self.ganesha(made, of_ganesha, now)?;
        let others =
            made.files.keys().filter(|path| *path != settings && !of_ganesha.contains(&path.as_path()));
        for path in others {
            self.file(made, path, now)?;
        }
        Ok(())
    }

    /// The line goes before the file that it includes.
    fn ganesha(&mut self, made: &Made, [main, own]: [&Path; 2], now: Now<'_>) -> anyhow::Result<()> {
        let there = now(main)?.unwrap_or_default();
        if made.files.contains_key(main) {
            self.main_of_ganesha(made, main, (there.clone(), now))?;
        }
        let then = self.then(main).unwrap_or(there);
        let own_there = now(own)?.filter(|bytes| made.is_ours(own, bytes));
        match own_there.filter(|_| includes(&then, own)) {
            None => self.file(made, own, now),
            Some(bytes) => {
                let words = format!("empty {}", own.display());
                let after = EMPTIED.as_bytes().to_vec();
                self.left.push(format!(
                    "{} stays, without exports, since a line of {} includes it; remove both by hand",
                    own.display(),
                    main.display()
                ));
                let command = exported::after_removal(own, &bytes);
                self.steps.push(Undo::Edit { words, path: own.to_owned(), now: bytes, after });
                self.steps.extend(command.map(Undo::Run));
                Ok(())
            }
        }
    }

    fn main_of_ganesha(
        &mut self,
        made: &Made,
        main: &Path,
        (there, now): (Vec<u8>, Now<'_>),
    ) -> anyhow::Result<()> {
        let can_be_put_back = made.is_ours(main, &there) && before(made, main, now)?.is_some();
        let after = without_line(&there);
        if can_be_put_back || after == there {
            // Without our line, whatever else was changed is hers, and nothing of ours is in it.
            return if can_be_put_back { self.file(made, main, now) } else { Ok(()) };
        }
        let words = format!("take out of {} the line that includes ours", main.display());
        self.steps.push(Undo::Edit { words, path: main.to_owned(), now: there, after });
        Ok(())
    }

    /// What a file holds after these steps, if one of them changes it.
    fn then(&self, file: &Path) -> Option<Vec<u8>> {
        self.steps.iter().find_map(|step| match step {
            Undo::File { path, earlier, .. } if path == file => Some(earlier.clone().unwrap_or_default()),
            Undo::Edit { path, after, .. } if path == file => Some(after.clone()),
            _ => None,
        })
    }

    pub(super) fn file(&mut self, made: &Made, path: &Path, now: Now<'_>) -> anyhow::Result<()> {
        let Some(file) = made.files.get(path) else { return Ok(()) };
        let Some(bytes) = now(path)? else { return Ok(()) };
        if !made.is_ours(path, &bytes) {
            self.left.push(format!("{} has been changed since, so it stays", path.display()));
            return Ok(());
        }
        let Some(earlier) = before(made, path, now)? else {
            if let Before::Kept(kept) = &file.before {
                let (path, kept) = (path.display(), kept.display());
                self.left.push(format!("{path} stays: {kept}, what it was before, is gone"));
            }
            return Ok(());
        };
        let command = exported::after_removal(path, &bytes);
        self.steps.push(Undo::File { path: path.to_owned(), now: bytes, earlier });
        self.steps.extend(command.map(Undo::Run));
        Ok(())
    }
}

/// What a file was before, which may be nothing; none if that is not known any more.
fn before(made: &Made, path: &Path, now: Now<'_>) -> anyhow::Result<Option<Option<Vec<u8>>>> {
    match made.files.get(path).map(|file| &file.before) {
        None => Ok(None),
        Some(Before::Nothing) => Ok(Some(None)),
        Some(Before::Kept(kept)) => Ok(now(kept)?.map(Some)),
    }
}

fn without_line(main: &[u8]) -> Vec<u8> {
    let is_ours = |line: &&[u8]| line.trim_ascii() == INCLUDE.trim().as_bytes();
    main.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_ours(line)).flatten().copied().collect()
}

/// Whether a line of Ganesha's configuration includes a file of this name.
fn includes(main: &[u8], own: &Path) -> bool {
    let name = own.file_name().unwrap_or_default().to_string_lossy();
    let text = String::from_utf8_lossy(main);
    let mut lines = text.lines().map(str::trim);
    lines.any(|line| line.to_ascii_lowercase().starts_with("%include") && line.contains(&*name))
}
