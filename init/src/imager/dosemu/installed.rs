//! Which DOSEmu the administrator has brought: found out from the program itself, since both may have the same name.

use std::path::Path;

use anyhow::bail;

use super::super::Files;

/// Where the programs are, in the order in which they are looked for. The scripts `dosemu` that call them ask
/// questions and are not used.
const PROGRAMS: [&str; 5] = [
    "/usr/bin/dosemu.bin",
    "/usr/local/bin/dosemu.bin",
    "/usr/libexec/dosemu2/dosemu2.bin",
    "/usr/bin/dosemu2.bin",
    "/usr/local/bin/dosemu2.bin",
];

/// Which of the two programs is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    Dosemu1,
    Dosemu2,
}

impl Flavour {
    pub(super) fn of(path: &Path, program: &[u8]) -> anyhow::Result<Self> {
        let has =
            |text: &str| program.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text.as_bytes()));
        if has("dosemu2") {
            return Ok(Self::Dosemu2);
        }
        if has("dosemu") {
            return Ok(Self::Dosemu1);
        }
        bail!("{path:?} is neither DOSEmu 1.4 nor dosemu2")
    }
}

/// The program that was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Installed<'a> {
    pub(super) path: &'a Path,
    pub(super) flavour: Flavour,
}

pub(super) fn installed(files: &dyn Files) -> anyhow::Result<Installed<'static>> {
    for path in PROGRAMS.map(Path::new) {
        if let Some(program) = files.read(path)? {
            return Ok(Installed { path, flavour: Flavour::of(path, &program)? });
        }
    }
    bail!("DOSEmu is not installed: there is none of {}", PROGRAMS.join(", "))
}
