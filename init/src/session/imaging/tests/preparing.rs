//! What is found out while the imager is made ready.

use super::*;
use crate::failure::Failure;
use crate::task::Undone;

#[test]
fn a_driver_that_is_not_waited_for_any_more_is_told_and_the_job_goes_on() {
    let mut machine = backup(|_| {});
    let reason = "it waits for its device";
    machine.undone =
        vec![Undone { step: "load the driver megaraid_sas".to_owned(), reason: Failure::new(reason) }];
    let machine = replay(machine);
    assert_eq!(outcome(&machine), Outcome::Succeeded);
    let words = "cannot load the driver megaraid_sas: it waits for its device; going on without it";
    assert!(machine.done.contains(&Action::Say(words.to_owned())));
    let step = "load the driver megaraid_sas".to_owned();
    let told = Report::StepFailed { step, reason: reason.to_owned(), carried_on: true };
    assert!(machine.reported().contains(&&told), "{:#?}", machine.reported());
}
