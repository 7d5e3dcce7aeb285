//! Does by hand what `ghostctl` does for a job, so that a scenario can do it wrong.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ghost_contract::order::TestSettings;
use ghost_contract::{Mode, Order, UnixTime, ethers, layout, sample};
use ghost_lab::Lab;
use ghost_lab::config::PcConfig;

use crate::stage::{SOON, boot_file, swapped};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UnixTime::from_millis(u64::try_from(since.as_millis()).unwrap())
}

/// An order for mode `test` that this PC would obey.
pub(crate) fn good_order(pc: &PcConfig, job: &str) -> Order {
    let sleep = Duration::from_secs(1);
    Order {
        job: job.parse().unwrap(),
        host: pc.name.clone(),
        mac: pc.mac,
        issued: now(),
        expires: now().plus(HOUR),
        store: None,
        imager: None,
        generation: None,
        test: TestSettings { sleep, authorized_keys: Vec::new() },
        ..sample::order(Mode::Test)
    }
}

/// Makes a PC's tree from the base root, new and without an order, as `ghostctl` would.
pub(crate) fn make_tree(lab: &Lab, pc: &PcConfig) {
    let root = lab.folder().base_root();
    let (etc, var) = (root.join(layout::tree_etc(pc.ip)), root.join(layout::tree_var(pc.ip)));
    for (from, to) in [("etc", &etc), ("var", &var)] {
        if to.exists() {
            fs::remove_dir_all(to).unwrap();
        }
        assert!(Command::new("cp").arg("-a").arg(root.join(from)).arg(to).status().unwrap().success());
    }
    fs::create_dir_all(etc.join("ghost")).unwrap();
    fs::create_dir_all(var.join(layout::CLAIMS)).unwrap();
    let clients = lab.config().pcs.iter().map(|pc| (&pc.name, pc.mac));
    fs::write(etc.join(layout::HOST_TABLE), ethers::write(clients)).unwrap();
}

/// Where a PC's order is.
pub(crate) fn order_file(lab: &Lab, pc: &PcConfig) -> PathBuf {
    lab.folder().base_root().join(layout::tree_etc(pc.ip)).join(layout::ORDER)
}

/// Where the claim of a job's order would be.
pub(crate) fn claim_file(lab: &Lab, pc: &PcConfig, order: &Order) -> PathBuf {
    lab.folder().base_root().join(layout::tree_var(pc.ip)).join(layout::claim(&order.job))
}

/// Lets DHCP offer the boot file to this PC from now on.
pub(crate) fn swap(lab: &Lab, pc: &PcConfig) {
    serve(lab, &swapped(&lab.dhcpd_conf().unwrap(), &pc.name, boot_file(pc.firmware)));
}

/// Has dhcpd serve this configuration.
pub(crate) fn serve(lab: &Lab, conf: &[u8]) {
    fs::write(lab.folder().dhcpd_conf(), conf).unwrap();
    let restart = lab.run(&[lab.folder().dhcpd_service().as_os_str(), "restart".as_ref()]).unwrap();
    assert_eq!(restart.wait(SOON).unwrap(), 0, "{}", restart.text());
}
