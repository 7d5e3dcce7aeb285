//! Estimates how large a job's image will be, from the generations in the store.

use ghost_contract::{Generation, HostName, Mode};

use super::Catalog;
use crate::job::pace::Expected;

impl Catalog {
    /// How much a job of this mode will read or write, as far as that is known: it is only told to people, and
    /// so a store that cannot be read is no error here.
    pub fn expected(&self, host: &HostName, mode: Mode, generation: Option<&Generation>) -> Option<Expected> {
        match mode {
            Mode::Verify | Mode::Restore => {
                let listed = self.show(host, generation?.clone()).ok()?;
                Some(Expected::Exactly(listed.manifest.ok()?.bytes))
            }
            Mode::Backup => {
                let last = self
                    .list_host(host)
                    .ok()?
                    .into_iter()
                    .rfind(super::listing::Listed::is_good_and_whole)?;
                Some(Expected::About(last.manifest.ok()?.bytes))
            }
            Mode::Test | Mode::Ghost => None,
        }
    }
}
