//! A PC is cut off from a server on its way to its root: it waits as long as that may help, ends off or on its own disk, and
//! `ghostctl` says what stood in its way.

#[cfg(feature = "campaigns")]
mod campaign;

use ghost_lab::Firmware;
use ghost_lab::lab::Pc;
use ghost_lab::running::Running;

use crate::stage::{BOOT, OFF, SOON, Stage, boot_file, swapped};

/// A job in mode `test` of john, whose entry is swapped.
struct Cut {
    stage: Stage,
    original: Vec<u8>,
    ghostctl: Running,
}

impl Cut {
    /// With these settings besides the lab's. `prepare` does what is to be so before the job.
    fn begun(
        name: &str,
        firmware: Firmware,
        settings: &[(&str, &str)],
        prepare: impl FnOnce(&Stage),
    ) -> Self {
        let stage = Stage::with(name, |config| {
            let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            config.ghostrc.extend([("SLEEP".to_owned(), "1".to_owned())].into_iter().chain(settings));
            config.pcs[0].with_firmware(firmware);
        });
        prepare(&stage);
        let original = stage.dhcpd_conf().unwrap();
        let ghostctl = stage.ghostctl(&["test", "john"]).unwrap();
        let john = stage.pc("john").unwrap().config();
        let swapped = swapped(&original, &john.name, boot_file(firmware));
        stage.wait_dhcpd_conf("john's entry to be swapped", &swapped, SOON);
        Self { stage, original, ghostctl }
    }

    fn john(&self) -> Pc<'_> {
        self.stage.pc("john").unwrap()
    }

    /// Ends a server of the lab at once.
    fn kill(&self, server: &str) {
        let kill = self.stage.run(&["pkill", "-KILL", server]).unwrap();
        assert_eq!(kill.wait(SOON).unwrap(), 0, "{}", kill.text());
    }

    /// Starts the NFS server again, which ends with what is returned.
    fn serve_nfs(&self) -> Running {
        let [conf, log, pid] = ["etc/ganesha.conf", "log/ganesha.log", "run/ganesha.pid"]
            .map(|file| self.stage.folder().join(file).display().to_string());
        self.stage.run(&["ganesha.nfsd", "-F", "-f", &conf, "-L", &log, "-p", &pid]).unwrap()
    }

    /// Waits until the job is done, and sees that nothing is left of it.
    fn assert_succeeds(&self) {
        assert_eq!(self.ghostctl.wait(BOOT).unwrap(), 0, "{}", self.ghostctl.text());
        self.john().wait_off(OFF).unwrap();
        self.stage.assert_dhcpd_conf(&self.original);
    }
}

#[test]
fn an_nfs_server_that_is_back_in_time_costs_a_pc_nothing_but_time_and_ghostctl_says_so() {
    let cut = Cut::begun("nfs-silent", Firmware::Bios, &[], |_| {});
    cut.kill("ganesha");
    let words = "ghost-init says: cannot mount 192.168.7.1:";
    cut.ghostctl.wait_line(words, BOOT).unwrap();
    let _nfs = cut.serve_nfs();
    cut.assert_succeeds();
}
