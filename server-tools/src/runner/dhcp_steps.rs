//! The steps that change what DHCP offers: edits of its configuration, and restarts that make them take effect.
//!
//! Any number of jobs share one edit and one restart. Each job keeps its own intent and completion in its own journal, and
//! learns its own result.

use ghost_contract::HostName;

use super::work::Work;
use crate::dhcp::Swap;
use crate::dhcp::offer::{Edited, Offers, Reverted, swapped_again};
use crate::dhcp::probe::{self, Client, Look, Seen};
use crate::dhcp::restart::{Gathering, Restarts, Ticket};
use crate::job::{Failure, FailureKind, Step};
use crate::site::Site;
use crate::state::journal::Line;
use crate::sys::atomic::Real;
use crate::sys::crash;

/// What became of a step for each of the jobs that shared it, in their order.
pub(crate) type Results = Vec<Result<(), Failure>>;

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
        let intended: Results = works.iter_mut().map(|work| Ok(work.intend(step)?)).collect();
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
            work.left_alone = matches!(became, Reverted::LeftAlone(_));
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
        self.look(works, results, probe::after_swap)
    }

    /// Asks as the clients would whether that is really served. Where it cannot be seen, the server is believed.
    fn look(&self, works: &mut [&mut Work], results: Results, look: Look) -> Results {
        let places: Vec<usize> = (0..works.len())
            .filter(|place| {
                results[*place].is_ok() && works[*place].swap.is_some() && !works[*place].left_alone
            })
            .collect();
        let asked: Vec<(Client, String)> = places.iter().filter_map(|place| client(works[*place])).collect();
        let asked: Vec<(Client, &str)> =
            asked.iter().map(|(client, file)| (client.clone(), file.as_str())).collect();
        let mut results = results;
        for (place, seen) in places.into_iter().zip(look(self.site, &asked)) {
            match seen {
                Seen::Otherwise(words) => {
                    results[place] = Err(Failure { kind: FailureKind::Configuration, reason: words });
                }
                Seen::Silent(words) => works[place].remarks.push(words),
                Seen::AsMeant | Seen::Unseen => {}
            }
        }
        results
    }

    /// Looks at the configuration once more afterwards: an editor that was opened before the revert may have been saved since.
    fn restart_reverted(&self, works: &mut [&mut Work]) -> Results {
        let served = self.restart(works, Gathering::REVERTS);
        if served.iter().all(Result::is_err) {
            return served;
        }
        let own =
            served.into_iter().zip(self.still_own(works)).map(|(served, own)| served.and(own)).collect();
        self.look(works, own, probe::after_revert)
    }

    /// Changes nothing, so that the journal is told nothing of it.
    fn look_again(&self, works: &[&mut Work]) -> Results {
        crash::point("before-LookAgain");
        let own = self.still_own(works);
        crash::point("after-LookAgain");
        own
    }

    /// Whether these hosts are offered their own files still, by one look at the configuration.
    fn still_own(&self, works: &[&mut Work]) -> Results {
        let swapped: Vec<(HostName, Swap)> = works.iter().filter_map(|work| swap_of(work)).collect();
        if swapped.is_empty() {
            return works.iter().map(|_| Ok(())).collect();
        }
        let mut again = swapped_again(self.site, &swapped).into_iter();
        let own = |work: &&mut Work| {
            let again = work.swap.as_ref().and_then(|_| again.next()).flatten();
            again.map_or(Ok(()), |error| Err(Failure::from_error(&error)))
        };
        works.iter().map(own).collect()
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

/// Whom a job asks for, and the boot file of its swap.
fn client(work: &Work) -> Option<(Client, String)> {
    let identity = &work.begun.identity;
    let client = Client { host: identity.host.clone(), mac: identity.mac, ip: identity.ip };
    Some((client, work.swap.as_ref()?.boot_file.clone()))
}

/// What was swapped for a job. A journal of before does not tell the hardware address with it, but with the job.
fn swap_of(work: &Work) -> Option<(HostName, Swap)> {
    let (identity, swap) = (&work.begun.identity, work.swap.clone()?);
    Some((identity.host.clone(), Swap { mac: swap.mac.or(Some(identity.mac)), ..swap }))
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
