//! The client finds an order that is not good. It leaves its disk alone, says why on its console and in its report, and
//! powers off. The scenario plays the server, since `ghostctl` would not write such an order.

use std::fs;
use std::time::Duration;

use ghost_contract::report::{Event, Outcome};
use ghost_contract::{MacAddress, Order};
use ghost_lab::Lab;
use ghost_lab::config::PcConfig;

use crate::by_hand;
use crate::stage::{BOOT, Stage};

/// What is wrong, how to make it so, and what the client has to say of it.
struct Case {
    name: &'static str,
    prepare: fn(&Lab, &PcConfig, Order),
    reason: &'static str,
}

const CASES: [Case; 6] = [
    Case { name: "none", prepare: |_, _, _| {}, reason: "there is no order for this client" },
    Case {
        name: "other-mac",
        prepare: |lab, pc, order| {
            write(lab, pc, &Order { mac: MacAddress::new([2, 0, 0, 0, 0, 9]), ..order })
        },
        reason: "the order is for john with the hardware address 02:00:00:00:00:09",
    },
    Case {
        name: "other-host",
        prepare: |lab, pc, order| write(lab, pc, &Order { host: "joe".parse().unwrap(), ..order }),
        reason: "the order is for joe",
    },
    Case {
        name: "claimed",
        prepare: |lab, pc, order| {
            fs::write(by_hand::claim_file(lab, pc, &order), "").unwrap();
            write(lab, pc, &order);
        },
        reason: "was claimed before",
    },
    Case {
        name: "newer",
        prepare: |lab, pc, order| write(lab, pc, &Order { version: 4, ..order }),
        reason: "the order has format version 4",
    },
    Case {
        name: "expired",
        prepare: |lab, pc, order| {
            let now = by_hand::now().as_millis();
            let expires = ghost_contract::UnixTime::from_millis(now - 60_000);
            write(lab, pc, &Order { expires, ..order });
        },
        reason: "the order expired",
    },
];

fn write(lab: &Lab, pc: &PcConfig, order: &Order) {
    fs::write(by_hand::order_file(lab, pc), serde_json::to_vec(order).unwrap()).unwrap();
}

#[test]
fn an_order_that_is_not_good_is_refused_and_the_pc_goes_off() {
    let stage = Stage::with("refusals", |config| config.kernel_flags = vec!["ghost.delay=1".to_owned()]);
    let john = stage.pc("john").unwrap();
    let disk = john.disk_sha256().unwrap();
    by_hand::swap(&stage, john.config());
    for Case { name, prepare, reason } in CASES {
        by_hand::make_tree(&stage, john.config());
        prepare(&stage, john.config(), by_hand::good_order(john.config(), name));
        john.switch_on().unwrap();
        john.wait_off(BOOT).unwrap_or_else(|error| panic!("{name}: {error:#}"));

        let report = stage.report(john.config().ip);
        let refused =
            |event: &&Event| matches!(event, Event::OrderRefused { reason: said } if said.contains(reason));
        assert_eq!(report.iter().filter(refused).count(), 1, "{name}: {report:#?}");
        let failed = |event: &Event| matches!(event, Event::Ended { outcome: Outcome::Failed { .. } });
        assert!(report.iter().any(failed), "{name}: {report:#?}");
        assert_eq!(report.last(), Some(&Event::PoweringOff { reboot: false }), "{name}: {report:#?}");
        let console = john.console().unwrap();
        assert!(console.contains(reason), "{name}: {console}");
        assert!(console.contains("no disk has been touched"), "{name}: {console}");
        assert_eq!(john.disk_sha256().unwrap(), disk, "{name}");
    }
}

/// The same by hand with an order that is good: what the others are refused for is what was made wrong in them.
#[test]
fn an_order_that_is_good_is_claimed_once_and_obeyed() {
    let stage = Stage::with("good-order", |config| config.kernel_flags = vec!["ghost.delay=1".to_owned()]);
    let john = stage.pc("john").unwrap();
    let order = by_hand::good_order(john.config(), "good");
    by_hand::swap(&stage, john.config());
    by_hand::make_tree(&stage, john.config());
    write(&stage, john.config(), &order);
    john.switch_on().unwrap();
    john.wait_off(BOOT + Duration::from_secs(60)).unwrap();
    let report = stage.report(john.config().ip);
    assert!(report.contains(&Event::Ended { outcome: Outcome::Succeeded }), "{report:#?}");
    assert!(by_hand::claim_file(&stage, john.config(), &order).exists());
}
