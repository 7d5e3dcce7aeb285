//! Which imager does a job, and how: from the settings, what was asked for on the command line, and the generation.
//!
//! Pure. The caller says what is in the store and in the base root.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::bail;

use crate::ghostrc::{ImagerName, Settings};
use ghost_contract::image::{DirtyNtfs, LargerDisk, OnReadError, RestoreCheck, SmallerDisk};
use ghost_contract::order::{DosProgram, Imager};
use ghost_contract::{DiskChoice, Mode};
use serde::{Deserialize, Serialize};

/// What the command line asks for, for this job only. `None` leaves it to the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wishes {
    pub disk: Option<DiskChoice>,
    pub on_read_error: Option<OnReadError>,
    pub dirty_ntfs: Option<DirtyNtfs>,
    pub larger_disk: Option<LargerDisk>,
    pub smaller_disk: Option<SmallerDisk>,
    pub restore_check: Option<RestoreCheck>,
    /// The file with the key of encrypted partitions.
    pub luks_key: Option<PathBuf>,
    /// The only partitions that the job is about; all if it names none.
    pub partitions: BTreeSet<u32>,
}

fn disks_do_not_fit(images: usize) -> String {
    if images == 1 {
        "the generation has the image of one disk: choose the one it is for with --disk or DISK".to_owned()
    } else {
        format!("the generation has the images of {images} disks: give --all-disks, or set DISK=all")
    }
}

/// The generation that a job reads, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    pub imager: &'a Imager,
    /// How many disks it has images of; none if that is not known.
    pub disks: Option<usize>,
}

impl Wishes {
    /// Overrides the settings of a host.
    pub fn apply(&self, settings: &mut Settings) {
        if self.luks_key.is_some() {
            settings.luks_key.clone_from(&self.luks_key);
        }
        let linux = &mut settings.linux;
        put(&mut settings.disk, self.disk.as_ref());
        put(&mut linux.on_read_error, self.on_read_error.as_ref());
        put(&mut linux.dirty_ntfs, self.dirty_ntfs.as_ref());
        put(&mut linux.larger_disk, self.larger_disk.as_ref());
        put(&mut linux.smaller_disk, self.smaller_disk.as_ref());
        put(&mut linux.restore_check, self.restore_check.as_ref());
        linux.partitions.clone_from(&self.partitions);
    }

    /// The first flag that only the Linux imager understands.
    fn only_for_linux(&self) -> Option<&'static str> {
        let flags = [
            (self.on_read_error.is_some(), "--rescue"),
            (self.dirty_ntfs.is_some(), "--dirty-ntfs"),
            (self.larger_disk.is_some(), "--grow"),
            (self.smaller_disk.is_some(), "--shrink"),
            (self.restore_check.is_some(), "--skip-check"),
            (self.luks_key.is_some(), "--luks-key"),
            (!self.partitions.is_empty(), "--partition"),
        ];
        flags.into_iter().find(|(given, _)| *given).map(|(_, flag)| flag)
    }
}

fn put<T: Clone>(setting: &mut T, wish: Option<&T>) {
    if let Some(wish) = wish {
        setting.clone_from(wish);
    }
}

/// The imager of a job, with its settings; none in mode `test`. `settings` have the wishes in them.
pub(crate) fn choose(
    mode: Mode,
    settings: &Settings,
    wishes: &Wishes,
    has_template_floppy: bool,
    source: Option<Source<'_>>,
) -> anyhow::Result<Option<Imager>> {
    if mode == Mode::Test {
        return Ok(None);
    }
    let configured = settings.imager.unwrap_or_else(|| ImagerName::without_a_setting(has_template_floppy));
    let name = source.map_or(configured, |source| that_reads(source.imager.name(), configured));
    match (name, wishes.only_for_linux()) {
        (ImagerName::Linux, _) if mode == Mode::Ghost => bail!(
            "mode ghost starts Norton Ghost for a person at the client's screen, and the imager linux has nothing to use there: set IMAGER=dosemu, or take mode test for a shell"
        ),
        (ImagerName::Linux, _) | (_, None) => {}
        (imager, Some(flag)) => bail!("{flag} is for the imager linux, and this job's is {imager}"),
    }
    if name != ImagerName::Linux && settings.disk == DiskChoice::All {
        bail!("{name} works on one disk: choose one with --disk or DISK");
    }
    if !settings.linux.partitions.is_empty() && settings.disk == DiskChoice::All {
        bail!("--partition chooses partitions of one disk: choose the disk with --disk or DISK");
    }
    if let (Mode::Restore, Some(images)) = (mode, source.and_then(|source| source.disks))
        && (images > 1) != (settings.disk == DiskChoice::All)
    {
        bail!(disks_do_not_fit(images));
    }
    let program =
        DosProgram { command: settings.command(mode).to_owned(), graphics: settings.dosemu_graphics };
    Ok(Some(Imager::new(name, &settings.linux, program)))
}

/// The imager that can read what this one has made. All emulators run the same program: among them the administrator's
/// choice counts.
const fn that_reads(made_by: ImagerName, configured: ImagerName) -> ImagerName {
    match (made_by.emulator(), configured.emulator()) {
        (Some(_), Some(_)) => configured,
        _ => made_by,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ghost_contract::image::LinuxSettings;

    fn with(imager: Option<ImagerName>, disk: &str) -> Settings {
        Settings { imager, disk: disk.parse().unwrap(), ..Settings::default() }
    }

    fn dos() -> DosProgram {
        DosProgram { command: String::new(), graphics: ghost_contract::order::Graphics::Vga }
    }

    /// The name of the imager that is chosen, or why none is.
    fn chosen(
        mode: Mode,
        settings: &Settings,
        has_floppy: bool,
        source: Option<Source<'_>>,
    ) -> Result<&'static str, String> {
        let imager = choose(mode, settings, &Wishes::default(), has_floppy, source);
        let imager = imager.map_err(|error| error.to_string())?;
        Ok(imager.map_or("none", |imager| imager.name().as_str()))
    }

    #[test]
    fn without_a_setting_it_is_what_there_is() {
        let unset = with(None, "first");
        assert_eq!(chosen(Mode::Backup, &unset, false, None), Ok("linux"));
        assert_eq!(chosen(Mode::Backup, &unset, true, None), Ok("dosbox-x"), "a HOWTO's ghostrc goes on");
        let set = with(Some(ImagerName::Linux), "first");
        assert_eq!(chosen(Mode::Backup, &set, true, None), Ok("linux"));
        assert_eq!(chosen(Mode::Test, &unset, false, None), Ok("none"));
    }

    #[test]
    fn a_generation_is_read_by_what_made_it() {
        let linux = Imager::Linux(LinuxSettings::default());
        let (dosemu, dosbox_x) = (Imager::Dosemu(dos()), Imager::DosboxX(dos()));
        let cases = [
            (&linux, Some(ImagerName::Dosemu), "linux"),
            (&dosemu, Some(ImagerName::Linux), "dosemu"),
            (&dosbox_x, Some(ImagerName::Linux), "dosbox-x"),
            (&dosbox_x, None, "dosbox-x"),
            (&dosbox_x, Some(ImagerName::Dosemu), "dosemu"),
        ];
        for (imager, configured, expected) in cases {
            let source = Some(Source { imager, disks: None });
            for mode in [Mode::Verify, Mode::Restore] {
                let chosen = chosen(mode, &with(configured, "first"), false, source);
                assert_eq!(chosen, Ok(expected), "{imager:?} {configured:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused_before_anything_is_touched() {
        let linux = with(Some(ImagerName::Linux), "first");
        let refused = chosen(Mode::Ghost, &linux, false, None).unwrap_err();
        assert!(refused.contains("the imager linux has nothing to use there"), "{refused}");
        let all = with(Some(ImagerName::Dosemu), "all");
        let refused = chosen(Mode::Backup, &all, false, None).unwrap_err();
        assert_eq!(refused, "dosemu works on one disk: choose one with --disk or DISK");
        let rescue = Wishes { on_read_error: Some(OnReadError::Rescue), ..Wishes::default() };
        let dosbox_x = with(Some(ImagerName::DosboxX), "first");
        let refused = choose(Mode::Backup, &dosbox_x, &rescue, false, None);
        let refused = refused.unwrap_err().to_string();
        assert_eq!(refused, "--rescue is for the imager linux, and this job's is dosbox-x");
    }

    #[test]
    fn partitions_are_those_of_one_disk_and_for_the_linux_imager() {
        let wishes = Wishes { partitions: [2].into(), ..Wishes::default() };
        let chosen = |imager, disk| {
            let mut settings = with(Some(imager), disk);
            wishes.apply(&mut settings);
            choose(Mode::Backup, &settings, &wishes, false, None)
        };
        let refused = |imager, disk| chosen(imager, disk).unwrap_err().to_string();
        assert!(refused(ImagerName::Linux, "all").starts_with("--partition chooses partitions of one disk"));
        assert!(refused(ImagerName::Dosemu, "first").starts_with("--partition is for the imager linux"));
        assert!(chosen(ImagerName::Linux, "first").unwrap().unwrap().is_partial());
    }

    #[test]
    fn images_of_several_disks_are_not_written_to_one() {
        let imager = Imager::Linux(LinuxSettings::default());
        let restore = |disk: &str, disks| {
            let settings = with(Some(ImagerName::Linux), disk);
            chosen(Mode::Restore, &settings, false, Some(Source { imager: &imager, disks }))
        };
        let refused = restore("first", Some(2)).unwrap_err();
        assert!(refused.starts_with("the generation has the images of 2 disks"), "{refused}");
        let refused = restore("all", Some(1)).unwrap_err();
        assert!(refused.starts_with("the generation has the image of one disk"), "{refused}");
        assert_eq!(restore("all", Some(2)), Ok("linux"));
        assert_eq!(restore("size:500G", Some(1)), Ok("linux"));
        assert_eq!(restore("first", None), Ok("linux"), "the imager itself looks again");
    }

    #[test]
    fn wishes_go_before_settings() {
        let mut settings = with(Some(ImagerName::Linux), "first");
        settings.linux.compression_level = 9;
        let wishes = Wishes {
            disk: Some(DiskChoice::All),
            on_read_error: Some(OnReadError::Rescue),
            dirty_ntfs: Some(DirtyNtfs::Raw),
            larger_disk: Some(LargerDisk::Grow),
            smaller_disk: Some(SmallerDisk::Shrink),
            restore_check: Some(RestoreCheck::Skip),
            luks_key: Some("/key".into()),
            partitions: [2, 3].into(),
        };
        wishes.apply(&mut settings);
        assert_eq!((&settings.disk, &settings.luks_key), (&DiskChoice::All, &Some("/key".into())));
        let expected = LinuxSettings {
            compression_level: 9,
            on_read_error: OnReadError::Rescue,
            dirty_ntfs: DirtyNtfs::Raw,
            larger_disk: LargerDisk::Grow,
            smaller_disk: SmallerDisk::Shrink,
            restore_check: RestoreCheck::Skip,
            partitions: [2, 3].into(),
            ..LinuxSettings::default()
        };
        assert_eq!(settings.linux, expected);
        let before = settings.clone();
        Wishes::default().apply(&mut settings);
        let settings = Settings {
            linux: LinuxSettings { partitions: [2, 3].into(), ..settings.linux.clone() },
            ..settings
        };
        assert_eq!(settings, before, "only the partitions are never a setting");
    }
}
