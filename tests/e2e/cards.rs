//! Cards that cannot be armed: the reason is reported, and the job is done all the same.

use ghost_contract::report::{Event, NotArmed};
use ghost_lab::Nic;

use crate::stage::{BOOT, Stage};

#[test]
fn a_card_that_cannot_be_armed_is_reported_and_does_not_stop_the_job() {
    let stage = Stage::with("cards", |config| {
        config.ghostrc.insert("SLEEP".to_owned(), "1".to_owned());
    });
    let joe = stage.pc("joe").unwrap();
    for (nic, expected) in [(Nic::E1000, NotArmed::Refused), (Nic::E1000e, NotArmed::Unsupported)] {
        joe.insert(nic).unwrap();
        let ghostctl = stage.ghostctl(&["test", "joe"]).unwrap();
        assert_eq!(ghostctl.wait(BOOT).unwrap(), 0, "{nic}: {}", ghostctl.text());
        assert!(joe.is_off().unwrap(), "{nic}");
        let reasons: Vec<NotArmed> = stage
            .report(joe.config().ip)
            .into_iter()
            .filter_map(|event| match event {
                Event::NotArmed { reason, .. } => Some(reason),
                _ => None,
            })
            .collect();
        assert!(
            !reasons.is_empty() && reasons.iter().all(|reason| *reason == expected),
            "{nic}: {reasons:?}"
        );
    }
}
