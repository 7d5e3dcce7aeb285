//! The steps that change what DHCP offers: edits of its configuration, and restarts that make them take effect.
//!
//! Any number of jobs share one edit and one restart. Each job keeps its own intent and completion in its own journal, and
//! learns its own result.

use ghost_contract::HostName;

use super::looking::{self, swap_of};
use super::work::{Results, Work};
use crate::dhcp::Swap;
use crate::dhcp::offer::{Edited, Offers, Reverted};
use crate::dhcp::restart::{Gathering, Restarts, Ticket};
use crate::doctor::boot_files;
use crate::job::{Failure, FailureKind, Step};
use crate::site::Site;
use crate::state::journal::Line;
use crate::sys::atomic::Real;
use crate::sys::crash;

pub(crate) struct DhcpSteps<'a> {
    pub site: &'a Site,
    /// Told who holds the DHCP configuration while this waits for it.
    pub waiting: &'a mut dyn FnMut(&str),
}

impl DhcpSteps<'_> {
    /// Performs one step for many jobs at once.
    pub(crate) fn perform(&mut self, step: Step, works: &mut [&mut Work]) -> Results {
        if step == Step::LookAgain {
            return self.look_again(works);
        }
        crash::point(&format!("before-{step:?}"));
        let may_begin = self.may_begin(step, works);
        let intended: Results = works
            .iter_mut()
            .zip(may_begin)
            .map(|(work, may_begin)| may_begin.and_then(|()| Ok(work.intend(step)?)))
            .collect();
        let mut ready: Vec<&mut Work> = works
            .iter_mut()
            .zip(&intended)
            .filter(|(_, intended)| intended.is_ok())
            .map(|(work, _)| &mut **work)
            .collect();
        let mut became = self.act(step, &mut ready).into_iter();
        let results: Results = intended
            .into_iter()
            .map(|intended| intended.and_then(|()| became.next().unwrap_or(Ok(()))))
            .collect();
        works.iter_mut().zip(&results).filter(|(_, result)| result.is_ok()).for_each(|(work, _)| {
            work.complete(step);
        });
        crash::point(&format!("after-{step:?}"));
        results
    }

    /// A client is offered its boot file only if that and what comes after it are served.
    fn may_begin(&self, step: Step, works: &[&mut Work]) -> Results {
        if step != Step::Swap {
            return works.iter().map(|_| Ok(())).collect();
        }
        let hosts: Vec<HostName> = works.iter().map(|work| work.begun.identity.host.clone()).collect();
        boot_files::served_to(self.site, &hosts).into_iter().map(|served| Ok(served?)).collect()
    }

    fn act(&mut self, step: Step, works: &mut [&mut Work]) -> Results {
        match step {
            Step::Swap => self.swap(works),
            Step::Revert => self.revert(works),
            Step::OfferBoot => self.restart_swapped(works),
            _ => self.restart_reverted(works),
        }
    }

    fn swap(&mut self, works: &mut [&mut Work]) -> Results {
        let hosts: Vec<HostName> = works.iter().map(|work| work.begun.identity.host.clone()).collect();
        let mut intend = |host: &HostName, intended: &Swap| {
            let work = works.iter_mut().find(|work| work.begun.identity.host == *host);
            let Some(work) = work else { return Ok(()) };
            work.swap = Some(intended.clone());
            let written = work.journal.as_ref().map(|journal| journal.append(&Line::Swaps(intended.clone())));
            Ok(written.transpose().map(|_written| ())?)
        };
        let mut effects = Real;
        let edited = self.offers("swap", &hosts, &mut effects).swap(&hosts, &mut intend);
        match edited {
            Ok(Edited { each, ticket, remarks }) => {
                told(works, ticket, remarks);
                each.into_iter().map(|became| Ok(became?)).collect()
            }
            Err(error) => for_all(works.len(), &error),
        }
    }

    fn revert(&mut self, works: &mut [&mut Work]) -> Results {
        // Without an intent nothing was changed.
        let swapped: Vec<(HostName, Swap)> = works.iter().filter_map(|work| swap_of(work)).collect();
        if swapped.is_empty() {
            return works.iter().map(|_| Ok(())).collect();
        }
        let hosts: Vec<HostName> = swapped.iter().map(|(host, _)| host.clone()).collect();
        let mut effects = Real;
        let edited = self.offers("revert", &hosts, &mut effects).revert(&swapped);
        let Edited { each, ticket, remarks } = match edited {
            Ok(edited) => edited,
            Err(error) => return for_all(works.len(), &error),
        };
        told(works, ticket, remarks);
        let mut each = each.into_iter();
        let became = works.iter_mut().map(|work| {
            let became = work.swap.as_ref().and_then(|_| each.next()).unwrap_or(Ok(Reverted::NothingToDo));
            let became = became?;
            work.left_alone = became.instead();
            work.remarks.extend(became.remark());
            Ok(())
        });
        became.collect()
    }

    fn offers<'b>(&'b mut self, verb: &str, hosts: &[HostName], effects: &'b mut Real) -> Offers<'b> {
        let purpose = match hosts {
            [host] => format!("ghostctl {verb} {host}"),
            hosts => format!("ghostctl {verb} of {} hosts", hosts.len()),
        };
        Offers::new(self.site, purpose, self.waiting, effects)
    }

    fn restart_swapped(&self, works: &mut [&mut Work]) -> Results {
        let results = self.restart(works, Gathering::SWAPS);
        looking::look(self.site, works, results, Step::OfferBoot)
    }

    /// Looks at the configuration once more afterwards: an editor that was opened before the revert may have been saved since.
    fn restart_reverted(&self, works: &mut [&mut Work]) -> Results {
        let mut results = looking::no_restart_helps(self.site, works);
        let mut ready: Vec<&mut Work> = works
            .iter_mut()
            .zip(&results)
            .filter(|(_, result)| result.is_ok())
            .map(|(work, _)| &mut **work)
            .collect();
        let mut served = self.restart(&mut ready, Gathering::REVERTS);
        if served.iter().any(Result::is_ok) {
            let own = looking::still_own(self.site, &mut ready);
            served = served.into_iter().zip(own).map(|(served, own)| served.and(own)).collect();
            served = looking::look(self.site, &mut ready, served, Step::OfferOwn);
        }
        let became = results.iter_mut().filter(|result| result.is_ok());
        became.zip(served).for_each(|(result, served)| *result = served);
        results
    }

    /// Changes nothing, so that the journal is told nothing of it.
    fn look_again(&self, works: &mut [&mut Work]) -> Results {
        crash::point("before-LookAgain");
        let own = looking::still_own(self.site, works);
        let seen = looking::look(self.site, works, own, Step::LookAgain);
        crash::point("after-LookAgain");
        seen
    }

    /// The newest ticket first: a restart for it is a restart for those before it as well.
    fn restart(&self, works: &mut [&mut Work], gathering: Gathering) -> Results {
        let mut served: Vec<(Ticket, Result<(), Failure>)> = Vec::new();
        for ticket in works.iter().rev().filter_map(|work| work.ticket) {
            if served.iter().all(|(known, _)| *known != ticket) {
                let became = Restarts::of(self.site).serve(ticket, self.site, gathering);
                let became = became.map_err(|error| Failure::new(FailureKind::of(error.exit()), error));
                served.push((ticket, became));
            }
        }
        let result = |work: &&mut Work| {
            let served = served.iter().find(|(ticket, _)| Some(*ticket) == work.ticket);
            served.map_or(Ok(()), |(_, became)| became.clone())
        };
        works.iter().map(result).collect()
    }
}

/// The first job of an edit is told its remarks, and all its jobs wait for the same restart.
fn told(works: &mut [&mut Work], ticket: Option<Ticket>, remarks: Vec<String>) {
    works.iter_mut().filter(|work| work.swap.is_some()).for_each(|work| work.ticket = ticket);
    if let Some(first) = works.first_mut() {
        first.remarks.extend(remarks);
    }
}

/// The same failure for each job that shared an edit.
fn for_all(count: usize, error: &anyhow::Error) -> Results {
    vec![Err(Failure::from_error(error)); count]
}
