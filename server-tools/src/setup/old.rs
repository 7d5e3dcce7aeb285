//! What there is of the HOWTO of 2005. Pure.
//!
//! Its settings, DHCP entries and exports go on as they are. Its base root is a Linux of that time, which cannot boot what is needed now: the
//! new one gets a folder beside it, and the old one stays.
//!
//! ```text
//! PXEBASE=/home/pxe     what the HOWTO has made: left alone
//! /home/pxe/base        the new base root, so that an export of /home/pxe holds for it too
//! /home/pxe/overlay     the boot floppy with Norton Ghost
//! ```

use std::path::{Path, PathBuf};

use super::{FileStep, Wishes};
use crate::base_root::BASE;
use crate::ghostrc::Ghostrc;

/// Where the boot floppy is in a base root.
const FLOPPY: &str = "root/.dosemu/ghost.img";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Old {
    /// Whether PXEBASE is a folder that a base root cannot be made in.
    is_old_base: bool,
    /// Whether what DHCPD calls is not there any more.
    pub(crate) is_restart_gone: bool,
    /// The boot floppy that shall go into the new base root, and where its template is.
    pub(crate) floppy: Option<PathBuf>,
}

impl Old {
    pub(crate) fn of(ghostrc: Option<&Ghostrc>, wishes: &Wishes, is_there: &dyn Fn(&Path) -> bool) -> Self {
        let restart = ghostrc
            .and_then(|ghostrc| ghostrc.dhcp_restart.as_ref())
            .map(|command| Path::new(command.program()));
        let old_base =
            ghostrc.filter(|ghostrc| !ghostrc.base_root.ends_with(BASE)).map(|ghostrc| &ghostrc.base_root);
        let there = old_base.map(|base| base.join(FLOPPY)).filter(|floppy| is_there(floppy));
        let is_restart_gone = restart.is_some_and(|program| program.is_absolute() && !is_there(program));
        Self { is_restart_gone, is_old_base: old_base.is_some(), floppy: wishes.floppy.clone().or(there) }
    }

    pub(crate) const fn is_old_base(&self) -> bool {
        self.is_old_base
    }

    /// Where the new base root goes, if it cannot go where the settings say.
    pub(crate) fn new_base(&self, there: &Ghostrc, wishes: &Wishes) -> Option<PathBuf> {
        self.is_old_base.then(|| wishes.base.clone().unwrap_or_else(|| there.base_root.join(BASE)))
    }

    /// The folder that is laid over the base root, if there has to be one and the settings name none.
    pub(crate) fn overlay(&self, there: &Ghostrc, wishes: &Wishes) -> Option<PathBuf> {
        let base = self.new_base(there, wishes).unwrap_or_else(|| there.base_root.clone());
        let is_named = there.of_base_root.get("OVERLAY").is_some_and(|named| !named.is_empty());
        (self.floppy.is_some() && !is_named).then(|| overlay_beside(&base))
    }
}

/// The overlay that goes with a base root.
pub(crate) fn overlay_beside(base: &Path) -> PathBuf {
    base.with_file_name("overlay")
}

/// Puts the floppy where the base root gets it from.
pub(crate) fn floppy_step(
    ghostrc: &Ghostrc,
    template: Vec<u8>,
    there: &dyn Fn(&Path) -> Option<Vec<u8>>,
) -> Option<FileStep> {
    let path = Path::new(ghostrc.of_base_root.get("OVERLAY")?).join(FLOPPY);
    let before = there(&path);
    (before.as_ref() != Some(&template)).then_some(FileStep { path, before, after: template })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ghostrc(base: &str) -> Ghostrc {
        let text =
            format!("PXEADDR=192.168.7.1\nPXEBASE={base}\nGHSTBASE=/b\nGHSTNFS=192.168.7.1:/b\nDHCPD=x\n");
        Ghostrc::parse(Path::new("ghostrc"), text.as_bytes()).unwrap()
    }

    #[test]
    fn the_old_base_root_stays_and_its_floppy_goes_over() {
        let (there, wishes) = (ghostrc("/home/pxe"), Wishes::default());
        let old =
            Old::of(Some(&there), &wishes, &|path| path == Path::new("/home/pxe/root/.dosemu/ghost.img"));
        assert_eq!(old.new_base(&there, &wishes), Some("/home/pxe/base".into()));
        assert_eq!(old.overlay(&there, &wishes), Some("/home/pxe/overlay".into()));
        let elsewhere = Wishes { base: Some("/srv/g/base".into()), ..Wishes::default() };
        assert_eq!(old.overlay(&there, &elsewhere), Some("/srv/g/overlay".into()));
    }

    #[test]
    fn a_restart_script_that_is_gone_is_known_as_such() {
        let mut there = ghostrc("/home/pxe");
        let is_gone = |there: &Ghostrc| Old::of(Some(there), &Wishes::default(), &|_| false).is_restart_gone;
        assert!(!is_gone(&there), "a name without a folder may be anywhere");
        there.dhcp_restart = Some(crate::ghostrc::CommandLine::of("/etc/rc.d/init.d/dhcpd", &["restart"]));
        assert!(is_gone(&there));
        assert!(!Old::of(Some(&there), &Wishes::default(), &|_| true).is_restart_gone);
    }

    #[test]
    fn a_base_root_of_now_is_none_of_the_howto() {
        let (there, wishes) = (ghostrc("/srv/ghost4linux/base"), Wishes::default());
        let old = Old::of(Some(&there), &wishes, &|_| true);
        assert_eq!((old.new_base(&there, &wishes), old.overlay(&there, &wishes)), (None, None));
        let given = Wishes { floppy: Some("/tmp/ghost.img".into()), ..Wishes::default() };
        let old = Old::of(Some(&there), &given, &|_| false);
        assert_eq!(old.overlay(&there, &given), Some("/srv/ghost4linux/overlay".into()));
    }
}
