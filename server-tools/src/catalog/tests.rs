//! A store with generations in it, made and damaged as the tests need it.

mod finishing;
mod generations;
mod leaving;

use super::finish::Step;
use super::listing::Listed;
use super::removal::InUse;
use super::retention::{LeftoverKind, Policy};
use super::vouching::Adoption;
use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use ghost_contract::order::{DosProgram, Graphics, Imager};
use ghost_contract::{MacAddress, Mode};

const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);
const STEPS: [Step; 6] =
    [Step::ReadBack, Step::WriteManifest, Step::SyncStaging, Step::Vouch, Step::Rename, Step::SyncHost];

/// A store with john's folder for the job `job1` in it, and what his client wrote there.
struct Store {
    folder: tempfile::TempDir,
    catalog: Catalog,
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::new(folder.path().join("store"), folder.path().join("state"), Parser::own());
        fs::create_dir(folder.path().join("store")).unwrap();
        Self { folder, catalog }
    }

    /// With an image of two pieces, a screen and the report.
    fn staged() -> Self {
        let store = Self::new();
        store.stage("job1");
        store
    }

    fn stage(&self, name: &str) {
        let staging = self.catalog.stage(&john(), &job(name)).unwrap();
        fs::create_dir(staging.join("screens")).unwrap();
        fs::write(staging.join("image.gho"), vec![7; 300_000]).unwrap();
        fs::write(staging.join("image.ghs"), format!("rest of {name}")).unwrap();
        fs::write(staging.join("screens/0001.txt"), "C:\\>").unwrap();
        fs::write(staging.join("report.jsonl"), "").unwrap();
    }

    fn finished() -> Self {
        let store = Self::staged();
        store.finish("job1").unwrap();
        store
    }

    fn finish(&self, name: &str) -> anyhow::Result<Manifest> {
        self.catalog.finish(&john(), &job(name), &facts())
    }

    fn path(&self, below: &str) -> PathBuf {
        self.store().join("john").join(below)
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn incoming(&self, below: &str) -> PathBuf {
        self.path(".incoming-job1").join(below)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(""))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn listed(&self) -> Vec<String> {
        self.catalog.list().unwrap().iter().map(|one| one.generation.to_string()).collect()
    }

    fn damage(&self) -> Vec<String> {
        let check = self.catalog.verify(&john(), &generation("job1"), NOW).unwrap();
        self.catalog.keep(&john(), &generation("job1"), &check).unwrap();
        check.damage.iter().map(ToString::to_string).collect()
    }

    /// Nothing is listed, and what the client wrote is still where it wrote it.
    #[track_caller]
    fn assert_still_staged(&self) {
        assert_eq!(self.listed(), [""; 0]);
        assert_eq!(self.names(), [".incoming-job1"]);
    }
}

fn john() -> HostName {
    "john".parse().unwrap()
}

fn job(name: &str) -> JobId {
    name.parse().unwrap()
}

fn generation(name: &str) -> Generation {
    name.parse().unwrap()
}

fn facts() -> Facts {
    Facts {
        mac: MacAddress::new([0, 10, 235, 18, 52, 95]),
        mode: Mode::Backup,
        imager: Imager::DosboxX(DosProgram {
            command: "-clone,mode=dump".to_owned(),
            graphics: Graphics::default(),
        }),
        started: UnixTime::from_millis(1_000),
        ended: UnixTime::from_millis(2_000),
        checked: UnixTime::from_millis(3_000),
    }
}
