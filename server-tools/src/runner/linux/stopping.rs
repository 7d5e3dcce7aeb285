//! What asks jobs to stop before their end: signals, `ghostctl cancel`, and a lease in the image store that is lost.

use super::{Client, Linux};
use crate::job::{Event, Note};
use crate::runner::leases::Heard;
use crate::state::cancel;
use crate::sys::signals::{self, Asked};

impl Linux<'_> {
    pub(super) fn stops(&mut self) -> Vec<(usize, Event)> {
        let mut events = self.cancels();
        for asked in self.stops.take() {
            match asked {
                Asked::Stop(name) => {
                    let all = 0..self.clients.len();
                    events.extend(all.map(|index| (index, Event::StopAsked(name.clone()))));
                    self.stopped.get_or_insert(name);
                }
                Asked::Pause => self.pause(),
            }
        }
        events
    }

    /// A program that stands still reverts nothing, so it does not while there is something to revert.
    fn pause(&mut self) {
        let swapped: Vec<&Client> = self.clients.iter().filter(|client| client.is_swapped).collect();
        if swapped.is_empty() {
            return signals::pause();
        }
        for client in swapped {
            let text = "Ctrl-Z (SIGTSTP): not while DHCP offers the boot file, so the job goes on".to_owned();
            self.output.note(&client.work.begun.identity.host, &Note::Warning { text });
        }
    }

    /// A job whose host another boot server may have taken stops.
    pub(super) fn lost_leases(&mut self) -> Vec<(usize, Event)> {
        let mut events = Vec::new();
        for (index, heard) in self.leases.take() {
            let Some(client) = self.clients.get(index) else { continue };
            let host = &client.work.begun.identity.host;
            match heard {
                Heard::Lost => {
                    let by =
                        "the loss of its lease in the image store, which another boot server may have now";
                    events.push((index, Event::StopAsked(by.to_owned())));
                }
                Heard::NotRenewed(text) => self.output.note(host, &Note::Warning { text }),
            }
        }
        events
    }

    /// The jobs that another ghostctl asks to stop.
    fn cancels(&self) -> Vec<(usize, Event)> {
        let asked =
            |client: &Client| cancel::take(&self.site.ghostrc.state_folder, &client.work.begun.identity.job);
        let clients = self.clients.iter().enumerate().filter(|(_, client)| asked(client));
        clients.map(|(index, _)| (index, Event::StopAsked("ghostctl cancel".to_owned()))).collect()
    }
}
